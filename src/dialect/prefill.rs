//! Conversations that end with the start of the answer (prefill), for models that would take it for history.

use serde_json::{Value, json};

use crate::config::Prefill;

/// Writes a prefill so that the upstream continues it: `messages` are those of the chat request `body`.
pub(super) fn put(body: &mut Value, prefill: Prefill) {
    let Some(messages) = body["messages"].as_array_mut() else {
        return;
    };
    let Some(last) = messages
        .last_mut()
        .filter(|last| last["role"] == "assistant" && last["tool_calls"].is_null())
    else {
        return;
    };
    match prefill {
        Prefill::Trailing => {}
        Prefill::Prefix => last["prefix"] = true.into(),
        Prefill::Vllm => {
            body["continue_final_message"] = true.into();
            body["add_generation_prompt"] = false.into();
        }
        Prefill::None => {
            let prompt = continue_prompt(last["content"].as_str().unwrap_or_default());
            messages.push(json!({ "role": "user", "content": prompt }));
        }
    }
}

/// The instruction to continue a prefill.
pub(super) fn continue_prompt(prefill: &str) -> String {
    const ENOUGH: usize = 200;
    let start = prefill.len().saturating_sub(ENOUGH);
    let start = prefill.ceil_char_boundary(start);
    format!(
        "Continue your last message exactly behind its last words: {}",
        prefill[start..].trim()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{continue_prompt, put};
    use crate::config::Prefill;

    fn marked(last: Value, prefill: Prefill) -> Value {
        let mut body = json!({"messages": [{"role": "user", "content": "x"}, last]});
        put(&mut body, prefill);
        body
    }

    #[test]
    fn a_beginning_is_put_as_each_upstream_wants_it() {
        let prefill_turn = json!({"role": "assistant", "content": "Once"});
        let trailing = marked(prefill_turn.clone(), Prefill::Trailing);
        assert_eq!(trailing["messages"][1], prefill_turn);
        let prefix = marked(prefill_turn.clone(), Prefill::Prefix);
        assert_eq!(prefix["messages"][1]["prefix"], true);
        assert_eq!(
            marked(prefill_turn.clone(), Prefill::Vllm)["continue_final_message"],
            true
        );
        let asked = marked(prefill_turn, Prefill::None);
        assert_eq!(
            asked["messages"][2],
            json!({"role": "user", "content": continue_prompt("Once")})
        );
    }

    #[test]
    fn a_turn_that_is_over_is_left_alone() {
        let calls = json!({"role": "assistant", "content": null, "tool_calls": [{}]});
        for last in [calls, json!({"role": "user", "content": "y"})] {
            let body = marked(last.clone(), Prefill::None);
            assert_eq!(body["messages"].as_array().unwrap().len(), 2);
        }
    }

    #[test]
    fn only_the_last_words_are_repeated() {
        let long = format!("{}\u{e9}nd ", "ä".repeat(300));
        assert!(continue_prompt(&long).ends_with("\u{e9}nd") && continue_prompt(&long).len() < 300);
    }
}
