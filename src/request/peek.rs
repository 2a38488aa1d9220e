//! Reads the few fields that matter from a JSON body, in one pass and without copying.

use serde::de::Error;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::catalogue::{Abilities, Ability};
use crate::wire::json::{
    Broken, Field, ModelField, Wanted, fingerprint, pick, span_of, text, wanted,
};

/// How the ids of answers begin that were translated into Responses: nobody stores those, so no request can go on from them.
pub const UNSTORED: &str = "resp_unstored_";
/// The longest list of fallbacks that is read, in bytes.
const LONGEST_LIST: usize = 16 << 10;

/// A conversation that the upstream keeps (Anthropic's `thread`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thread {
    /// It begins with this request.
    New,
    /// The upstream has it up to the message with this id; the request has only what is new.
    After(String),
}

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
    /// How many tokens the answer may have; 0: it does not say so.
    pub max_output: u64,
    /// Whether the client wants the answer to be stored, if it says so.
    pub store: Option<bool>,
    /// The answer that it goes on from, if nobody has that.
    pub unstored: Option<String>,
    /// The thread that it is part of.
    pub thread: Option<Thread>,
    /// A fingerprint of the field that names the conversation or its user.
    pub session: Option<u64>,
    /// The models to which it lets the upstream itself fall back; an empty name stands for one that cannot be read.
    pub alternatives: Vec<String>,
}

wanted!(
    /// The fields that are looked at, as they were written.
    #[expect(non_snake_case, reason = "Vercel writes it so")]
    Fields:
    model, stream, store, previous_response_id, thread,
    reasoning, reasoning_effort, thinking, enable_thinking, thinking_budget, think, chat_template_kwargs,
    prompt_cache_key, user, safety_identifier,
    tools, functions, input, response_format, text, output_config, modalities,
    n, logprobs, top_logprobs, stream_options,
    max_tokens, max_completion_tokens, max_output_tokens,
    models, fallbacks, context_window_fallbacks, content_policy_fallbacks,
    providerOptions
);

impl Fields<'_> {
    /// Whether it asks for reasoning: in the words of `OpenAI`, `OpenRouter`, Anthropic, `DashScope`, Ollama or vLLM.
    fn asks_to_think(&self) -> bool {
        let is_on = |raw: &str| {
            let is_off = matches!(raw, "{}" | "false" | "0")
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
            self.think,
        ];
        let by_template = self
            .chat_template_kwargs
            .get()
            .is_some_and(|raw| raw.contains("thinking") && raw.contains("true"));
        by_template || asked.into_iter().filter_map(Field::get).any(is_on)
    }

    fn unstored(&self) -> Option<String> {
        let id = self.previous_response_id.text()?;
        id.starts_with(UNSTORED).then(|| id.into_owned())
    }

    fn thread(&self) -> Option<Thread> {
        let thread = self.thread.get().map(tree).filter(Value::is_object)?;
        let before = thread["previous_message_id"].as_str();
        Some(before.map_or(Thread::New, |id| Thread::After(id.to_owned())))
    }

    /// The most tokens that any of its fields allows.
    fn max_output(&self) -> u64 {
        let said = [
            self.max_tokens,
            self.max_completion_tokens,
            self.max_output_tokens,
        ];
        said.map(number).into_iter().fold(0, u64::max)
    }

    /// The models to which the upstream itself may fall back: in the words of `OpenRouter`, Anthropic and `LiteLLM`, or of
    /// Vercel's gateway.
    fn alternatives(&self) -> Vec<String> {
        let mut names = Vec::new();
        let lists = [
            self.models,
            self.fallbacks,
            self.context_window_fallbacks,
            self.content_policy_fallbacks,
        ];
        for list in lists.into_iter().filter_map(Field::get) {
            add_names(&tree(list), &mut names);
        }
        match self.providerOptions.get().map(tree) {
            Some(Value::Bool(true)) => names.push(String::new()),
            Some(options) => {
                let list = options.pointer("/gateway/models");
                add_names(list.unwrap_or(&Value::Null), &mut names);
            }
            None => {}
        }
        names
    }

    fn demands(&self) -> Abilities {
        let is_set = |field: Field<'_>| {
            let raw = field.get();
            raw.is_some_and(|raw| !matches!(raw, "false" | "0" | "[]" | "{}"))
        };
        // Inside a text its quotes would be escaped, so this finds only real names.
        let has = |field: Field<'_>, name: &str| field.get().is_some_and(|raw| raw.contains(name));
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
                is_set(self.n) && self.n.get() != Some("1"),
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

/// The fields of a body. Some servers, such as those in Go, take `Model` for `model`.
#[derive(Default)]
struct Top<'a> {
    fields: Fields<'a>,
    has_other_model: bool,
}

impl<'a> Wanted<'a> for Top<'a> {
    fn field(&mut self, name: &[u8]) -> Option<&mut Field<'a>> {
        self.has_other_model |= name != b"model" && name.eq_ignore_ascii_case(b"model");
        self.fields.field(name)
    }
}

impl<'a> Top<'a> {
    fn of(body: &'a [u8]) -> Result<Fields<'a>, Broken> {
        let top: Self = pick(body)?;
        match top.has_other_model && top.fields.model.get().is_some() {
            true => Err(Broken::Twice),
            false => Ok(top.fields),
        }
    }
}

/// Checks that a body is one JSON object and reads `model` and `stream` from it.
pub fn peek(body: &[u8]) -> Result<Peek, serde_json::Error> {
    let fields = Top::of(body).map_err(|broken| fault(body, broken))?;
    let model = fields.model.get().and_then(|raw| {
        Some(ModelField {
            name: text(raw)?.into_owned(),
            span: Some(span_of(raw.as_bytes(), body)),
        })
    });
    let session = fields.prompt_cache_key.get();
    let session = session
        .or_else(|| fields.user.get())
        .or_else(|| fields.safety_identifier.get());
    Ok(Peek {
        demands: fields.demands(),
        alternatives: fields.alternatives(),
        max_output: fields.max_output(),
        store: fields.store.get().map(|raw| raw == "true"),
        unstored: fields.unstored(),
        thread: fields.thread(),
        reasoning: fields.asks_to_think(),
        session: session.map(|raw| fingerprint(raw.as_bytes())),
        model,
        streaming: fields.stream.get() == Some("true"),
    })
}

/// A whole number; 0 if there is none.
fn number(field: Field<'_>) -> u64 {
    field.get().and_then(|raw| raw.parse().ok()).unwrap_or(0)
}

/// A value as a tree; `true` stands for one that cannot be read. A tree takes many times the memory of a text, so a long one
/// is none.
fn tree(raw: &str) -> Value {
    let short = Some(raw).filter(|raw| raw.len() <= LONGEST_LIST);
    let read = short.and_then(|raw| serde_json::from_str(raw).ok());
    read.unwrap_or(Value::Bool(true))
}

/// The names of models in a list of fallbacks: each a text, an object with a `model`, or a list by the name that it is for.
fn add_names(list: &Value, names: &mut Vec<String>) {
    match list {
        Value::Null | Value::Bool(false) => {}
        Value::String(name) => names.push(name.clone()),
        Value::Array(all) => all.iter().for_each(|one| add_names(one, names)),
        Value::Object(fields) => match fields.get("model") {
            Some(model) => add_names(model, names),
            None => fields.values().for_each(|one| add_names(one, names)),
        },
        Value::Bool(true) | Value::Number(_) => names.push(String::new()),
    }
}

/// What is wrong with a body, and where: in the words of `serde_json`, if it refuses the body too.
fn fault(body: &[u8], broken: Broken) -> serde_json::Error {
    match serde_json::from_slice::<&RawValue>(body) {
        Err(error) => error,
        Ok(_) if broken == Broken::Type => Error::custom("it is no object"),
        Ok(_) => Error::custom(broken),
    }
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
    fn a_model_in_two_spellings_of_its_field_is_refused() {
        for body in [
            r#"{"model":"a","Model":"b"}"#,
            r#"{"MODEL":"b","model":"a"}"#,
            r#"{"model":"a","\u004dodel":"a"}"#,
        ] {
            let error = peek(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("twice"), "{body}: {error}");
        }
        let nested = br#"{"model":"a","metadata":{"Model":"b"}}"#;
        assert_eq!(peek(nested).unwrap().model.unwrap().name, "a");
        assert!(peek(br#"{"Model":"b"}"#).unwrap().model.is_none());
    }

    #[test]
    fn how_long_an_answer_may_be_is_known_in_the_words_of_each_api() {
        for (body, most) in [
            (r#"{"max_tokens":100}"#, 100),
            (r#"{"max_completion_tokens": 7}"#, 7),
            (r#"{"max_output_tokens":9}"#, 9),
            (r#"{"max_tokens":8,"max_completion_tokens":7}"#, 8),
            (r#"{"max_tokens":null}"#, 0),
            (r#"{"max_tokens":-1}"#, 0),
            (r#"{"max_tokens":"100"}"#, 0),
            ("{}", 0),
        ] {
            assert_eq!(peek(body.as_bytes()).unwrap().max_output, most, "{body}");
        }
    }

    #[test]
    fn the_models_to_which_an_upstream_may_fall_back_are_known_in_the_words_of_each_gateway() {
        for (body, names) in [
            (r#"{"model":"a","models":["b","c"]}"#, &["b", "c"][..]),
            (r#"{"fallbacks":[{"model":"b","messages":["c"]}]}"#, &["b"]),
            (r#"{"fallbacks":["b",{"a":["c"]}]}"#, &["b", "c"]),
            (r#"{"content_policy_fallbacks":[{"a":["b"]}]}"#, &["b"]),
            (
                r#"{"providerOptions":{"gateway":{"models":["b"],"order":["azure"]}}}"#,
                &["b"],
            ),
            (r#"{"models":7}"#, &[""]),
            (r#"{"fallbacks":false}"#, &[]),
            (
                r#"{"models":[],"fallbacks":null,"providerOptions":{}}"#,
                &[],
            ),
            (r#"{"model":"a","messages":[{"models":["b"]}]}"#, &[]),
        ] {
            assert_eq!(peek(body.as_bytes()).unwrap().alternatives, names, "{body}");
        }
    }

    /// As trees they would take thirty times the memory that the body is counted with.
    #[test]
    fn no_list_of_fallbacks_is_read_that_is_longer_than_any() {
        let zeros = format!("[{}0]", "0,".repeat(10_000));
        for body in [
            format!("{{\"models\":{zeros}}}"),
            format!("{{\"providerOptions\":{{\"gateway\":{{\"models\":{zeros}}}}}}}"),
        ] {
            assert_eq!(peek(body.as_bytes()).unwrap().alternatives, [""]);
        }
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
