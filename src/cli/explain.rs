//! `backstop explain`: which candidates would be tried for a model now, and why.

use serde_json::json;

use super::answer::{list, said};
use super::arguments::ExplainArgs;
use super::operators::Operators;
use super::print::print;

/// Calls `/api/explain` and prints the reply as a list.
pub(super) async fn run(args: &ExplainArgs) -> anyhow::Result<()> {
    let operators = Operators::of(&args.proxy)?;
    let question = json!({"model": args.model});
    let answer = operators.post("/api/explain", &question).await?;
    let mut listing = format!("{} by the route {}:\n", args.model, said(&answer["route"]));
    for candidate in list(&answer["candidates"]) {
        let place = candidate["place"]
            .as_u64()
            .map_or_else(|| "-".to_owned(), |place| format!("{place}."));
        listing += &format!(
            "  {place:<3} {:<14} {:<28} {}\n",
            said(&candidate["upstream"]),
            said(&candidate["model"]),
            said(&candidate["why"])
        );
    }
    print(&listing)
}
