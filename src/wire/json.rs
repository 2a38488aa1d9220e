//! Reading the few fields that matter out of a JSON body, and replacing one of them, without touching the rest.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde::de::Error;
use serde_json::value::RawValue;

/// The `model` of a request and the place of its value in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelField {
    /// The name, unescaped.
    pub name: String,
    /// The bytes of the JSON string, quotes included; `None` if the body is not JSON.
    pub span: Option<Range<usize>>,
}

/// What routing needs to know of a JSON body.
#[derive(Debug, Default)]
pub struct Peek {
    /// The `model`, if it is a string.
    pub model: Option<ModelField>,
    /// Whether `stream` is true.
    pub streaming: bool,
    /// Whether it asks the model to think before it speaks.
    pub reasoning: bool,
    /// A fingerprint of what names the conversation or its user.
    pub session: Option<u64>,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_effort: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt_cache_key: Option<&'a RawValue>,
    #[serde(borrow)]
    user: Option<&'a RawValue>,
    #[serde(borrow)]
    safety_identifier: Option<&'a RawValue>,
}

/// Checks that a body is one JSON object and reads `model` and `stream` from it.
pub fn peek(body: &[u8]) -> Result<Peek, serde_json::Error> {
    // A struct would be read from an array, too.
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
    let asks_to_think = |raw: &&RawValue| !matches!(raw.get(), "null" | "{}" | "\"none\"");
    let thoughts = [fields.reasoning, fields.reasoning_effort, fields.thinking];
    Ok(Peek {
        reasoning: thoughts.iter().flatten().any(asks_to_think),
        session: session.map(|raw| fingerprint(raw.get().as_bytes())),
        model,
        streaming: fields.stream.is_some_and(|raw| raw.get() == "true"),
    })
}

/// The body with another model name; every other byte stays as it is.
pub fn replace_model(body: &Bytes, span: &Range<usize>, model: &str) -> Bytes {
    let name = serde_json::Value::from(model).to_string();
    let mut replaced = BytesMut::with_capacity(body.len() - span.len() + name.len());
    replaced.extend_from_slice(&body[..span.start]);
    replaced.extend_from_slice(name.as_bytes());
    replaced.extend_from_slice(&body[span.end..]);
    replaced.freeze()
}

/// The same number for the same bytes, also in the next process.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Where a slice of `whole` lies in it: a raw value borrows from the body it was read from.
fn span_of(part: &[u8], whole: &[u8]) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{peek, replace_model};

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
}
