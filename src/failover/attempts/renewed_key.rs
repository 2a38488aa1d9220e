//! A key that an upstream refuses may have been replaced in the meantime: then the same request is sent with the new one.

use crate::event::{Event, Events};
use crate::failover::decisions::target::Target;
use crate::outcome::Outcome;
use crate::upstream::Renewal;

impl Target<'_> {
    /// A number that changes when its key is replaced.
    pub(in crate::failover) fn key_version(&self) -> u64 {
        self.candidate.upstream.key_version(self.key)
    }

    /// Whether the key of this version was refused, and there is another one now.
    pub(in crate::failover) async fn has_newer_key(
        &self,
        outcome: &Outcome,
        version: u64,
        events: &Events,
    ) -> bool {
        if !matches!(outcome, Outcome::Unauthorized { .. }) {
            return false;
        }
        let upstream = &self.candidate.upstream;
        let (failure, is_news) = match upstream.renew_refused(self.key, version).await {
            None | Some(Renewal::Same) => return self.key_version() != version,
            Some(Renewal::Renewed) => (None, false),
            Some(Renewal::Failed { reason, is_first }) => (Some(reason.to_string()), is_first),
        };
        events.emit(&Event::KeyRenewed {
            upstream: upstream.id().clone(),
            failure,
            is_news,
        });
        self.key_version() != version
    }
}
