//! What an error reply means.
//!
//! Only an error in an API's own shape is believed: it states a fact about a key, an account or a model. A page of an
//! ingress, a firewall or a proxy in between is a failure of one request, whatever its status.
//!
//! What the configuration says about an upstream's errors comes first, then one table of codes and words, then the
//! status. Words are read only where a provider gives nothing else, because providers echo prompts in them.

mod accounts;
mod fields;
mod history;
mod known;
mod mark;
mod reply;
mod requests;
mod shape;
#[cfg(test)]
mod tests;
mod unwanted;
mod wait;
mod words;

use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;

pub use reply::ErrorReply;
pub use shape::{error_of_event, shaped};

use self::fields::ErrorFields;
use crate::catalogue::Unwanted;
use crate::config::Meaning;
use crate::outcome::{Defect, Outcome};

/// The longest wait that is believed of a failure whose status says nothing of load. One request of thousands may have it
/// (Cloudflare's 522 asks for two minutes each time), and all others are answered meanwhile.
const LONGEST_WITH_FAILURE: Duration = Duration::from_secs(5);

/// The outcome for an error reply.
pub fn classify(reply: &ErrorReply<'_>) -> Outcome {
    classified(reply, |_| None)
}

/// The optional fields that an error refuses by their names.
pub fn unwanted(body: &[u8]) -> Unwanted {
    unwanted::unwanted(&ErrorFields::read(body))
}

/// The outcome that the configuration gives an error, else the one that it has at some endpoints, else the usual one.
fn classified(
    reply: &ErrorReply<'_>,
    there: impl FnOnce(&ErrorFields) -> Option<Outcome>,
) -> Outcome {
    let error = ErrorFields::read(reply.body);
    let known = reply.by_rules(&error).or_else(|| there(&error));
    known.unwrap_or_else(|| outcome(reply, &error))
}

/// The outcome for a status alone, where the body is not read.
pub fn classify_status(status: u16, retry_after: Option<Duration>) -> Outcome {
    by_status(status, retry_after, &ErrorFields::default())
}

/// The outcome for any answer but 101 to a WebSocket handshake. An upstream without WebSockets has not failed, and
/// its model may serve other requests.
pub fn classify_handshake(reply: &ErrorReply<'_>) -> Outcome {
    let status = reply.status;
    classified(reply, |error| match status {
        ..400 | 405 | 426 | 501 => Some(Outcome::UpgradeRefused { status }),
        404 | 410 if !error.is("model_not_found") => Some(Outcome::UpgradeRefused { status }),
        _ => None,
    })
}

/// The outcome for an error reply of `/responses`. A missing path, or reasoning of another provider that it cannot
/// read, says nothing about the model.
pub fn classify_response(reply: &ErrorReply<'_>) -> Outcome {
    let status = reply.status;
    classified(reply, |error| match status {
        400 | 404 if error.is_about_provider_bound_items() => {
            Some(Outcome::ProviderBoundItems { status })
        }
        404 | 405 | 501 if error.names_no_model() => Some(Outcome::EndpointMissing { status }),
        _ => None,
    })
}

/// What an error object says: of a provider behind `OpenRouter`, what that one says.
pub(in crate::dialect) fn message_of(error: &Value) -> String {
    ErrorFields::read(error.to_string().as_bytes()).message
}

/// Whether an error object says that the request is longer than the model can take.
pub(in crate::dialect) fn says_too_long(error: &Value) -> bool {
    known::says_too_long(&ErrorFields::read(error.to_string().as_bytes()))
}

/// The outcome for an error inside a success reply: by its code, else by its type; if both are unknown, it is the
/// upstream's fault.
pub(in crate::dialect) fn classify_inner(
    error: &RawValue,
    retry_after: Option<Duration>,
) -> Outcome {
    let body = error.get().as_bytes();
    let error = ErrorFields::read(body);
    let reply = ErrorReply {
        asked: retry_after,
        ..ErrorReply::new(known::status_of(&error), body)
    };
    by_words(&reply, &error)
}

/// The outcome for a failure inside a success reply; without an error object, it is the upstream's fault.
pub(in crate::dialect) fn failure(
    error: Option<&RawValue>,
    retry_after: Option<Duration>,
) -> Outcome {
    match error {
        Some(error) => classify_inner(error, retry_after),
        None => Outcome::ServerError { status: 500 },
    }
}

/// The outcome for an error, unless it is none of the API's.
fn outcome(reply: &ErrorReply<'_>, error: &ErrorFields) -> Outcome {
    let outcome = by_words(reply, error);
    let is_fact = match outcome {
        // The header of a 429 speaks for itself, and its pause is short.
        Outcome::RateLimited { .. } => false,
        _ => !outcome.hurts_health(),
    };
    match reply.status {
        status if is_fact && !error.is_of_api() => Outcome::ForeignError { status },
        _ => outcome,
    }
}

fn by_words(reply: &ErrorReply<'_>, error: &ErrorFields) -> Outcome {
    let status = reply.status;
    if matches!(status, 400 | 422) && history::points_into_history(error) {
        return Outcome::ProviderBoundItems { status };
    }
    let meaning = match known::meaning(status, error) {
        None if error.is_flagged && status < 500 => Some(Meaning::ContentRefused),
        None if reply.lacks_model(error) => Some(Meaning::ModelUnavailable),
        known => known,
    };
    match meaning {
        Some(meaning) => reply.meant(meaning, error),
        None if status == 400 && requests::SLIPS.iter().any(|mark| error.shows(*mark)) => {
            Outcome::InvalidReply(Defect::FailedGeneration)
        }
        None if status == 429 => reply.meant(Meaning::RateLimited, error),
        None => by_status(status, reply.asked(error), error),
    }
}

fn by_status(status: u16, retry_after: Option<Duration>, error: &ErrorFields) -> Outcome {
    let briefly = retry_after.min(Some(LONGEST_WITH_FAILURE));
    match status {
        // 451: the law forbids it there.
        401 | 403 | 451 => Outcome::Unauthorized { status },
        // OpenRouter, while requests in flight use up the budget.
        402 if retry_after.is_some() => Outcome::RateLimited {
            status,
            retry_after,
            is_daily: false,
        },
        402 => Outcome::QuotaExhausted { status },
        404 | 409 | 410 if error.is_about_reference() => Outcome::RejectedRequest { status },
        404 if error.is_path_missing() => Outcome::EndpointMissing { status },
        404 | 410 => Outcome::ModelUnavailable { status },
        405 => Outcome::EndpointMissing { status },
        429 => Outcome::RateLimited {
            status,
            retry_after,
            is_daily: false,
        },
        // What APIs use for the client's faults.
        400 | 406 | 413..=416 | 422 | 428 | 431 => Outcome::RejectedRequest { status },
        // 498: Groq's flex tier is full.
        498 | 503 | 529 => Outcome::Overloaded {
            status,
            retry_after,
        },
        // Another request is in the way.
        409 => Outcome::Overloaded {
            status,
            retry_after: briefly,
        },
        // Whoever asks for a wait means to be well afterwards, whatever the status: a 502 in front of a server that restarts.
        _ if retry_after.is_some() => Outcome::Overloaded {
            status,
            retry_after: briefly,
        },
        // Everything else is somebody else's failure: 407 and 421 of a proxy in between, 408, 423, 424 (a tool's server,
        // the model behind Bedrock), 425, 444, 460 and 499 of a load balancer that gave up, and whatever nobody uses.
        _ => Outcome::ServerError { status },
    }
}
