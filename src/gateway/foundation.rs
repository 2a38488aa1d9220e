//! What lasts as long as the process, whatever configuration serves.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::start_error::StartError;
use crate::admin::{Recent, Reloader};
use crate::affinity::Affinity;
use crate::api::ClientKeys;
use crate::clients::Usage;
use crate::config::{Config, UpstreamId};
use crate::event::{Events, Sink};
use crate::health::Health;
use crate::history::History;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::shared::Sharing;
use crate::traces::Tracer;
use crate::upstream::Upstream;
use crate::webhook::Notifier;
use crate::wire::memory::Memory;

/// State that lasts as long as the process, independent of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Foundation {
    log: Arc<Log>,
    pub(super) notifier: Arc<Notifier>,
    pub(super) tracer: Arc<Tracer>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Arc<Health>,
    pub(super) affinity: Affinity,
    pub(super) history: Option<Arc<History>>,
    /// What is shared with other replicas, if anything is.
    pub(super) sharing: Option<Arc<Sharing>>,
    pub(super) memory: Memory,
    /// What clients have used of their limits.
    pub(super) usage: Arc<Usage>,
    /// The keys of clients that are accepted now.
    pub(super) keys: watch::Sender<Arc<ClientKeys>>,
    pub(super) events: Events,
    /// What has happened lately, for operators.
    pub(super) recent: Arc<Recent>,
    /// How operators have the configuration read again.
    pub(super) reloader: Reloader,
}

impl Foundation {
    pub(super) fn new(config: &Config, mut sinks: Vec<Box<dyn Sink>>) -> Result<Self, StartError> {
        let state_dir = config.state_dir.as_deref();
        let metrics = Arc::new(Metrics::new()?);
        let history = config.history.then(|| Arc::new(History::start(state_dir)));
        if let Some(history) = &history {
            sinks.push(Box::new(Arc::clone(history)));
        }
        let log = Arc::new(Log::default());
        let notifier = Arc::new(Notifier::default());
        sinks.push(Box::new(Arc::clone(&log)));
        sinks.push(Box::new(Arc::clone(&notifier)));
        let tracer = Arc::new(Tracer::default());
        sinks.push(Box::new(Arc::clone(&tracer)));
        sinks.push(Box::new(Arc::clone(&metrics)));
        let health = Arc::new(Health::new(Instant::now()));
        let affinity = state_dir.map_or_else(Affinity::in_memory, Affinity::in_folder);
        let usage = Arc::<Usage>::default();
        let sharing = sharing(config, &health, &affinity, &usage)?;
        if let Some(sharing) = &sharing {
            sinks.push(Box::new(Arc::clone(sharing)));
        }
        let recent = Arc::<Recent>::default();
        sinks.push(Box::new(Arc::clone(&recent)));
        Ok(Self {
            log,
            notifier,
            tracer,
            metrics,
            health,
            affinity,
            history,
            sharing,
            // Each configuration sets its limit.
            memory: Memory::new(0),
            keys: watch::Sender::new(Arc::new(ClientKeys::new(config, &usage))),
            usage,
            events: Events::new(sinks),
            recent,
            reloader: Reloader::default(),
        })
    }

    /// What replicas share is about these upstreams from now on, and about the clients that are counted now.
    pub(super) fn share_about(&self, upstreams: &HashMap<UpstreamId, Arc<Upstream>>) {
        if let Some(sharing) = &self.sharing {
            sharing.adopt(upstreams);
        }
    }

    /// Observes by this configuration from now on. If this fails, nothing has been changed.
    pub(super) fn follow(&self, config: &Config) -> Result<(), StartError> {
        let notified = self.notifier.follow(config);
        notified.map_err(|reason| StartError::Tls {
            whose: "notify".to_owned(),
            reason,
        })?;
        let traced = self.tracer.follow(config);
        traced.map_err(|reason| StartError::Traces { reason })?;
        self.log.follow(&config.log);
        Ok(())
    }
}

fn sharing(
    config: &Config,
    health: &Arc<Health>,
    affinity: &Affinity,
    usage: &Arc<Usage>,
) -> Result<Option<Arc<Sharing>>, StartError> {
    if !config.shared.is_on() {
        return Ok(None);
    }
    let sharing = Sharing::new(
        &config.shared,
        Arc::clone(health),
        affinity,
        Arc::clone(usage),
    );
    let sharing = sharing.map_err(|reason| StartError::Tls {
        whose: "shared".to_owned(),
        reason,
    })?;
    Ok(Some(Arc::new(sharing)))
}
