//! Everything that is reported.

use std::sync::Arc;

use super::attempt::AttemptReport;
use super::finding::ModelFinding;
use super::health_change::HealthChange;
use super::request::RequestReport;
use super::shared_news::SharedNews;
use crate::config::UpstreamId;
use crate::outcome::Outcome;
use crate::request::RequestId;

/// Something that happened. Names in it are configured ones, so that sinks may use them as labels.
#[derive(Clone, Debug)]
pub enum Event {
    /// A request was accepted.
    RequestStarted,
    /// An attempt ended; for a stream, when the stream did.
    AttemptFinished {
        /// The request it was for.
        request: RequestId,
        /// The request is traced whatever comes of it.
        is_traced: bool,
        /// What came of it.
        report: AttemptReport,
    },
    /// A failed attempt is followed by one at another target.
    FailedOver {
        /// The request it is for.
        request: RequestId,
        /// The upstream that failed.
        from: UpstreamId,
        /// The upstream that is tried now; the same one if only the key changes.
        to: UpstreamId,
        /// How the first one failed.
        reason: Outcome,
    },
    /// A stream that broke off continues at another upstream.
    Continued {
        /// The request it is for.
        request: RequestId,
        /// The upstream that broke off.
        from: UpstreamId,
        /// The upstream that continues it.
        to: UpstreamId,
    },
    /// The health of an upstream, or of our own network, has changed.
    HealthChanged(HealthChange),
    /// An operator has taken an upstream out of rotation: nothing is sent to it any more.
    TakenOut {
        /// Which one.
        upstream: UpstreamId,
    },
    /// An operator has put back an upstream that was taken out.
    PutBack {
        /// Which one.
        upstream: UpstreamId,
    },
    /// A health check was made of an upstream that could not be connected to.
    HealthChecked {
        /// Which one.
        upstream: UpstreamId,
        /// Whether it answered.
        is_reached: bool,
    },
    /// A key was read again from its file or its command.
    KeyRenewed {
        /// Whose key.
        upstream: UpstreamId,
        /// Why it could not be read; `None`: there is a new key.
        failure: Option<String>,
        /// Whether it is the first failure after it went well.
        is_news: bool,
    },
    /// Upstreams were asked for their models: what there is to say about those that the configuration names.
    ModelsChecked(Vec<ModelFinding>),
    /// The configuration was read again and has taken over.
    ConfigReloaded {
        /// Whether it is another one than before.
        is_changed: bool,
    },
    /// Another configuration could not be used; the old one stays.
    ConfigRejected {
        /// What is wrong with it.
        reason: String,
    },
    /// A webhook was told something, or could not be.
    Notified {
        /// Its place in the configuration: `notify[0]`. Its URL is a secret.
        place: Arc<str>,
        /// Why it could not be told; `None`: it was.
        failure: Option<String>,
    },
    /// Something about the knowledge that replicas share.
    Shared(SharedNews),
    /// A request is over: answered in full, in part or not at all.
    RequestFinished(RequestReport),
}
