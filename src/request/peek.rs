//! Reads the few fields that matter from a JSON body, in one pass and without copying.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::Error;
use serde_json::value::RawValue;

use crate::catalogue::{Abilities, Ability};
use crate::wire::json::{ModelField, fingerprint, span_of};

/// What routing needs to know of a JSON body.
#[derive(Debug, Default)]
pub struct Peek {
    /// The `model`, if it is a string.
    pub model: Option<ModelField>,
    /// Whether `stream` is true.
    pub streaming: bool,
    /// Whether it asks for reasoning.
    pub reasoning: bool,
    /// What its fields require of a model; `media` finds what its content requires.
    pub demands: Abilities,
    /// Whether the client wants the answer to be stored, if it says so.
    pub store: Option<bool>,
    /// A fingerprint of the field that names the conversation or its user.
    pub session: Option<u64>,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    #[serde(borrow)]
    store: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_effort: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    enable_thinking: Option<&'a RawValue>,
    #[serde(borrow, alias = "think")]
    thinking_budget: Option<&'a RawValue>,
    #[serde(borrow)]
    chat_template_kwargs: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt_cache_key: Option<&'a RawValue>,
    #[serde(borrow)]
    user: Option<&'a RawValue>,
    #[serde(borrow)]
    safety_identifier: Option<&'a RawValue>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    #[serde(borrow)]
    functions: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    response_format: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    output_config: Option<&'a RawValue>,
    #[serde(borrow)]
    modalities: Option<&'a RawValue>,
    #[serde(borrow)]
    n: Option<&'a RawValue>,
    #[serde(borrow)]
    logprobs: Option<&'a RawValue>,
    #[serde(borrow)]
    top_logprobs: Option<&'a RawValue>,
    #[serde(borrow)]
    stream_options: Option<&'a RawValue>,
}

impl Fields<'_> {
    /// Whether it asks for reasoning: in the words of `OpenAI`, `OpenRouter`, Anthropic, `DashScope`, Ollama or vLLM.
    fn asks_to_think(&self) -> bool {
        let is_on = |raw: &&RawValue| {
            let raw = raw.get();
            let is_off = matches!(raw, "null" | "{}" | "false" | "0")
                || raw.contains("\"none\"")
                || raw.contains("\"disabled\"")
                || raw.contains("\"enabled\"") && raw.contains("false");
            !is_off
        };
        let asked = [
            self.reasoning,
            self.reasoning_effort,
            self.thinking,
            self.enable_thinking,
            self.thinking_budget,
        ];
        let by_template = self.chat_template_kwargs.is_some_and(|raw| {
            let raw = raw.get();
            raw.contains("thinking") && raw.contains("true")
        });
        by_template || asked.iter().flatten().any(is_on)
    }

    fn demands(&self) -> Abilities {
        let is_set = |raw: Option<&RawValue>| {
            raw.is_some_and(|raw| !matches!(raw.get(), "null" | "false" | "0" | "[]" | "{}"))
        };
        // Inside a text its quotes would be escaped, so this finds only real names.
        let has =
            |raw: Option<&RawValue>, name: &str| raw.is_some_and(|raw| raw.get().contains(name));
        let formats = [self.response_format, self.text, self.output_config];
        let brings_tools = has(self.input, "\"additional_tools\"");
        let asked = [
            (
                Ability::Tools,
                is_set(self.tools) || is_set(self.functions) || brings_tools,
            ),
            (
                Ability::JsonSchema,
                formats
                    .into_iter()
                    .any(|format| has(format, "\"json_schema\"")),
            ),
            (Ability::Audio, has(self.modalities, "\"audio\"")),
            (
                Ability::Several,
                is_set(self.n) && self.n.is_some_and(|n| n.get() != "1"),
            ),
            (
                Ability::Logprobs,
                is_set(self.logprobs) || is_set(self.top_logprobs),
            ),
            (
                Ability::StreamUsage,
                has(self.stream_options, "\"include_usage\"") && has(self.stream_options, "true"),
            ),
        ];
        asked
            .into_iter()
            .fold(Abilities::default(), |demands, (ability, is_asked)| {
                demands.with(ability, is_asked)
            })
    }
}

/// Checks that a body is one JSON object and reads `model` and `stream` from it.
pub fn peek(body: &[u8]) -> Result<Peek, serde_json::Error> {
    // serde would read a struct from an array too.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(Error::custom("it is an array"));
    }
    let fields: Fields<'_> = serde_json::from_slice(body)?;
    let model = match fields.model {
        Some(raw) => serde_json::from_str::<Cow<'_, str>>(raw.get())
            .ok()
            .map(|name| ModelField {
                name: name.into_owned(),
                span: Some(span_of(raw.get().as_bytes(), body)),
            }),
        None => None,
    };
    let session = fields
        .prompt_cache_key
        .or(fields.user)
        .or(fields.safety_identifier);
    Ok(Peek {
        demands: fields.demands(),
        store: fields.store.map(|raw| raw.get() == "true"),
        reasoning: fields.asks_to_think(),
        session: session.map(|raw| fingerprint(raw.get().as_bytes())),
        model,
        streaming: fields.stream.is_some_and(|raw| raw.get() == "true"),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::peek;
    use crate::catalogue::Ability;
    use crate::wire::json::replace_model;

    #[test]
    fn only_the_model_changes() {
        let body =
            Bytes::from_static(br#"{ "a":[{"model":"no"}], "model" : "gpt-4o" ,"stream":true}"#);
        let seen = peek(&body).unwrap();
        let field = seen.model.unwrap();
        assert_eq!(field.name, "gpt-4o");
        assert!(seen.streaming);
        assert_eq!(
            replace_model(&body, &field.span.unwrap(), "say \"x\""),
            &br#"{ "a":[{"model":"no"}], "model" : "say \"x\"" ,"stream":true}"#[..]
        );
    }

    #[test]
    fn an_escaped_name_is_read_as_it_means() {
        let body = br#"{"model":"gpt\u002d4o"}"#;
        assert_eq!(peek(body).unwrap().model.unwrap().name, "gpt-4o");
    }

    #[test]
    fn what_is_no_object_or_no_name_is_seen() {
        assert!(peek(b"").is_err());
        assert!(peek(b"[1]").is_err());
        assert!(peek(br#"{"model":"x"} trailing"#).is_err());
        assert!(peek(br#"{"model":7}"#).unwrap().model.is_none());
        assert!(
            peek(br#"{"model":null,"stream":null}"#)
                .unwrap()
                .model
                .is_none()
        );
    }

    #[test]
    fn whoever_asks_a_model_to_think_is_known() {
        for (body, thinks) in [
            (r#"{"reasoning_effort":"low"}"#, true),
            (r#"{"reasoning_effort":"none"}"#, false),
            (r#"{"reasoning":{"effort":"high","summary":"auto"}}"#, true),
            (r#"{"reasoning":{"effort":"none"}}"#, false),
            (r#"{"reasoning":{"enabled":false}}"#, false),
            (
                r#"{"thinking":{"type":"enabled","budget_tokens":1024}}"#,
                true,
            ),
            (r#"{"thinking":{"type":"adaptive"}}"#, true),
            (r#"{"thinking":{"type":"disabled"}}"#, false),
            (r#"{"enable_thinking":true}"#, true),
            (r#"{"enable_thinking":false}"#, false),
            (r#"{"think":true}"#, true),
            (r#"{"chat_template_kwargs":{"enable_thinking":true}}"#, true),
            (
                r#"{"chat_template_kwargs":{"enable_thinking":false}}"#,
                false,
            ),
            (r#"{"reasoning":null}"#, false),
            ("{}", false),
        ] {
            assert_eq!(peek(body.as_bytes()).unwrap().reasoning, thinks, "{body}");
        }
    }

    #[test]
    fn what_the_fields_ask_of_a_model_is_seen() {
        let asks = |body: &str, ability| peek(body.as_bytes()).unwrap().demands.contains(ability);
        for (body, ability) in [
            (r#"{"tools":[{"type":"function"}]}"#, Ability::Tools),
            (r#"{"functions":[{"name":"f"}]}"#, Ability::Tools),
            (r#"{"input":[{"type":"additional_tools"}]}"#, Ability::Tools),
            (
                r#"{"response_format":{"type":"json_schema"}}"#,
                Ability::JsonSchema,
            ),
            (
                r#"{"text":{"format":{"type":"json_schema"}}}"#,
                Ability::JsonSchema,
            ),
            (r#"{"modalities":["text","audio"]}"#, Ability::Audio),
            (r#"{"n":2}"#, Ability::Several),
            (r#"{"logprobs":true}"#, Ability::Logprobs),
            (r#"{"logprobs":5}"#, Ability::Logprobs),
            (
                r#"{"stream_options":{"include_usage":true}}"#,
                Ability::StreamUsage,
            ),
        ] {
            assert!(asks(body, ability), "{body}");
        }
        let none = r#"{"tools":[],"functions":null,"n":1,"logprobs":false,"top_logprobs":0,
            "response_format":{"type":"json_object"},"stream_options":{"include_usage":false},
            "messages":[{"role":"user","content":"\"json_schema\" \"n\":2"}]}"#;
        assert!(Ability::ALL.iter().all(|ability| !asks(none, *ability)));
    }
}
