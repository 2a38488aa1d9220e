//! Adapting a request to a provider that copies OpenAI's API in part.
//!
//! Only what must change does: every other value stays byte for byte, unknown fields included.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytes::Bytes;
use memchr::memmem::find;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::history::{self, Thoughts};
use crate::catalogue::{Facts, InChats, Sampling, facts};
use crate::config::{CallIds, Efforts, Quirks};
use crate::dialect::upstream_api::UpstreamApi;
use crate::wire::json::Fields;

/// The names of the field that limits the tokens of an answer.
const LIMITS: [&str; 2] = ["max_completion_tokens", "max_tokens"];
/// Values that have no effect, in any field.
const NOTHING: [&str; 3] = ["null", "[]", "{}"];
/// Fields that have no effect with this value, and that a strict provider may not know.
const OFF: [(&str, &str); 3] = [
    ("logprobs", "false"),
    ("top_logprobs", "0"),
    ("store", "false"),
];

/// An adapted request, and the fields that were dropped.
#[derive(Debug)]
pub struct Adapted {
    /// The body.
    pub body: Bytes,
    /// Fields that were dropped.
    pub dropped: Vec<String>,
}

/// Adapts the body of a chat to a provider's quirks; `None`: nothing had to change. `is_ours`: the body is a
/// translation.
pub fn adapt_chat(body: &[u8], api: &UpstreamApi, is_ours: bool) -> Option<Adapted> {
    let quirks = &api.quirks;
    // Translations ask for usage by default.
    let no_usage = is_ours && !api.has_stream_usage;
    let more: &[&str] = if no_usage { &["stream_options"] } else { &[] };
    if !may_differ(body, api, more) {
        return None;
    }
    let mut fields: Fields<'_> = serde_json::from_slice(body).ok()?;
    let mut is_changed = limit(&mut fields, quirks.limit, api.max_output);
    let model = model_of(&fields);
    let facts = facts(&model);
    let mut of_messages = BTreeSet::new();
    if let Some(messages) = fields.get("messages")
        && let Some(adapted) = history::adapted(messages, quirks, &model, &mut of_messages)
    {
        fields.insert("messages".into(), Cow::Owned(adapted));
        is_changed = true;
    }
    let before = fields.len();
    let mut dropped: Vec<String> = of_messages.into_iter().collect();
    if quirks.wants_thoughts_back && stop_thinking(&mut fields) {
        is_changed = true;
        if fields.shift_remove("reasoning_effort").is_some() {
            dropped.push("reasoning_effort".to_owned());
        }
    }
    if let Some(level) = effort(&fields, &facts, quirks.efforts) {
        is_changed = true;
        let asked = match level.and_then(|level| to_raw_value(level).ok()) {
            Some(level) => fields.insert("reasoning_effort".into(), Cow::Owned(level)),
            None => fields.shift_remove("reasoning_effort"),
        };
        // Another level keeps the meaning; no level, or `none`, does not.
        if asked.is_some() && level.is_none_or(|level| level == "none") {
            dropped.push("reasoning_effort".to_owned());
        }
    }
    let refused = quirks.refused_of(&facts, is_thinking(&fields, &facts));
    for field in refused.iter().chain(more.iter().copied()) {
        if let Some(value) = fields.shift_remove(field)
            && !asks_for_nothing(field, &value)
        {
            dropped.push(field.to_owned());
        }
    }
    if is_strict(quirks) {
        fields.retain(|field, value| !asks_for_nothing(field, value));
    }
    if !is_changed && fields.len() == before {
        return None;
    }
    let body = serde_json::to_vec(&fields).ok()?.into();
    Some(Adapted { body, dropped })
}

/// The reasoning effort to ask for; inner `None`: it cannot be expressed. Outer `None`: unchanged.
fn effort(fields: &Fields<'_>, facts: &Facts, efforts: Efforts) -> Option<Option<&'static str>> {
    let asked = fields
        .get("reasoning_effort")
        .map(|effort| effort.get().trim_matches('"'));
    let level = match (efforts, asked) {
        (Efforts::Any, _) | (Efforts::Known, None) => return None,
        (Efforts::Known, Some(asked)) => match facts.efforts.closest(asked) {
            Some(level) if level == asked => return None,
            level => level,
        },
        (Efforts::Three, None | Some("null" | "low" | "medium" | "high")) => return None,
        (Efforts::Three, Some("minimal")) => Some("low"),
        (Efforts::Three, Some("xhigh" | "max")) => Some("high"),
        (Efforts::Three, Some(_)) => None,
        (Efforts::NoneWithTools, Some("none")) => return None,
        (Efforts::NoneWithTools, _) if has_tools(fields) => match facts.in_chats {
            InChats::ToolsUnthinking => Some("none"),
            InChats::All | InChats::NoTools | InChats::Nothing => return None,
        },
        (Efforts::NoneWithTools, _) => return None,
    };
    Some(level)
}

/// Whether it takes no sampling parameters in this request, because it thinks.
fn is_thinking(fields: &Fields<'_>, facts: &Facts) -> bool {
    let effort = fields.get("reasoning_effort");
    let effort = effort.map(|effort| effort.get().trim_matches('"'));
    match facts.sampling {
        Sampling::Always => false,
        Sampling::Unthinking => !matches!(effort, None | Some("none" | "null")),
        Sampling::Never => true,
    }
}

fn has_tools(fields: &Fields<'_>) -> bool {
    let tools = fields.get("tools");
    tools.is_some_and(|tools| !NOTHING.contains(&tools.get()))
}

/// Turns reasoning off for models that require it to come back with their tool calls: most clients do not know of it,
/// and the calls of other models have none. Returns whether that changes anything.
fn stop_thinking(fields: &mut Fields<'_>) -> bool {
    let thoughts = fields
        .get("messages")
        .map_or(Thoughts::NoCalls, |messages| {
            history::thoughts_of_calls(messages)
        });
    let is_wanted = match thoughts {
        Thoughts::NoCalls => fields.contains_key("thinking"),
        Thoughts::Missing => false,
        Thoughts::Given => true,
    };
    match to_raw_value(&json!({ "type": "disabled" })) {
        Ok(off) if has_tools(fields) && !is_wanted => {
            fields.insert("thinking".into(), Cow::Owned(off));
            true
        }
        _ => false,
    }
}

/// Adapts the body of a Responses request to a provider's quirks; `None`: nothing had to change.
pub fn adapt_response(body: &[u8], quirks: &Quirks) -> Option<Adapted> {
    if quirks.has_developer || !has(body, "developer") {
        return None;
    }
    let mut fields: Fields<'_> = serde_json::from_slice(body).ok()?;
    let adapted = history::without_developer(fields.get("input")?)?;
    fields.insert("input".into(), Cow::Owned(adapted));
    Some(Adapted {
        body: serde_json::to_vec(&fields).ok()?.into(),
        dropped: Vec::new(),
    })
}

fn asks_for_nothing(field: &str, value: &RawValue) -> bool {
    NOTHING.contains(&value.get()) || OFF.contains(&(field, value.get()))
}

/// Whether anything of a chat may have to change: a body that has none of these names need not be parsed.
fn may_differ(body: &[u8], api: &UpstreamApi, more: &[&str]) -> bool {
    let quirks = &api.quirks;
    let is_limited = api.max_output.is_some() || quirks.limit.is_some();
    is_strict(quirks)
        || quirks.wants_signed_calls
        || quirks.has_plain_turns && (has(body, "system") || has(body, "text"))
        || matches!(quirks.efforts, Efforts::Three | Efforts::Known)
            && has(body, "reasoning_effort")
        || quirks.efforts == Efforts::NoneWithTools && has(body, "tools")
        || quirks.wants_thoughts_back && has(body, "tools")
        || quirks.call_ids != CallIds::Any && has(body, "tool_call_id")
        || is_limited && LIMITS.into_iter().any(|name| has(body, name))
        || !quirks.has_developer && has(body, "developer")
        || quirks.may_refuse().iter().any(|name| has(body, name))
        || more.iter().any(|name| has(body, name))
}

/// Whether the provider is known to reject unknown fields anywhere.
fn is_strict(quirks: &Quirks) -> bool {
    quirks.message_fields.is_some()
}

fn has(body: &[u8], name: &str) -> bool {
    find(body, format!("\"{name}\"").as_bytes()).is_some()
}

fn model_of(fields: &Fields<'_>) -> String {
    let model = fields.get("model").map(|model| model.get());
    model
        .and_then(|model| serde_json::from_str(model).ok())
        .unwrap_or_default()
}

/// Writes the limit under the name that the provider knows, and lowers it to the largest allowed. The newer name wins
/// if a client sends both. Returns whether that changes anything.
fn limit(fields: &mut Fields<'_>, name: Option<&'static str>, largest: Option<u32>) -> bool {
    let mut is_changed = false;
    for known in LIMITS {
        let most: Option<u64> = fields.get(known).and_then(|most| most.get().parse().ok());
        if let (Some(most), Some(largest)) = (most, largest)
            && most > u64::from(largest)
            && let Ok(largest) = to_raw_value(&largest)
        {
            fields.insert(known.into(), Cow::Owned(largest));
            is_changed = true;
        }
    }
    let is_other = |known: &&str| Some(*known) != name && fields.contains_key(*known);
    let Some(name) = name.filter(|_| LIMITS.iter().any(is_other)) else {
        return is_changed;
    };
    let given = LIMITS.map(|known| fields.shift_remove(known));
    let is_set = |most: &Cow<'_, RawValue>| most.get() != "null";
    if let Some(most) = given.into_iter().flatten().find(is_set) {
        fields.insert(name.into(), most);
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{adapt_chat, adapt_response};
    use crate::config::{Dialect, Quirks};
    use crate::dialect::upstream_api::UpstreamApi;

    fn adapted(body: &str, quirks: Quirks) -> Option<(String, Vec<String>)> {
        let api = UpstreamApi {
            quirks,
            max_output: Some(9000),
            ..UpstreamApi::new(Dialect::OpenAi)
        };
        let adapted = adapt_chat(body.as_bytes(), &api, false)?;
        let body = String::from_utf8(adapted.body.to_vec()).unwrap();
        Some((body, adapted.dropped))
    }

    #[test]
    fn what_suits_everybody_is_not_touched() {
        let body = r#"{"model":"m","messages":[{"role":"system","content":"x"}],"max_tokens":5}"#;
        for quirks in [Quirks::OLDER, Quirks::UNKNOWN, Quirks::GEMINI] {
            assert!(adapted(body, quirks).is_none());
        }
    }

    #[test]
    fn only_what_must_change_does() {
        let body = r#"{"model":"m", "max_completion_tokens":5,"messages":[{"role":"developer","content":"x","odd":1e400}],"new": 12345678901234567890123}"#;
        let (body, dropped) = adapted(body, Quirks::OLDER).unwrap();
        assert_eq!(
            body,
            r#"{"model":"m","messages":[{"role":"system","content":"x","odd":1e400}],"new":12345678901234567890123,"max_tokens":5}"#
        );
        assert!(dropped.is_empty());
    }

    #[test]
    fn what_a_provider_refuses_is_left_out_and_told() {
        let body = json!({"model": "m", "seed": 0, "user": "u", "store": false, "logprobs": false, "temperature": 0, "messages": [
            {"role": "assistant", "content": "x", "annotations": [], "tool_calls": [], "name": "n"}]});
        let (body, dropped) = adapted(&body.to_string(), Quirks::MISTRAL).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(dropped, ["messages.name", "seed", "user"]);
        let message = json!({"role": "assistant", "content": "x", "tool_calls": []});
        assert_eq!(
            body,
            json!({"model": "m", "temperature": 0, "messages": [message]})
        );
    }

    #[test]
    fn models_that_think_get_no_sampling_at_openai() {
        let ask = |model: &str| {
            let body = json!({"model": model, "temperature": 0.5, "max_tokens": 5});
            adapted(&body.to_string(), Quirks::OPENAI).unwrap()
        };
        assert_eq!(ask("gpt-5").1, ["temperature"]);
        assert_eq!(ask("gpt-6-luna").1, ["temperature"]);
        assert!(ask("gpt-5.1").1.is_empty(), "it thinks only when asked to");
        let thinking = json!({"model": "gpt-5.1", "temperature": 0.5, "reasoning_effort": "low"});
        let (_, dropped) = adapted(&thinking.to_string(), Quirks::OPENAI).unwrap();
        assert_eq!(dropped, ["temperature"]);
        assert_eq!(
            ask("gpt-4o"),
            (
                r#"{"model":"gpt-4o","temperature":0.5,"max_completion_tokens":5}"#.to_owned(),
                Vec::new()
            )
        );
    }

    #[test]
    fn models_that_think_end_where_they_like_at_openai() {
        let body =
            |model: &str| json!({"model": model, "stop": ["x"], "parallel_tool_calls": false});
        for (model, expected) in [
            ("gpt-5.1", &["stop"][..]),
            ("o4-mini", &["parallel_tool_calls", "stop"]),
        ] {
            let (_, dropped) = adapted(&body(model).to_string(), Quirks::OPENAI).unwrap();
            assert_eq!(dropped, expected, "{model}");
        }
        assert!(adapted(&body("gpt-4o").to_string(), Quirks::OPENAI).is_none());
    }

    #[test]
    fn models_are_asked_to_think_as_hard_as_they_can_be() {
        let put = |asked: &str, quirks: Quirks| adapted(asked, quirks);
        let effort = |effort: &str| format!(r#"{{"model":"m","reasoning_effort":"{effort}"}}"#);
        for (asked, level) in [("minimal", "low"), ("xhigh", "high"), ("max", "high")] {
            let expected = (effort(level), Vec::new());
            assert_eq!(put(&effort(asked), Quirks::OLDER), Some(expected));
        }
        let dropped = vec!["reasoning_effort".to_owned()];
        let left = (r#"{"model":"m"}"#.to_owned(), dropped.clone());
        assert_eq!(put(&effort("none"), Quirks::GEMINI), Some(left));
        assert_eq!(put(&effort("high"), Quirks::OLDER), None);

        let tools = r#""tools":[{}]"#;
        let plain = format!(r#"{{"model":"gpt-5.6",{tools}}}"#);
        let without = format!(r#"{{"model":"gpt-5.6",{tools},"reasoning_effort":"none"}}"#);
        assert_eq!(
            put(&plain, Quirks::OPENAI),
            Some((without.clone(), Vec::new()))
        );
        let low = without.replace("none", "low");
        assert_eq!(put(&low, Quirks::OPENAI), Some((without.clone(), dropped)));
        for fine in [
            without,
            plain.replace("5.6", "5.1"),
            effort("low").replace("\"m\"", "\"gpt-5.6\""),
        ] {
            assert_eq!(put(&fine, Quirks::OPENAI), None, "{fine}");
        }
    }

    #[test]
    fn thoughts_that_would_have_to_come_back_are_not_thought() {
        let body = |more: &str| format!(r#"{{"model":"m","tools":[{{}}]{more}}}"#);
        let (on, off) = (
            r#","thinking":{"type":"enabled"}"#,
            r#","thinking":{"type":"disabled"}"#,
        );
        let thought = r#"{"tool_calls":[{}],"reasoning_content":"hm"}"#;
        let given = format!(r#","messages":[{thought}]"#);
        let missing = format!(r#","messages":[{thought},{{"tool_calls":[{{}}]}}]"#);
        for (asked, expected) in [
            (String::new(), off.to_owned()),
            (missing.clone(), format!("{missing}{off}")),
            (format!("{on}{missing}"), format!("{off}{missing}")),
        ] {
            let asked = body(&format!(r#"{asked},"reasoning_effort":"high""#));
            let (sent, dropped) = adapted(&asked, Quirks::DEEPSEEK).unwrap();
            assert_eq!(sent, body(&expected));
            assert_eq!(dropped, ["reasoning_effort"]);
        }
        for kept in [
            body(on),
            body(&given),
            r#"{"model":"m","tools":[],"reasoning_effort":"high"}"#.to_owned(),
        ] {
            assert!(adapted(&kept, Quirks::DEEPSEEK).is_none(), "{kept}");
        }
    }

    #[test]
    fn what_is_no_request_stays_as_it_is() {
        for body in ["", "[]", "\"seed\"", r#"{"seed":"#] {
            assert!(adapted(body, Quirks::MISTRAL).is_none(), "{body}");
        }
    }

    #[test]
    fn the_limit_is_no_larger_than_can_be() {
        for (body, expected) in [
            (r#"{"max_tokens":32000}"#, r#"{"max_tokens":9000}"#),
            (
                r#"{"max_completion_tokens":null,"max_tokens":100}"#,
                r#"{"max_tokens":100}"#,
            ),
            (
                r#"{"max_completion_tokens":7,"max_tokens":100}"#,
                r#"{"max_tokens":7}"#,
            ),
        ] {
            assert_eq!(adapted(body, Quirks::OLDER).unwrap().0, expected);
        }
    }

    #[test]
    fn of_a_response_only_the_roles_change() {
        let body = r#"{"max_output_tokens":1,"seed":2,"input":[{"role":"developer","content":"x"},{"type":"function_call","call_id":"c"}]}"#;
        let adapted = adapt_response(body.as_bytes(), &Quirks::GROQ).unwrap();
        assert_eq!(adapted.body, body.replace("developer", "system"));
        assert!(adapt_response(body.as_bytes(), &Quirks::OPENAI).is_none());
        assert!(adapt_response(br#"{"input":"developer"}"#, &Quirks::GROQ).is_none());
    }
}
