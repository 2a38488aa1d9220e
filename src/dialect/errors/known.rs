//! Codes, types and words by which errors are known, and what they mean.
//!
//! One table for all providers: an error that says `Arrearage` means the same whoever sends it. Its lines are tried
//! from the first to the last.

use self::Statuses::{Any, OneOf, Refusal};
use super::accounts::{KEYS, MODELS, MONEY, PLACES};
use super::fields::ErrorFields;
use super::mark::Mark::{self, Begins, Code, Says};
use super::requests::{CONTENT, FAULTS, FEATURES, LENGTH, LOAD, PACE, STREAMS};
use crate::config::Meaning;
use crate::config::Meaning::{
    ContentRefused, ModelUnavailable, Overloaded, QuotaExhausted, RateLimited, ServerError,
    TooLong, Unauthorized, Unsupported,
};

/// What some marks mean, and the statuses with which they mean it.
type Line = (Meaning, Statuses, &'static [Mark]);

/// With which statuses a line holds.
#[derive(Clone, Copy, Debug)]
enum Statuses {
    /// One of these.
    OneOf(&'static [u16]),
    /// Any status of a refusal, 400 to 499.
    Refusal,
    /// Those, and by its code also any status of a failure.
    Any,
}

/// What an error with this status means; `None`: its status alone says it.
pub(super) fn meaning(status: u16, error: &ErrorFields) -> Option<Meaning> {
    let of = |error: &ErrorFields| {
        let line = LINES.iter().find(|line| holds(line, status, error))?;
        Some(line.0)
    };
    let of_request = |meaning: &Meaning| matches!(meaning, ContentRefused | TooLong | Unsupported);
    of(error).or_else(|| of(error.behind.as_deref()?).filter(of_request))
}

/// The HTTP status that fits an error inside a 200.
pub(super) fn status_of(error: &ErrorFields) -> u16 {
    match error.code.parse() {
        Ok(status @ 400..=599) => return status,
        // `invalid_image_format`, `failed_to_download_image` and others, of Responses.
        _ if error.code.contains("_image") || error.code.starts_with("image_") => return 400,
        _ => {}
    }
    let by_name = STATUS_OF.iter().find(|(name, _)| error.is(name));
    match meaning_of_words(error) {
        _ if error.is_flagged => 400,
        Some(RateLimited | QuotaExhausted) => 429,
        Some(Unauthorized) => 401,
        Some(ModelUnavailable) => 404,
        Some(Meaning::Rejected | ContentRefused | TooLong | Unsupported) => 400,
        Some(Overloaded) => by_name.map_or(503, |(_, status)| *status),
        Some(ServerError) => 500,
        None => by_name.map_or(500, |(_, status)| *status),
    }
}

/// What an error means whatever its status.
fn meaning_of_words(error: &ErrorFields) -> Option<Meaning> {
    let shows = |(_, _, marks): &&Line| marks.iter().any(|mark| error.shows(*mark));
    Some(LINES.iter().find(shows)?.0)
}

/// `OpenAI`'s code of what is longer than the model can take: agents compact the conversation upon it.
pub(super) const TOO_LONG: &str = "context_length_exceeded";

/// Whether it says that the request is longer than the model can take.
pub(super) fn says_too_long(error: &ErrorFields) -> bool {
    let says = |error: &ErrorFields| LENGTH.iter().any(|mark| error.shows(*mark));
    says(error) || error.behind.as_deref().is_some_and(says)
}

fn holds(&(_, statuses, marks): &Line, status: u16, error: &ErrorFields) -> bool {
    let may_hold = |mark: &Mark| match statuses {
        OneOf(statuses) => statuses.contains(&status),
        Refusal => status < 500,
        Any => status < 500 || matches!(mark, Code(_)),
    };
    let mut marks = marks.iter().filter(|mark| may_hold(mark));
    marks.any(|mark| error.shows(*mark))
}

const LINES: &[Line] = &[
    // Qianfan says with 401, and a code that it also has for a missing name, that the account may not use the model.
    (ModelUnavailable, OneOf(&[401]), &[Code("invalid_model")]),
    // Before the next one: who may not stream a model may use it.
    (Unsupported, OneOf(&[400, 403, 404, 405, 422, 501]), STREAMS),
    // OpenAI says so with codes of fields and values, too.
    (
        ModelUnavailable,
        Refusal,
        &[Says("your organization must be verified")],
    ),
    // DashScope says so with the code `insufficient_quota`.
    (RateLimited, Refusal, &[Begins("allocated quota exceeded")]),
    (ContentRefused, OneOf(&[400, 403, 422, 451]), CONTENT),
    (TooLong, OneOf(&[400, 403, 413, 422, 429]), LENGTH),
    // More tokens than the account may send in a minute, or more bytes than the provider takes: waiting never helps, another
    // one may.
    (
        Unsupported,
        OneOf(&[413, 429]),
        &[Begins("request too large for"), Code("request_too_large")],
    ),
    (Unsupported, OneOf(&[400, 404, 422]), FEATURES),
    (QuotaExhausted, Any, MONEY),
    // MiniMax, in Anthropic's API.
    (
        QuotaExhausted,
        OneOf(&[500]),
        &[Begins("insufficient balance (1008)")],
    ),
    (Unauthorized, Any, KEYS),
    (Unauthorized, Refusal, PLACES),
    (ModelUnavailable, Refusal, MODELS),
    (Overloaded, Refusal, LOAD),
    (RateLimited, Refusal, PACE),
    (ServerError, OneOf(&[400]), FAULTS),
];

/// What codes and types of an error inside a 200 mean as a status. Unknown ones are the upstream's fault.
const STATUS_OF: [(&str, u16); 14] = [
    ("tool_use_failed", 400),
    ("json_validate_failed", 400),
    ("invalid_request_error", 400),
    ("BadRequestError", 400),
    ("permission_error", 403),
    ("not_found_error", 404),
    ("request_too_large", 413),
    ("requests", 429),
    ("tokens", 429),
    ("RESOURCE_EXHAUSTED", 429),
    ("overloaded_error", 529),
    ("server_is_overloaded", 503),
    ("slow_down", 503),
    ("UNAUTHENTICATED", 401),
];
