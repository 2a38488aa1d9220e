//! Codes, types and words by which errors are known, and what they mean.
//!
//! One table for all providers: an error that says `Arrearage` means the same whoever sends it. Its lines are tried
//! from the first to the last.

use super::accounts::{KEYS, MODELS, MONEY, PLACES};
use super::fields::ErrorFields;
use super::mark::Mark::{self, Begins, Code, Says};
use super::requests::{CONTENT, FAULTS, FEATURES, LENGTH, LOAD, PACE};
use crate::config::Meaning;
use crate::config::Meaning::{
    ContentRefused, ModelUnavailable, Overloaded, QuotaExhausted, RateLimited, ServerError,
    TooLong, Unauthorized, Unsupported,
};

/// What the marks of one line mean.
pub(super) struct Line {
    meaning: Meaning,
    /// The statuses with which they mean that.
    statuses: Statuses,
    marks: &'static [Mark],
}

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
    let line = LINES.iter().find(|line| line.holds_for(status, error))?;
    Some(line.meaning)
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
    let mut marks = LINES
        .iter()
        .flat_map(|line| line.marks.iter().map(|mark| (line.meaning, mark)));
    let (meaning, _) = marks.find(|(_, mark)| error.shows(**mark))?;
    Some(meaning)
}

/// Whether it says that the request is longer than the model can take.
pub(super) fn says_too_long(error: &ErrorFields) -> bool {
    let mut lines = LINES.iter().filter(|line| line.meaning == TooLong);
    lines.any(|line| line.marks.iter().any(|mark| error.shows(*mark)))
}

impl Line {
    fn holds_for(&self, status: u16, error: &ErrorFields) -> bool {
        let may_hold = |mark: &Mark| match self.statuses {
            Statuses::OneOf(statuses) => statuses.contains(&status),
            Statuses::Refusal => status < 500,
            Statuses::Any => status < 500 || matches!(mark, Code(_)),
        };
        let mut marks = self.marks.iter().filter(|mark| may_hold(mark));
        marks.any(|mark| error.shows(*mark))
    }
}

const LINES: &[Line] = &[
    // Qianfan says with 401, and a code that it also has for a missing name, that the account may not use the model.
    Line {
        meaning: ModelUnavailable,
        statuses: Statuses::OneOf(&[401]),
        marks: &[Code("invalid_model")],
    },
    // OpenAI says so with codes of fields and values, too.
    Line {
        meaning: ModelUnavailable,
        statuses: Statuses::Refusal,
        marks: &[Says("your organization must be verified")],
    },
    // DashScope says so with the code `insufficient_quota`.
    Line {
        meaning: RateLimited,
        statuses: Statuses::Refusal,
        marks: &[Begins("allocated quota exceeded")],
    },
    Line {
        meaning: ContentRefused,
        statuses: Statuses::OneOf(&[400, 403, 422, 451]),
        marks: CONTENT,
    },
    Line {
        meaning: TooLong,
        statuses: Statuses::OneOf(&[400, 403, 413, 422, 429]),
        marks: LENGTH,
    },
    // More tokens than the account may send in a minute: waiting never helps, another account may.
    Line {
        meaning: Unsupported,
        statuses: Statuses::OneOf(&[413, 429]),
        marks: &[Begins("request too large for")],
    },
    Line {
        meaning: Unsupported,
        statuses: Statuses::OneOf(&[400, 404, 422]),
        marks: FEATURES,
    },
    Line {
        meaning: QuotaExhausted,
        statuses: Statuses::Any,
        marks: MONEY,
    },
    Line {
        meaning: Unauthorized,
        statuses: Statuses::Any,
        marks: KEYS,
    },
    Line {
        meaning: Unauthorized,
        statuses: Statuses::Refusal,
        marks: PLACES,
    },
    Line {
        meaning: ModelUnavailable,
        statuses: Statuses::Refusal,
        marks: MODELS,
    },
    Line {
        meaning: Overloaded,
        statuses: Statuses::Refusal,
        marks: LOAD,
    },
    Line {
        meaning: RateLimited,
        statuses: Statuses::Refusal,
        marks: PACE,
    },
    Line {
        meaning: ServerError,
        statuses: Statuses::OneOf(&[400]),
        marks: FAULTS,
    },
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
