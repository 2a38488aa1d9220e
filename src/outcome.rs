//! How one attempt at one upstream ended, and what follows from it.
//!
//! This is the only place that answers these questions about a failure: whose fault is it, does another attempt make
//! sense, and where, does it count against the upstream's health, and has somebody to act. Each outcome has one row in
//! one table.

mod consequences;
mod kinds;

use std::fmt;
use std::time::Duration;

use consequences::Consequences;
pub use consequences::{Attention, Blame, Retry};
pub use kinds::{Defect, Stage, Unreachable};

/// How an attempt ended. It is determined where the failure is seen; all other code only reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream gave a complete answer.
    Success,
    /// The upstream says that the request itself is wrong (400, 413, 422 and others).
    RejectedRequest {
        /// The upstream's status.
        status: u16,
    },
    /// The upstream refuses the content: a content filter, a policy, the model's own refusal.
    ContentRefused {
        /// The upstream's status.
        status: u16,
    },
    /// No connection could be made, so nothing was sent.
    Unreachable(Unreachable),
    /// We had no file descriptor, port or memory left to make a connection with, so nothing was sent.
    NoResources,
    /// The connection was reset or closed before the reply was whole.
    ConnectionLost,
    /// The upstream stayed silent for too long.
    TimedOut(Stage),
    /// The upstream failed: 5xx, 408, a 4xx that is not the client's fault (421, 424, 499), or an error that says so
    /// inside a 200.
    ServerError {
        /// The status sent, or the status that corresponds to the error inside a 200.
        status: u16,
    },
    /// The upstream says it has too much to do (503, 529, 498, 409), or asks for a wait with another failure.
    Overloaded {
        /// The upstream's status.
        status: u16,
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// For sending too fast, or too much in a day (429; from some 402 or 403).
    RateLimited {
        /// The upstream's status.
        status: u16,
        /// How long it asks us to wait, or how long it is until the next day begins.
        retry_after: Option<Duration>,
        /// Whether it is the limit of a day: then a long wait is meant.
        is_daily: bool,
    },
    /// The account has no money or allowance left (402, or 429 and 400 with a billing code).
    QuotaExhausted {
        /// The upstream's status.
        status: u16,
    },
    /// The credential is refused: for everything (401), or for this model (403).
    Unauthorized {
        /// The upstream's status.
        status: u16,
    },
    /// The upstream does not have the model, or not this endpoint (404).
    ModelUnavailable {
        /// The upstream's status.
        status: u16,
    },
    /// The upstream answers, but speaks no WebSocket at this path (2xx, 3xx, 404, 405, 426 or 501 to a handshake).
    UpgradeRefused {
        /// The upstream's status.
        status: u16,
    },
    /// The request is longer than the model can take; another model may have a larger context window.
    TooLong {
        /// The upstream's status.
        status: u16,
    },
    /// The upstream does not accept some field or value of the request; another one may.
    Unsupported {
        /// The upstream's status.
        status: u16,
    },
    /// The request has items that only another upstream can read, or that are stored there.
    ProviderBoundItems {
        /// The upstream's status.
        status: u16,
    },
    /// The upstream has no such path. Whether it has the model is not known.
    EndpointMissing {
        /// The upstream's status.
        status: u16,
    },
    /// An error that the API has not sent: the page of an ingress, a firewall or a proxy in between. It is no fact about
    /// a key, a model or the request.
    ForeignError {
        /// Its status.
        status: u16,
    },
    /// The reply is not what was asked for.
    InvalidReply(Defect),
    /// A stream ended without its terminal event after the client had received part of it.
    StreamBroken,
    /// The client went away first.
    ClientGone,
    /// Another attempt of the same request answered first.
    Superseded,
    /// We had no memory left for the request in the upstream's words, or for its answer.
    NoMemory,
    /// The upstream serves as many requests as it may (`concurrency`); nothing was sent.
    Full {
        /// Whether it was waited for, as long as its queue allows.
        has_waited: bool,
    },
    /// We were stopped first.
    Stopped,
}

impl Outcome {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        self.consequences().blame
    }

    /// Whether another attempt makes sense, and where. A content refusal is final, unless the route says otherwise.
    pub fn retry(&self) -> Retry {
        self.consequences().retry
    }

    /// Whether the same upstream may well answer the same request a moment later.
    pub fn may_pass(&self) -> bool {
        self.consequences().may_pass
    }

    /// Whether the upstream did not even look at the request, so that the request cannot be the reason.
    pub fn is_unread(&self) -> bool {
        self.consequences().is_unread
    }

    /// Whether it counts as a failure against the upstream's health.
    ///
    /// Rate limits, refused keys, exhausted quotas and missing models do not: they are facts about a key or a model,
    /// and no evidence about health. Nor does our own deadline, which earlier attempts may have used up, nor a model
    /// that did not continue where another one had stopped.
    pub fn hurts_health(&self) -> bool {
        self.consequences().hurts_health
    }

    /// What somebody has to see to, if no retry can mend it.
    pub fn attention(&self) -> Option<Attention> {
        self.consequences().attention
    }

    /// All that follows from it.
    fn consequences(&self) -> Consequences {
        const OURS: Consequences = Consequences::OURS;
        const CLIENTS: Consequences = Consequences::CLIENTS;
        const FACT: Consequences = Consequences::FACT;
        const FAILURE: Consequences = Consequences::FAILURE;
        match self {
            Self::Success | Self::Superseded | Self::Stopped => OURS,
            // Another one may take the request as it is, or answer more shortly.
            Self::NoMemory => OURS.then(Retry::Elsewhere),
            Self::Full { has_waited: true } => OURS.then(Retry::Elsewhere),
            Self::NoResources | Self::Full { has_waited: false } => {
                OURS.then(Retry::Elsewhere).unread()
            }
            Self::RejectedRequest { .. } | Self::ContentRefused { .. } | Self::ClientGone => {
                CLIENTS
            }
            Self::TooLong { .. } | Self::Unsupported { .. } | Self::ProviderBoundItems { .. } => {
                CLIENTS.then(Retry::Elsewhere)
            }
            Self::Unreachable(_) | Self::Overloaded { .. } => FAILURE.unread(),
            Self::ConnectionLost
            | Self::TimedOut(
                Stage::Headers | Stage::FirstToken | Stage::Idle | Stage::Content | Stage::Rate,
            )
            | Self::ServerError { .. }
            | Self::ForeignError { .. }
            | Self::InvalidReply(
                Defect::ContentType | Defect::Empty | Defect::Unparsable | Defect::CutShort,
            ) => FAILURE.passing(),
            // A complete answer that is of no use has been billed, and the next one is likely to be the same.
            Self::InvalidReply(
                Defect::NoAnswer
                | Defect::Unstreamed
                | Defect::Silent
                | Defect::Redirect
                | Defect::Compressed
                | Defect::TooLarge
                | Defect::Protocol,
            ) => FAILURE,
            Self::StreamBroken => FAILURE.then(Retry::Never),
            Self::TimedOut(Stage::Total) => FACT.then(Retry::Never),
            Self::UpgradeRefused { .. }
            | Self::EndpointMissing { .. }
            | Self::InvalidReply(Defect::NoSeam) => FACT,
            // A model's slip: the next answer may well be right.
            Self::InvalidReply(Defect::BadCall | Defect::FailedGeneration) => FACT.passing(),
            Self::RateLimited { .. } => FACT.then(Retry::OtherKey).unread(),
            Self::Unauthorized { .. } => FACT.then(Retry::OtherKey).calling_for(Attention::Key),
            Self::QuotaExhausted { .. } => FACT.then(Retry::OtherKey).calling_for(Attention::Quota),
            Self::ModelUnavailable { .. } => FACT.calling_for(Attention::Model),
        }
    }

    /// A short constant name: the value of the `outcome` and `reason` labels, of log fields and of
    /// `x-backstop-attempts`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Success => "ok",
            Self::RejectedRequest { .. } => "rejected",
            Self::ContentRefused { .. } => "content_refused",
            Self::Unreachable(Unreachable::Refused) => "connect_refused",
            Self::Unreachable(Unreachable::Dns) => "dns_failed",
            Self::Unreachable(Unreachable::Tls) => "tls_failed",
            Self::Unreachable(Unreachable::TimedOut) => "connect_timeout",
            Self::Unreachable(Unreachable::Proxy) => "proxy_failed",
            Self::Unreachable(Unreachable::Other) => "connect_failed",
            Self::NoResources => "no_resources",
            Self::ConnectionLost => "connection_lost",
            Self::TimedOut(Stage::Headers) => "headers_timeout",
            Self::TimedOut(Stage::FirstToken) => "first_token_timeout",
            Self::TimedOut(Stage::Idle) => "idle_timeout",
            Self::TimedOut(Stage::Content) => "content_timeout",
            Self::TimedOut(Stage::Rate) => "too_slow",
            Self::TimedOut(Stage::Total) => "deadline",
            Self::ServerError { .. } => "server_error",
            Self::Overloaded { .. } => "overloaded",
            Self::RateLimited { .. } => "rate_limited",
            Self::QuotaExhausted { .. } => "quota_exhausted",
            Self::Unauthorized { .. } => "unauthorized",
            Self::ModelUnavailable { .. } => "model_unavailable",
            Self::TooLong { .. } => "too_long",
            Self::Unsupported { .. } => "unsupported",
            Self::ProviderBoundItems { .. } => "provider_bound_items",
            Self::EndpointMissing { .. } => "endpoint_missing",
            Self::ForeignError { .. } => "foreign_error",
            Self::UpgradeRefused { .. } => "upgrade_refused",
            Self::InvalidReply(Defect::Redirect) => "redirect",
            Self::InvalidReply(Defect::ContentType | Defect::Unstreamed) => "wrong_content_type",
            Self::InvalidReply(Defect::Compressed) => "compressed",
            Self::InvalidReply(Defect::Empty) => "empty_reply",
            Self::InvalidReply(Defect::Unparsable) => "unparsable_reply",
            Self::InvalidReply(Defect::NoAnswer | Defect::Silent) => "no_answer",
            Self::InvalidReply(Defect::BadCall) => "bad_call",
            Self::InvalidReply(Defect::FailedGeneration) => "failed_generation",
            Self::InvalidReply(Defect::CutShort) => "cut_short",
            Self::InvalidReply(Defect::NoSeam) => "no_seam",
            Self::InvalidReply(Defect::TooLarge) => "reply_too_large",
            Self::InvalidReply(Defect::Protocol) => "unasked_protocol",
            Self::StreamBroken => "stream_broken",
            Self::ClientGone => "client_gone",
            Self::Superseded => "superseded",
            Self::NoMemory => "no_memory",
            Self::Full { .. } => "full",
            Self::Stopped => "shutting_down",
        }
    }

    /// The upstream's HTTP status, where the outcome has one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::RejectedRequest { status }
            | Self::ContentRefused { status }
            | Self::ServerError { status }
            | Self::Overloaded { status, .. }
            | Self::UpgradeRefused { status }
            | Self::TooLong { status }
            | Self::Unsupported { status }
            | Self::ProviderBoundItems { status }
            | Self::EndpointMissing { status }
            | Self::ForeignError { status }
            | Self::RateLimited { status, .. }
            | Self::QuotaExhausted { status }
            | Self::ModelUnavailable { status }
            | Self::Unauthorized { status } => Some(*status),
            Self::Success
            | Self::Unreachable(_)
            | Self::NoResources
            | Self::ConnectionLost
            | Self::TimedOut(_)
            | Self::InvalidReply(_)
            | Self::StreamBroken
            | Self::ClientGone
            | Self::Superseded
            | Self::NoMemory
            | Self::Full { .. }
            | Self::Stopped => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())?;
        match self.status() {
            Some(status) => write!(f, " ({status})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Blame, Defect, Outcome, Retry, Stage, Unreachable};

    #[test]
    fn a_clients_fault_is_final_and_leaves_health_alone() {
        let outcome = Outcome::RejectedRequest { status: 400 };
        assert_eq!(outcome.blame(), Blame::Client);
        assert_eq!(outcome.retry(), Retry::Never);
        assert!(!outcome.hurts_health());
    }

    #[test]
    fn what_is_too_much_for_one_may_suit_another_and_hurts_nobody() {
        for outcome in [
            Outcome::TooLong { status: 400 },
            Outcome::Unsupported { status: 422 },
        ] {
            assert_eq!(outcome.blame(), Blame::Client);
            assert_eq!(outcome.retry(), Retry::Elsewhere);
            assert!(!outcome.hurts_health());
        }
    }

    #[test]
    fn what_an_upstream_breaks_another_may_mend() {
        for outcome in [
            Outcome::Unreachable(Unreachable::Refused),
            Outcome::ConnectionLost,
            Outcome::TimedOut(Stage::FirstToken),
            Outcome::ServerError { status: 530 },
            Outcome::InvalidReply(Defect::ContentType),
        ] {
            assert_eq!(outcome.retry(), Retry::Elsewhere, "{outcome}");
            assert!(outcome.hurts_health(), "{outcome}");
        }
    }

    #[test]
    fn what_is_whole_and_of_no_use_will_be_so_again() {
        for (defect, may_pass) in [
            (Defect::ContentType, true),
            (Defect::Unstreamed, false),
            (Defect::NoAnswer, false),
        ] {
            assert_eq!(Outcome::InvalidReply(defect).may_pass(), may_pass);
        }
    }

    #[test]
    fn what_we_ourselves_lack_is_no_failure_of_the_upstream() {
        for outcome in [Outcome::NoResources, Outcome::NoMemory] {
            assert_eq!(outcome.blame(), Blame::Nobody);
            assert_eq!(outcome.retry(), Retry::Elsewhere);
            assert!(!outcome.hurts_health());
        }
    }

    #[test]
    fn a_refused_key_is_followed_by_another_key() {
        let outcome = Outcome::Unauthorized { status: 401 };
        assert_eq!(outcome.retry(), Retry::OtherKey);
        assert_eq!(outcome.to_string(), "unauthorized (401)");
    }

    #[test]
    fn a_missing_model_moves_on_without_blaming_the_upstreams_health() {
        assert_eq!(
            Outcome::ModelUnavailable { status: 404 }.retry(),
            Retry::Elsewhere
        );
        assert!(!Outcome::ModelUnavailable { status: 404 }.hurts_health());
    }
}
