//! The fields of an error body, in all the shapes that are seen.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::known::{
    OVERLOADED, PROVIDER_BOUND_IN_WORDS, QUOTA, QUOTA_IN_WORDS, REFUSED, STATUS_OF, TOO_LONG,
    TOO_LONG_IN_WORDS, UNSUPPORTED, UNSUPPORTED_IN_WORDS,
};
use crate::dialect::rate_limit::reset_in;

/// The fields of an error that decide its outcome.
#[derive(Debug, Default)]
pub(super) struct ErrorFields {
    pub(super) code: String,
    pub(super) kind: String,
    /// Gemini's `status`, if its `code` is a number; Anthropic's `error_code`, which is more specific than its
    /// `type`.
    name: String,
    /// Gemini says that a daily quota is used up.
    pub(super) is_daily: bool,
    /// Gemini says with 400 that the key is wrong.
    pub(super) is_about_key: bool,
    /// `OpenRouter` says with 403, and without a code, that moderation has flagged the content.
    is_flagged: bool,
    pub(super) message: String,
    /// How long it asks us to wait, if no header does.
    pub(super) wait: Option<Duration>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawFields<'a> {
    /// A text, or a number at vLLM, `OpenRouter` and Gemini.
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    /// A text, or Mistral's list of problems.
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    details: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<Flagged<'a>>,
}

/// `OpenRouter`'s `metadata` of a request that moderation has rejected.
#[derive(Deserialize)]
struct Flagged<'a> {
    #[serde(borrow)]
    flagged_input: Option<&'a RawValue>,
}

/// Anthropic's `details`: `{"error_code": "..."}`.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    error_code: Option<Cow<'a, str>>,
}

/// One of Gemini's `details`: `{"@type": "...RetryInfo", "retryDelay": "37s"}`.
#[derive(Deserialize)]
struct Detail<'a> {
    #[serde(borrow, rename = "retryDelay")]
    retry_delay: Option<Cow<'a, str>>,
}

impl ErrorFields {
    /// Reads `{"error": {..}}`, the same inside an array (Gemini), `{"error": "text"}` (Ollama), or the fields at the
    /// top level (older vLLM, Mistral). What cannot be read stays empty.
    pub(super) fn read(body: &[u8]) -> Self {
        let text = std::str::from_utf8(body).unwrap_or_default().trim();
        let text = text
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
            .unwrap_or(text);
        let fields = serde_json::from_str::<Envelope<'_>>(text)
            .ok()
            .and_then(|envelope| envelope.error)
            .map_or(text, RawValue::get);
        match serde_json::from_str::<RawFields<'_>>(fields) {
            Ok(raw) => Self {
                wait: wait(&raw),
                code: text_or_number(raw.code),
                kind: raw.kind.unwrap_or_default().into_owned(),
                name: error_code(raw.details).unwrap_or_else(|| text_or_number(raw.status)),
                is_daily: detail(raw.details, "PerDay"),
                is_about_key: detail(raw.details, "\"API_KEY_INVALID\"")
                    || raw
                        .message
                        .is_some_and(|raw| raw.get().contains("API key not valid")),
                is_flagged: raw
                    .metadata
                    .is_some_and(|flagged| flagged.flagged_input.is_some()),
                message: raw.message.map(text_of).unwrap_or_default(),
            },
            Err(_) => Self {
                message: serde_json::from_str(fields).unwrap_or_default(),
                ..Self::default()
            },
        }
    }

    /// Whether it says that the request is longer than the model can take.
    pub(super) fn says_too_long(&self) -> bool {
        TOO_LONG.iter().any(|name| self.is(name))
            || TOO_LONG_IN_WORDS
                .iter()
                .any(|words| self.message.starts_with(words))
            || self
                .message
                .contains("exceeds the maximum number of tokens")
    }

    /// Whether it says that the model does not accept some field or value.
    pub(super) fn says_unsupported(&self) -> bool {
        UNSUPPORTED.iter().any(|name| self.is(name))
            || self.message.contains("\"extra_forbidden\"")
            || UNSUPPORTED_IN_WORDS.iter().any(|(begin, end)| {
                self.message.starts_with(begin)
                    && self
                        .message
                        .trim_end_matches(['.', '\'', '"', ')', ']'])
                        .ends_with(end)
            })
    }

    /// Whether a 429 is about the provider's load rather than the account's limits; Qianfan's codes are
    /// `cluster_rpm_limit_exceeded` and others.
    pub(super) fn says_overloaded(&self) -> bool {
        OVERLOADED.iter().any(|name| self.is(name))
            || ["cluster_", "preemptible_"]
                .iter()
                .any(|begin| self.code.starts_with(begin))
    }

    /// Whether it is about items that another organisation has encrypted or stored.
    pub(super) fn is_about_provider_bound_items(&self) -> bool {
        self.is("invalid_encrypted_content") || self.message.starts_with("Item with id")
    }

    /// Whether it is about what another provider's model has left in the conversation: reasoning that it has signed,
    /// missing reasoning before its tool calls, and the ids of these calls.
    pub(super) fn is_about_provider_bound_history(&self) -> bool {
        let is_of_anthropic = self.message.starts_with("messages.")
            && (self
                .message
                .contains("Expected `thinking` or `redacted_thinking`")
                || self
                    .message
                    .contains("Invalid `signature` in `thinking` block")
                || self.message.contains("`tool_use` ids must be unique")
                || self
                    .message
                    .contains("tool_use.id: String should match pattern")
                || self
                    .message
                    .contains("tool_use_id: String should match pattern"));
        let is_of_openai = self.is("string_above_max_length")
            && self.message.starts_with("Invalid 'messages[")
            && self.message.contains("].tool_call");
        is_of_anthropic
            || is_of_openai
            || PROVIDER_BOUND_IN_WORDS
                .iter()
                .any(|words| self.message.starts_with(words))
    }

    /// Whether a 404 is about the path: a server that knows the path gives a reason of its own.
    pub(super) fn names_no_model(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        !self.is("model_not_found")
            && !message.starts_with("this model is only supported in")
            && (message.is_empty()
                || message.contains("/responses")
                || matches!(message.as_str(), "not found" | "file not found"))
    }

    /// Whether it says that the account has no money or quota left.
    pub(super) fn says_no_money(&self) -> bool {
        QUOTA.iter().any(|name| self.is(name))
            || QUOTA_IN_WORDS
                .iter()
                .any(|words| self.message.starts_with(words))
    }

    /// Whether a 404 is about something that the request refers to, rather than about the model: `Conversation with id
    /// 'conv_1' not found.`, `No such File object: file-1`, Anthropic's `thread_not_found`.
    pub(super) fn is_about_reference(&self) -> bool {
        self.message.contains(" with id ")
            || self.message.starts_with("No such ")
            || self.name.starts_with("thread_")
    }

    /// Qianfan's codes are `input_unsafe` and others; Anthropic has none.
    pub(super) fn refuses_content(&self) -> bool {
        REFUSED.iter().any(|name| self.is(name))
            || self.is_flagged
            || self.code.ends_with("_unsafe")
            || self
                .message
                .starts_with("Output blocked by content filtering policy")
    }

    pub(super) fn is(&self, name: &str) -> bool {
        [&self.code, &self.kind, &self.name]
            .into_iter()
            .any(|field| field == name)
    }

    /// The HTTP status that fits this error.
    pub(super) fn status(&self) -> u16 {
        match self.code.parse() {
            Ok(status @ 400..=599) => status,
            // Qianfan's are `rpm_rate_limit_exceeded`, `tpm_rate_limit_exceeded` and more.
            _ if self.code.ends_with("rate_limit_exceeded") || self.says_no_money() => 429,
            _ if self.refuses_content() || self.says_too_long() || self.says_unsupported() => 400,
            // `invalid_image_format`, `failed_to_download_image` and others, of Responses.
            _ if self.code.contains("_image") || self.code.starts_with("image_") => 400,
            _ => STATUS_OF
                .iter()
                .find(|(name, _)| self.is(name))
                .map_or(500, |(_, status)| *status),
        }
    }
}

/// The wait that a body asks for: in its details, or in words (`Please try again in 41.724s.`).
fn wait(error: &RawFields<'_>) -> Option<Duration> {
    let details = error.details.map_or("[]", RawValue::get);
    let details: Vec<Detail<'_>> = serde_json::from_str(details).unwrap_or_default();
    let delay = details.into_iter().find_map(|detail| detail.retry_delay);
    let in_words = || {
        let (_, rest) = error.message?.get().split_once("try again in ")?;
        rest.split([' ', ','])
            .next()
            .map(|token| token.trim_end_matches(['.', '"']))
    };
    reset_in(delay.as_deref().or_else(in_words)?, SystemTime::UNIX_EPOCH)
}

fn detail(details: Option<&RawValue>, text: &str) -> bool {
    details.is_some_and(|raw| raw.get().contains(text))
}

fn error_code(details: Option<&RawValue>) -> Option<String> {
    let named: Named<'_> = serde_json::from_str(details?.get()).ok()?;
    named.error_code.map(Cow::into_owned)
}

/// The content of a JSON string; any other value as it is written.
fn text_of(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

fn text_or_number(raw: Option<&RawValue>) -> String {
    raw.map_or_else(String::new, |raw| raw.get().trim_matches('"').to_owned())
}
