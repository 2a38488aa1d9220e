//! How many answers a request asks for: a stream of several is complete when each of them is.

use serde_json::value::RawValue;

use crate::catalogue::Ability;
use crate::request::{Endpoint, ModelRequest};
use crate::wire::json::{Field, Wanted, pick, wanted};

wanted!(
    /// What says how many.
    Asked:
    n, prompt
);

/// How many answers a request asks for, at least 1.
pub fn answers(request: &ModelRequest) -> usize {
    match request.endpoint {
        Endpoint::ChatCompletions if request.needs().include(Ability::Several) => {
            asked(&request.body)
        }
        Endpoint::Completions => asked(&request.body),
        _ => 1,
    }
}

fn asked(body: &[u8]) -> usize {
    let asked: Asked<'_> = pick(body).unwrap_or_default();
    let each: usize = asked.n.get().and_then(|n| n.parse().ok()).unwrap_or(1);
    each.saturating_mul(prompts(asked.prompt)).max(1)
}

/// A plain completion may have several prompts: texts, or lists of tokens.
fn prompts(prompt: Field<'_>) -> usize {
    let list: Vec<&RawValue> = prompt
        .get()
        .and_then(|raw| serde_json::from_str(raw).ok())
        .unwrap_or_default();
    let is_token = |entry: &&RawValue| !entry.get().starts_with(['"', '[']);
    if list.first().is_some_and(is_token) {
        return 1;
    }
    list.len().max(1)
}

#[cfg(test)]
mod tests {
    use super::asked;

    #[test]
    fn each_prompt_has_its_answers() {
        for (body, count) in [
            ("{}", 1),
            (r#"{"n":3,"prompt":"x"}"#, 3),
            (r#"{"n":null,"prompt":["x"]}"#, 1),
            (r#"{"n":2,"prompt":["x","y"]}"#, 4),
            (r#"{"prompt":[1,2,3]}"#, 1),
            (r#"{"prompt":[[1,2],[3]]}"#, 2),
            (r#"{"n":0,"prompt":[]}"#, 1),
        ] {
            assert_eq!(asked(body.as_bytes()), count, "{body}");
        }
    }
}
