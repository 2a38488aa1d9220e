//! `backstop explain`: which candidates would be tried for a model now, and why.

use anyhow::{Context, bail};
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::json;

use super::answer::{self, list, said};
use super::arguments::ExplainArgs;
use super::ask::{ask, client};
use super::print::print;
use super::settings::admin_address;
use crate::wire::headers::JSON;
use crate::wire::upload::Upload;

/// Calls `/api/explain` and prints the reply as a list.
pub(super) async fn run(args: &ExplainArgs) -> anyhow::Result<()> {
    let address = admin_address(&args.proxy)?;
    let question = json!({"model": args.model}).to_string();
    let request = Request::post(format!("http://{address}/api/explain"))
        .header(CONTENT_TYPE, JSON)
        .body(Upload::from(Bytes::from(question)))?;
    let (head, body) = ask(&client(address)?, request)
        .await
        .with_context(|| format!("no proxy answers at {address}"))?;
    let answer = answer::read(&body).context("the answer is no JSON")?;
    if !head.status.is_success() {
        bail!("{}", answer["error"].as_str().unwrap_or("refused"));
    }
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
