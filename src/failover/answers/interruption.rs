//! What clients are told of an answer that ends before it is whole.

use serde_json::{Value, json};

use crate::outcome::Outcome;

/// Why an answer ends whose upstream does not end it.
pub(super) const CONNECTION_LOST: &str = "the connection to the upstream broke";

/// The error object for it, in `OpenAI`'s shape. Agents that have no status to go by ask again for its type, or, if they
/// look at nothing but the message, for the words `server error` in it.
pub(super) fn interruption(outcome: &Outcome, why: &str) -> Value {
    let code = match outcome {
        Outcome::Stopped => "shutting_down",
        _ => "stream_interrupted",
    };
    json!({
        "message": format!("server error: {why}"),
        "type": "server_error",
        "param": null,
        "code": code,
    })
}

#[cfg(test)]
mod tests {
    use super::interruption;
    use crate::outcome::Outcome;

    #[test]
    fn an_interruption_says_by_type_and_by_words_that_one_may_ask_again() {
        for (outcome, code) in [
            (Outcome::StreamBroken, "stream_interrupted"),
            (Outcome::Stopped, "shutting_down"),
        ] {
            let error = interruption(&outcome, "it broke");
            assert_eq!(error["message"], "server error: it broke");
            assert_eq!(error["type"], "server_error");
            assert_eq!(error["code"], code);
        }
    }
}
