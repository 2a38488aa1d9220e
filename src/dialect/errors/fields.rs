//! The fields of an error body, in all the shapes that are seen.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::mark::Mark;
use super::requests::DAILY;
use super::wait::wait_in_words;
use super::words::{MODEL_IS_GONE, WORDS_OF_GATEWAYS};
use crate::wire::waits::wait_until;

/// The fields of an error that decide its outcome.
#[derive(Debug, Default)]
pub(super) struct ErrorFields {
    pub(super) code: String,
    pub(super) kind: String,
    /// Gemini's `status`, if its `code` is a number; Anthropic's `error_code`, which is more specific than its
    /// `type`.
    name: String,
    /// Google's reasons, in its details.
    reasons: Vec<String>,
    param: String,
    /// Gemini says that a daily quota is used up.
    pub(super) is_daily: bool,
    /// `OpenRouter` says with 403, and without a code, that moderation has flagged the content.
    pub(super) is_flagged: bool,
    pub(super) message: String,
    /// The message in small letters.
    words: String,
    /// What a provider behind `OpenRouter` says: about the request, as accounts and limits there are not ours.
    pub(super) behind: Option<Box<Self>>,
    /// Whether it is JSON in a shape in which APIs report errors.
    is_shaped: bool,
    /// How long it asks us to wait, if no header does.
    pub(super) wait: Option<Duration>,
}

/// Whose error is read: nobody is looked for behind a provider behind `OpenRouter`, as deep as a body may nest them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Here,
    Behind,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Envelope<'a> {
    error: Option<&'a RawValue>,
    /// Cloudflare's list of them.
    errors: Option<&'a RawValue>,
    /// A text beside fields at the top level, at xAI.
    code: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct RawFields<'a> {
    /// A text, or a number at vLLM, `OpenRouter` and Gemini.
    code: Option<&'a RawValue>,
    /// Baidu's older API
    error_code: Option<&'a RawValue>,
    /// Azure's gateway
    #[serde(rename = "statusCode")]
    status_code: Option<&'a RawValue>,
    #[serde(rename = "type")]
    kind: Option<Cow<'a, str>>,
    status: Option<&'a RawValue>,
    param: Option<&'a RawValue>,
    /// A text, or Mistral's list of problems.
    message: Option<&'a RawValue>,
    /// Baidu's older API
    error_msg: Option<&'a RawValue>,
    /// AWS
    #[serde(rename = "Message")]
    aws_message: Option<&'a RawValue>,
    /// `FastAPI`: a text, or a list of problems.
    detail: Option<&'a RawValue>,
    details: Option<&'a RawValue>,
    metadata: Option<Metadata<'a>>,
}

/// `OpenRouter`'s `metadata`: of a request that moderation or somebody behind it has rejected, or of a limit of its own.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Metadata<'a> {
    flagged_input: Option<&'a RawValue>,
    headers: Option<&'a RawValue>,
    /// What the provider behind it has sent: a text, often JSON.
    raw: Option<&'a RawValue>,
}

/// What Bedrock puts before the words of a model's provider.
const OF_BEDROCK: &str = "the model returned the following errors: ";

/// What `OpenRouter` says in place of the words of a provider behind it, with which it knows them.
const SAID_BEHIND: &str = "Provider returned error";

/// The headers that `OpenRouter` sets for a limit of its own, as it repeats them in the body.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct LimitHeaders<'a> {
    /// An epoch in milliseconds.
    #[serde(rename = "X-RateLimit-Reset")]
    reset: Option<&'a RawValue>,
}

/// Anthropic's `details`: `{"error_code": "..."}`.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Named<'a> {
    error_code: Option<Cow<'a, str>>,
}

/// One of Google's `details`: `{"@type": "...RetryInfo", "retryDelay": "37s"}`, `{"@type": "...ErrorInfo", "reason":
/// "API_KEY_INVALID"}`.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Detail<'a> {
    #[serde(rename = "retryDelay")]
    retry_delay: Option<Cow<'a, str>>,
    reason: Option<Cow<'a, str>>,
}

impl ErrorFields {
    /// Reads `{"error": {..}}`, the same inside an array (Gemini), `{"error": "text"}` (Ollama; xAI with a `code`
    /// beside it), the first of `{"errors": [{..}]}` (Cloudflare), or the fields at the top level (older vLLM, Mistral,
    /// `DashScope`, `FastAPI`). What cannot be read stays empty.
    pub(super) fn read(body: &[u8]) -> Self {
        Self::read_at(body, Place::Here)
    }

    fn read_at(body: &[u8], place: Place) -> Self {
        let text = std::str::from_utf8(body).unwrap_or_default().trim();
        let text = text
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
            .unwrap_or(text);
        let envelope: Option<Envelope<'_>> = serde_json::from_str(text).ok();
        let code_beside = envelope.as_ref().and_then(|envelope| envelope.code);
        let fields = envelope
            .and_then(|envelope| envelope.error.or_else(|| first(envelope.errors?)))
            .map_or(text, RawValue::get);
        if let Ok(raw) = serde_json::from_str::<RawFields<'_>>(fields) {
            return Self::of(raw, place);
        }
        let message: Option<String> = serde_json::from_str(fields).ok();
        Self {
            is_shaped: message.is_some(),
            code: text_or_number(code_beside),
            ..Self::default()
        }
        .saying(message.unwrap_or_default())
    }

    fn of(raw: RawFields<'_>, place: Place) -> Self {
        let details = raw.details.map_or("[]", RawValue::get);
        let details: Vec<Detail<'_>> = serde_json::from_str(details).unwrap_or_default();
        let reasons = details.iter().filter_map(|detail| detail.reason.as_deref());
        let delay = details
            .iter()
            .find_map(|detail| detail.retry_delay.as_deref());
        let code = raw.code.or(raw.error_code).or(raw.status_code);
        let said = [raw.message, raw.error_msg, raw.aws_message, raw.detail];
        let message = said.into_iter().flatten().next();
        let is_shaped = message.is_some() || code.is_some() || raw.kind.is_some();
        let message = message.map(text_of).unwrap_or_default();
        let metadata = raw.metadata.as_ref();
        let reset = metadata.and_then(|metadata| reset(metadata.headers?));
        let behind = metadata.filter(|_| place == Place::Here && message == SAID_BEHIND);
        let behind = behind.and_then(|behind| said_in(behind.raw?));
        Self {
            wait: delay
                .and_then(|delay| wait_until(delay, SystemTime::UNIX_EPOCH))
                .or(reset),
            is_shaped,
            code: text_or_number(code),
            kind: raw.kind.unwrap_or_default().into_owned(),
            name: error_code(raw.details).unwrap_or_else(|| text_or_number(raw.status)),
            reasons: reasons.map(str::to_owned).collect(),
            param: text_or_number(raw.param),
            is_daily: raw.details.is_some_and(|raw| raw.get().contains("PerDay")),
            is_flagged: metadata.is_some_and(|metadata| metadata.flagged_input.is_some()),
            ..Self::default()
        }
        .saying(message)
        .told_behind(behind)
    }

    /// `behind`: the error of a provider behind this one, whose message says more.
    fn told_behind(self, behind: Option<Self>) -> Self {
        let said = behind.as_ref().map(|behind| behind.message.clone());
        Self {
            message: said.unwrap_or(self.message),
            behind: behind.map(Box::new),
            ..self
        }
    }

    fn saying(self, message: String) -> Self {
        let words = message.to_ascii_lowercase();
        let words = words.strip_prefix(OF_BEDROCK).unwrap_or(&words).to_owned();
        Self {
            wait: self.wait.or_else(|| wait_in_words(&words)),
            words,
            message,
            ..self
        }
    }

    /// Whether the API itself says this, and not a gateway, a firewall or a proxy in front of it.
    pub(super) fn is_of_api(&self) -> bool {
        let has_code = |field: &String| !field.bytes().all(|byte| byte.is_ascii_digit());
        let is_known = [&self.code, &self.kind, &self.name]
            .into_iter()
            .any(has_code);
        self.is_shaped && (is_known || !self.is_mere_status())
    }

    /// Whether its message says no more than a status does.
    fn is_mere_status(&self) -> bool {
        let words = self.words.trim_end_matches(['.', '!']);
        WORDS_OF_GATEWAYS.contains(&words)
    }

    /// Whether it has a mark.
    pub(super) fn shows(&self, mark: Mark) -> bool {
        let punctuation = ['.', '\'', '"', ')', ']'];
        match mark {
            Mark::Code(name) => self.is(name),
            Mark::CodeBegins(begin) => self.code.starts_with(begin),
            Mark::CodeEnds(end) => self.code.ends_with(end),
            Mark::Begins(begin) => self.words.starts_with(begin),
            Mark::Ends(end) => self.words.trim_end_matches(punctuation).ends_with(end),
            Mark::Says(words) => self.words.contains(words),
        }
    }

    /// Whether it is about the limit of a day, which ends by itself.
    pub(super) fn is_limit_of_day(&self) -> bool {
        DAILY.iter().any(|mark| self.shows(*mark))
    }

    /// Whether its message has these words, in small or capital letters.
    pub(super) fn says(&self, words: &str) -> bool {
        self.words.contains(&words.to_ascii_lowercase())
    }

    /// Whether it says that a model of this name is not there.
    pub(super) fn is_about_missing_model(&self, model: &str) -> bool {
        let is_named = !model.is_empty() && self.says(model);
        self.param == "model"
            || is_named && MODEL_IS_GONE.iter().any(|words| self.words.contains(words))
    }

    /// Whether it is about items that another organisation has encrypted or stored.
    pub(super) fn is_about_provider_bound_items(&self) -> bool {
        self.is("invalid_encrypted_content") || self.message.starts_with("Item with id")
    }

    /// Its message in small letters.
    pub(super) fn words(&self) -> &str {
        &self.words
    }

    /// The field that it is about: `input[3].id`.
    pub(super) fn param(&self) -> &str {
        &self.param
    }

    /// Whether it is about the field itself.
    pub(super) fn is_about_param(&self) -> bool {
        const CODES: [&str; 3] = [
            "unknown_parameter",
            "unsupported_parameter",
            "unsupported_value",
        ];
        CODES.iter().any(|code| self.is(code))
    }

    /// Whether a 404 of `/responses` may be about the path, whatever its words are: it names that path, or neither a model
    /// nor something else that the request refers to.
    pub(super) fn names_no_model(&self) -> bool {
        let is_about_model = self.param == "model" || self.words.contains("model");
        !self.is("model_not_found")
            && !self.words.starts_with("this model is only supported in")
            && !self.is_about_reference()
            && (!is_about_model || self.words.contains("/responses"))
    }

    /// Whether a 404 says no more than that there is nothing at this path.
    pub(super) fn is_path_missing(&self) -> bool {
        !self.words.is_empty() && self.is_mere_status()
    }

    /// Whether a 404 or 409 is about something that the request refers to, rather than about the model: `Conversation with id
    /// 'conv_1' not found.`, `No such File object: file-1`, Anthropic's `thread_not_found`.
    pub(super) fn is_about_reference(&self) -> bool {
        self.message.contains(" with id ")
            || self.message.starts_with("No such ") && !self.words.starts_with("no such model")
            || self.name.starts_with("thread_")
    }

    pub(super) fn is(&self, name: &str) -> bool {
        [&self.code, &self.kind, &self.name]
            .into_iter()
            .chain(&self.reasons)
            .any(|field| field == name)
    }
}

fn first(list: &RawValue) -> Option<&RawValue> {
    let list: Vec<&RawValue> = serde_json::from_str(list.get()).ok()?;
    list.into_iter().next()
}

/// How long it is until a limit is over, by the headers that a body repeats.
fn reset(headers: &RawValue) -> Option<Duration> {
    let headers: LimitHeaders<'_> = serde_json::from_str(headers.get()).ok()?;
    wait_until(&text_or_number(headers.reset), SystemTime::now())
}

/// An error in a text, or with the text itself as its message; `None`: there is none.
fn said_in(raw: &RawValue) -> Option<ErrorFields> {
    let text = text_of(raw);
    let read = ErrorFields::read_at(text.as_bytes(), Place::Behind);
    let said = match read.message.is_empty() {
        true => read.saying(text),
        false => read,
    };
    Some(said).filter(|said| !said.message.trim().is_empty())
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
    match raw.map(RawValue::get) {
        None | Some("null") => String::new(),
        Some(text) => text.trim_matches('"').to_owned(),
    }
}
