//! Finds the ids of objects in paths, requests and answers.

use std::cell::LazyCell;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::request::{Endpoint, ModelRequest};
use crate::wire::json::{self, Token};
use crate::wire::{multipart, sse};

/// The fields by which requests to a model refer to an object at a provider, in quotes: quotes inside a JSON string are
/// escaped, so a match is always a field name.
static REFERENCES: Fields<8> = LazyLock::new(|| {
    [
        "\"file_id\"",
        "\"container\"",
        "\"container_id\"",
        "\"skill_id\"",
        "\"previous_response_id\"",
        "\"conversation\"",
        "\"vector_store_ids\"",
        "\"item_reference\"",
    ]
    .map(Finder::new)
});
/// The same for chats. The audio is an assistant's earlier answer: `"audio":{"id":"audio_…"}`.
static CHAT_REFERENCES: Fields<2> = LazyLock::new(|| ["\"file_id\"", "\"audio\""].map(Finder::new));
/// How most of them end: where this is not, they are not.
const END: &str = "_id\"";
static ENDS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(END));

/// Names of fields, each ready to be found.
type Fields<const N: usize> = LazyLock<[Finder<'static>; N]>;

/// What is below these fields refers to no object, and creates none: the client's own notes, which answers repeat, and
/// models.
const NO_REFERENCES: [&str; 3] = ["metadata", "attributes", "model"];
/// No id is longer, in bytes.
const LONGEST: usize = 256;

/// How ids begin that no chat refers to: those of answers, conversations and what belongs to them, of batches, assistants,
/// their threads and runs, of Claude's calls, and of vector stores.
const NOT_IN_CHATS: [&str; 15] = [
    "asst_",
    "batch_",
    "chatcmpl-",
    "conv_",
    "fc_",
    "msg_",
    "msgbatch_",
    "resp_",
    "rs_",
    "run_",
    "srvtoolu_",
    "step_",
    "thread_",
    "toolu_",
    "vs_",
];

/// Whether a chat may refer to this id.
pub(super) fn may_be_in_chats(id: &str) -> bool {
    !NOT_IN_CHATS.iter().any(|begin| id.starts_with(begin))
}

/// The parts of a path and its query that may be ids. A slash within an id is escaped, as `%2F`; nothing else in one is.
pub(super) fn in_path(path: &str) -> impl Iterator<Item = &str> {
    path.split(['/', '?', '&', '='])
        .flat_map(between_escaped_slashes)
        .filter(|part| is_like_an_id(part))
}

/// Looks for one byte first, since hardly any path has an escape.
fn between_escaped_slashes(part: &str) -> impl Iterator<Item = &str> {
    let mut pieces = part.split('%');
    let first = pieces.next();
    first.into_iter().chain(pieces.filter_map(after_slash))
}

fn after_slash(escape: &str) -> Option<&str> {
    let rest = escape.strip_prefix("2F");
    rest.or_else(|| escape.strip_prefix("2f"))
}

/// The parts of a text that may be ids: Gemini's have a folder, as in `batches/abc123`.
fn ids_in(text: &str) -> impl Iterator<Item = String> {
    let parts = (text.len() <= LONGEST).then(|| text.split('/'));
    let parts = parts.into_iter().flatten();
    parts.filter(|part| is_like_an_id(part)).map(str::to_owned)
}

/// Every string in a JSON body that may be an id.
pub(super) fn anywhere(body: &[u8]) -> Vec<String> {
    collect(body, |_| true)
}

/// Every short text in a form that may be an id.
pub(super) fn in_form(request: &ModelRequest) -> Vec<String> {
    let texts = multipart::texts(&request.headers, &request.body).into_iter();
    texts.flat_map(ids_in).collect()
}

/// The objects that a request to a model refers to. Its other ids, of messages and tool calls, may come from anywhere.
pub(super) fn references(endpoint: Endpoint, body: &[u8]) -> Vec<String> {
    let names = match endpoint {
        Endpoint::Responses => &REFERENCES[..],
        Endpoint::Messages | Endpoint::CountTokens => &REFERENCES[..4],
        Endpoint::ChatCompletions => &CHAT_REFERENCES[..],
        _ => &[],
    };
    if !mentions(body, names) {
        return Vec::new();
    }
    let is_it = |name: &Finder<'_>, key: &str| {
        let name = name.needle();
        name[1..name.len() - 1] == *key.as_bytes()
    };
    collect(body, |key| names.iter().any(|name| is_it(name, key)))
}

/// Whether one of these names is in a body, which is gone through as seldom as possible.
fn mentions(body: &[u8], names: &[Finder<'_>]) -> bool {
    let has_end = LazyCell::new(|| ENDS.find(body).is_some());
    names.iter().any(|name| {
        let may_be = !name.needle().ends_with(END.as_bytes()) || *has_end;
        may_be && name.find(body).is_some()
    })
}

/// Strings below wanted keys. An `item_reference` is wanted for its `id`. What cannot refer is skipped. A body that
/// cannot be parsed yields none.
fn collect(body: &[u8], wants: impl Fn(&str) -> bool) -> Vec<String> {
    let mended = json::mended(body);
    let body = mended.as_deref().unwrap_or(body);
    let mut ids = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    // For the next value: what it is worth, and its field.
    let mut next = (Worth::default(), Field::Else);
    let read = json::walk(body, |token| {
        match token {
            Token::Open => open.push(Open {
                worth: next.0,
                ..Open::default()
            }),
            Token::Close => ids.extend(open.pop().and_then(Open::reference)),
            Token::Text(text) => match open.last_mut() {
                _ if next.0 == Worth::Wanted => ids.extend(ids_in(text)),
                Some(object) => object.note(next.1, text),
                None => {}
            },
            Token::Key(_) => {}
        }
        let within = open.last().map(|within| within.worth).unwrap_or_default();
        next = match token {
            Token::Key(name) if NO_REFERENCES.contains(&name) => (Worth::Skipped, Field::Else),
            Token::Key(name) if within == Worth::Unknown && wants(name) => {
                (Worth::Wanted, Field::of(name))
            }
            Token::Key(name) => (within, Field::of(name)),
            _ => (within, Field::Else),
        };
    });
    read.map_or_else(|_| Vec::new(), |()| ids)
}

/// What the strings in a part of a body are worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Worth {
    #[default]
    Unknown,
    Wanted,
    Skipped,
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Type,
    Id,
    Else,
}

impl Field {
    fn of(name: &str) -> Self {
        match name {
            "type" => Self::Type,
            "id" => Self::Id,
            _ => Self::Else,
        }
    }
}

/// An object or a list that is being parsed.
#[derive(Debug, Default)]
struct Open {
    worth: Worth,
    is_reference: bool,
    id: Option<String>,
}

impl Open {
    fn note(&mut self, field: Field, text: &str) {
        match field {
            Field::Type => self.is_reference = text == "item_reference",
            Field::Id => self.id = is_like_an_id(text).then(|| text.to_owned()),
            Field::Else => {}
        }
    }

    fn reference(self) -> Option<String> {
        self.id.filter(|_| self.is_reference)
    }
}

/// Matches letters, digits and separators, with a digit among them: `file-abc123`, `resp_0f…`. Ordinary words do not
/// match.
///
/// One in seventy random ids of 24 letters and digits has no digit, but it has letters of both cases. Words like
/// `vector_store.file` and model names like `mistral-large-latest` have lower-case letters only.
fn is_like_an_id(text: &str) -> bool {
    (6..=LONGEST).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && (text.bytes().any(|byte| byte.is_ascii_digit()) || is_long_and_mixed(text))
}

fn is_long_and_mixed(text: &str) -> bool {
    text.len() >= 16
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && text.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// The ids of new objects in an answer: the fields `id` and `…_id`. Tool calls are not objects, and a `custom_id` is
/// the client's.
pub(super) fn given_out(answer: &[u8]) -> Vec<String> {
    let gives_out = |key: &str| {
        key == "id" || key.ends_with("_id") && !key.ends_with("call_id") && key != "custom_id"
    };
    collect(answer, gives_out)
}

/// The same for an answer in events.
pub(super) fn given_out_by_events(events: &[u8]) -> Vec<String> {
    sse::events(events)
        .flat_map(|event| given_out(event.data.as_deref().unwrap_or_default()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{anywhere, given_out, given_out_by_events, in_path, may_be_in_chats, references};
    use crate::request::Endpoint;

    #[test]
    fn paths_are_cut_into_what_may_be_ids() {
        let ids: Vec<&str> =
            in_path("/vector_stores/vs_12ab/files/file-9?after=file-8c&limit=20").collect();
        assert_eq!(ids, ["vs_12ab", "file-9", "file-8c"]);
        assert_eq!(in_path("/fine_tuning/jobs").count(), 0);
    }

    #[test]
    fn the_folder_of_an_id_does_not_count() {
        for path in [
            "/batches/batches%2Fabc12x",
            "/batches/batches%2fabc12x/cancel",
            "/batches/batches/abc12x",
        ] {
            assert_eq!(in_path(path).collect::<Vec<_>>(), ["abc12x"], "{path}");
        }
        let answer = br#"{"id":"batches/abc12x","input_file_id":"files/def34y"}"#;
        assert_eq!(given_out(answer), ["abc12x", "def34y"]);
        assert_eq!(anywhere(br#"{"input_file_id":"files/def34y"}"#), ["def34y"]);
    }

    #[test]
    fn the_clients_own_notes_and_models_are_no_objects() {
        let body = br#"{"id":"thread_1","metadata":{"user_id":"user-12","in":{"a_id":"none-34"}},
            "attributes":{"id":"note-567"},"model":{"id":"claude-opus-4-6"},"run_id":"run_7ab"}"#;
        assert_eq!(given_out(body), ["thread_1", "run_7ab"]);
        let body = br#"{"model":"gpt-4o-mini","metadata":{"file":"file-123"},"file":"file-456"}"#;
        assert_eq!(anywhere(body), ["file-456"]);
    }

    #[test]
    fn a_request_refers_by_certain_fields_only() {
        let body =
            br#"{"model":"gpt-4o","previous_response_id":"resp_1ab","conversation":{"id":"conv_2"},
            "tools":[{"type":"file_search","vector_store_ids":["vs_0003"]}],
            "input":[{"type":"item_reference","id":"msg_44"},{"id":"msg_55","content":"resp_666"},
                     {"call_id":"call_77"}]}"#;
        let mut ids = references(Endpoint::Responses, body);
        ids.sort();
        assert_eq!(ids, ["conv_2", "msg_44", "resp_1ab", "vs_0003"]);
        let file = br#"{"messages":[{"content":[{"file":{"file_id":"file-123"}}]}],"conversation":"conv_1"}"#;
        assert_eq!(references(Endpoint::ChatCompletions, file), ["file-123"]);
        let body = br#"{"audio":{"voice":"alloy"},"messages":[{"role":"assistant","audio":{"id":"audio_12"}}]}"#;
        assert_eq!(references(Endpoint::ChatCompletions, body), ["audio_12"]);
        let text = br#"{"messages":[{"content":"\"file_id\":\"file-123\""}]}"#;
        assert!(references(Endpoint::ChatCompletions, text).is_empty());
    }

    #[test]
    fn tokens_are_counted_where_the_message_would_go() {
        let body = br#"{"container":{"id":"container_1","skills":[{"skill_id":"skill_2"}]},
            "messages":[{"content":[{"source":{"type":"file","file_id":"file_3"}}]}]}"#;
        for endpoint in [Endpoint::Messages, Endpoint::CountTokens] {
            let mut ids = references(endpoint, body);
            ids.sort();
            assert_eq!(ids, ["container_1", "file_3", "skill_2"]);
        }
        let tools =
            br#"{"tools":[{"environment":{"container_id":"cntr_4a"}},{"skill_id":"skill_5"}]}"#;
        let mut ids = references(Endpoint::Responses, tools);
        ids.sort();
        assert_eq!(ids, ["cntr_4a", "skill_5"]);
    }

    #[test]
    fn an_id_without_a_digit_is_long_and_of_both_cases() {
        let parts =
            "/files/file-AbCdEfGhIjKlMnOp/vector_store_file_batches/mistral-large-latest/UserName";
        let ids: Vec<&str> = in_path(parts).collect();
        assert_eq!(ids, ["file-AbCdEfGhIjKlMnOp"]);
    }

    #[test]
    fn what_a_chat_can_name_is_not_told_by_its_form_alone() {
        for id in [
            "file-123",
            "audio_12",
            "0b5cd7b4-19c1-4b7e-8c4a-2f6f0a2b9d11",
        ] {
            assert!(may_be_in_chats(id), "{id}");
        }
        for id in ["resp_12", "msg_12", "batch_12", "toolu_12"] {
            assert!(!may_be_in_chats(id), "{id}");
        }
    }

    #[test]
    fn elsewhere_every_text_may_refer() {
        let body = br#"{"input_file_id":"file-abc1","endpoint":"/v1/chat","nested":[{"training_file":"file-2xyz"}]}"#;
        assert_eq!(anywhere(body), ["file-abc1", "file-2xyz"]);
        assert!(anywhere(b"--boundary").is_empty());
    }

    #[test]
    fn answers_give_out_ids() {
        let answer = br#"{"id":"batch_12","output_file_id":"file-34x","tool_call_id":"call_56","object":"batch1"}"#;
        assert_eq!(given_out(answer), ["batch_12", "file-34x"]);
        let events = b"event: thread.run.created\ndata: {\"id\":\"run_0001\",\"thread_id\":\"thread_2\"}\n\n\
            data: [DONE]\n\n";
        assert_eq!(given_out_by_events(events), ["run_0001", "thread_2"]);
    }
}
