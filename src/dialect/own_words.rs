//! What only `OpenAI`'s own API has. No other maker takes it, but all of it can be said in a chat in words that everybody knows, or
//! not at all: so a request that has it is told anew as such a chat, as one from another API would be.

use memchr::memmem::find_iter;

use crate::catalogue::Quirks;

/// In a chat: tools that take a text instead of JSON, and a choice among some of the tools.
const IN_CHATS: [&[u8]; 2] = [b"\"custom\"", b"\"allowed_tools\""];
/// In `/responses`: the same tools, their calls, and tools in groups. Codex sends them. `'type' of tool must be 'function'`
/// (llama.cpp), `data did not match any variant of untagged enum ModelInput` (xAI).
const IN_RESPONSES: [&[u8]; 3] = [b"\"custom\"", b"\"custom_tool_call\"", b"\"namespace\""];
/// What is to be searched for in the web, and how.
const SEARCH: &[u8] = b"\"web_search_options\"";

/// Whether a chat has something that an upstream with these quirks does not know.
pub(super) fn are_in_chat(body: &[u8], quirks: &Quirks) -> bool {
    let is_unknown_search = || !quirks.searches_in_chats && has_object(body, SEARCH);
    !quirks.is_original() && (has_types(body, &IN_CHATS) || is_unknown_search())
}

/// The same for a request of `/responses`.
pub(super) fn are_in_response(body: &[u8], quirks: &Quirks) -> bool {
    !quirks.is_original() && has_types(body, &IN_RESPONSES)
}

fn has_types(body: &[u8], quoted: &[&[u8]]) -> bool {
    quoted.iter().any(|name| has_type(body, name))
}

/// Whether something is of this type.
fn has_type(body: &[u8], quoted: &[u8]) -> bool {
    find_iter(body, quoted).any(|at| {
        let before = body[..at].trim_ascii_end().strip_suffix(b":");
        before.is_some_and(|before| before.trim_ascii_end().ends_with(b"\"type\""))
    })
}

/// Whether there is an object in this field.
fn has_object(body: &[u8], quoted: &[u8]) -> bool {
    find_iter(body, quoted).any(|at| {
        let behind = body[at + quoted.len()..]
            .trim_ascii_start()
            .strip_prefix(b":");
        behind.is_some_and(|behind| behind.trim_ascii_start().starts_with(b"{"))
    })
}

#[cfg(test)]
mod tests {
    use super::{are_in_chat, are_in_response};
    use crate::catalogue::Quirks;

    #[test]
    fn those_of_chats_count_where_nobody_knows_them() {
        for (body, to_others, to_gateways) in [
            (
                r#"{"tools":[{"type":"custom","custom":{"name":"f"}}]}"#,
                true,
                true,
            ),
            (r#"{"tool_choice": {"type" : "allowed_tools"}}"#, true, true),
            (r#"{"web_search_options": {}}"#, true, false),
            (r#"{"web_search_options":null}"#, false, false),
            (
                r#"{"tools":[{"type":"function","custom":"custom"}],"user":"\"type\":\"custom\""}"#,
                false,
                false,
            ),
        ] {
            let words = |quirks| are_in_chat(body.as_bytes(), &quirks);
            assert_eq!(words(Quirks::OLDER), to_others, "{body}");
            assert_eq!(words(Quirks::UNKNOWN), to_gateways, "{body}");
            assert!(!words(Quirks::OPENAI), "{body}");
        }
    }

    #[test]
    fn those_of_responses_count_where_nobody_knows_them() {
        for (body, count) in [
            (r#"{"tools":[{"type":"custom","name":"f"}]}"#, true),
            (r#"{"input":[{"type": "custom_tool_call"}]}"#, true),
            (r#"{"tools":[{"type":"namespace","tools":[]}]}"#, true),
            (
                r#"{"input":[{"type":"function_call","namespace":"custom"}]}"#,
                false,
            ),
        ] {
            let words = |quirks| are_in_response(body.as_bytes(), &quirks);
            assert_eq!(words(Quirks::OLDER), count, "{body}");
            assert_eq!(words(Quirks::UNKNOWN), count, "{body}");
            assert!(!words(Quirks::OPENAI), "{body}");
        }
    }
}
