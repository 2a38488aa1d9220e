//! What replicas share through Redis or Valkey: outages and their end, cooldowns, owners of stored objects, what clients take, and
//! who tries what may have healed.
//!
//! ```text
//! health ─▶ what our own requests have shown ─▶ fleet: a message, once a second and when it is new ─▶ Redis ─▶ the others
//! Redis ─▶ a message of another ─▶ roster: who is there, what each has found ─▶ doubts: is it true here? ─▶ health
//! clients, seats ⇄ takings: what requests take of limits ⇄ many times a second the same of the others
//! ```
//!
//! `fleet` decides everything, and touches nothing outside; the link to the server carries messages and claims. So the health bench
//! plays a fleet on virtual time.
//!
//! *Invariants:* no request waits for any of this. What is known here decides; another's word is weighed against it. The server
//! remembers nothing but who tries a scope just now, so that it may be lost, emptied or replaced at any time. What came from it
//! is never told on.

mod bounded;
mod claims;
mod doubts;
mod figures;
mod fleet;
mod link;
mod message;
mod news;
mod roster;
mod signer;
mod takings;
mod telling;
mod views;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

pub use self::claims::{Claim, LEASE, Step};
pub use self::figures::{Figures, Outage};
pub use self::fleet::{Fleet, Upstreams};
pub use self::message::Had;
pub use self::views::ReplicaView;

use self::link::{Incoming, Link, LinkError, Servers};
use self::message::Says;
use self::telling::TELL;
use crate::affinity::Affinity;
use crate::clients::Usage;
use crate::config::SharedConfig;
use crate::event::{Event, Events, HealthChange, SharedNews, Unusable};
use crate::health::Health;
use crate::wire::tls::{self, ClientFiles, Platform, TlsError};

/// How often a replica looks at what is known here.
pub const LOOK: Duration = Duration::from_millis(250);
/// How often it is told what requests have taken of limits, among a few replicas. It is what others know too late.
const TICK: Duration = Duration::from_millis(50);
/// And so much less often for each replica that there is, so that no replica hears more than 200 such messages a second.
const TICK_EACH: Duration = Duration::from_millis(5);
/// News gather for so long before they are told.
pub const GATHER: Duration = Duration::from_millis(20);
/// The pause before the server is tried again; each time another one, so that replicas do not come at once.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the last message may take when we stop.
const GOODBYE: Duration = Duration::from_secs(1);

/// What this replica shares with others.
pub struct Sharing {
    servers: Servers,
    name: String,
    health: Arc<Health>,
    usage: Arc<Usage>,
    /// There may be something new to tell.
    news: Notify,
    is_connected: AtomicBool,
    /// There are figures that are not told yet.
    has_figures: AtomicBool,
    /// The lock is held for a message at a time.
    fleet: Mutex<Fleet>,
}

impl Sharing {
    /// Prepares to share by this configuration. Fails if certificates cannot be read.
    pub fn new(
        config: &SharedConfig,
        health: Arc<Health>,
        affinity: &Affinity,
        usage: Arc<Usage>,
    ) -> Result<Self, TlsError> {
        let files = ClientFiles {
            trusted: config.ca_file.as_deref(),
            ..ClientFiles::default()
        };
        let is_secure = config.servers().iter().any(|server| server.is_secure);
        let tls = match is_secure {
            true => tls::client(&Platform::default(), files),
            false => tls::unused(),
        };
        let fleet = Fleet::new(config, Arc::clone(&health), affinity, Instant::now());
        Ok(Self {
            servers: Servers::new(config, tls?),
            name: fleet.name.clone(),
            health,
            usage,
            news: Notify::new(),
            is_connected: AtomicBool::new(false),
            has_figures: AtomicBool::new(false),
            fleet: Mutex::new(fleet),
        })
    }

    /// Another configuration serves, with these upstreams, and with the clients that are counted now.
    pub fn adopt(&self, upstreams: &Upstreams) {
        self.fleet().adopt(upstreams, &self.usage);
    }

    /// Whether the server is there.
    pub fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Relaxed)
    }

    /// What this replica is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The other replicas, by name.
    pub fn replicas(&self) -> Vec<ReplicaView> {
        self.fleet().replicas(Instant::now())
    }

    /// Who is gone without a word lately, by name, and how long ago it was last heard.
    pub fn missed(&self) -> Vec<(String, Duration)> {
        self.fleet().missed(Instant::now())
    }

    /// What has been counted here, as it was told last; `None`: there is no history.
    pub fn figures(&self) -> Option<Figures> {
        self.fleet().figures.clone()
    }

    /// This has been counted here until now. The others are told.
    pub fn show(&self, figures: Figures) {
        self.fleet().figures = Some(figures);
        self.has_figures.store(true, Ordering::Release);
    }

    /// Shares for as long as it is polled; without the server it tries to come back. How that goes is reported as events.
    pub async fn run(self: Arc<Self>, events: Events) {
        let _alone = Alone(&self);
        let mut is_told = false;
        loop {
            let lost = match self.servers.connect().await {
                Ok(link) => {
                    is_told = false;
                    self.is_connected.store(true, Ordering::Relaxed);
                    events.emit(&Event::Shared(SharedNews::Connected {
                        server: link.server.clone(),
                    }));
                    self.fleet().join();
                    self.share(link, &events).await
                }
                Err(why) => why,
            };
            self.go_alone();
            if !is_told {
                is_told = true;
                let reason = lost.to_string();
                events.emit(&Event::Shared(SharedNews::Disconnected { reason }));
            }
            sleep(PAUSE.mul_f32(0.5 + fastrand::f32())).await;
        }
    }

    /// Tells the others that this replica stops.
    pub async fn leave(&self) {
        let leaving = async {
            if let Ok(mut link) = self.servers.connect().await {
                let message = self.fleet().written(Says::Goodbye, Instant::now());
                let _ = link.publish(&message).await;
            }
        };
        let _ = timeout(GOODBYE, leaving).await;
    }

    /// Shares over one connection. Returns why it ended.
    async fn share(&self, mut link: Link, events: &Events) -> LinkError {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut counted_at: Option<Instant> = None;
        let ticking = sleep(Duration::ZERO);
        tokio::pin!(ticking);
        loop {
            let looked = tokio::select! {
                incoming = link.next() => match incoming {
                    Some(incoming) => {
                        self.hear(incoming, events);
                        continue;
                    }
                    None => return LinkError::Ended,
                },
                () = self.health.fleet_probes().wanted() => self.agree(&mut link).await,
                () = self.news.notified() => {
                    sleep(GATHER).await;
                    self.tell(&mut link, events).await
                }
                _ = looks.tick() => self.look(&mut link, events).await,
                () = &mut ticking => {
                    let counted = self.count(&mut link, &mut counted_at, events).await;
                    ticking.as_mut().reset(Instant::now() + self.pace());
                    counted
                }
            };
            if let Err(why) = looked {
                return why;
            }
        }
    }

    async fn look(&self, link: &mut Link, events: &Events) -> Result<(), LinkError> {
        let changes = self.fleet().settle(Instant::now());
        report(changes, events);
        self.tell(link, events).await?;
        if self.has_figures.swap(false, Ordering::AcqRel) {
            let figures = self.fleet().own_figures();
            if let Some(figures) = figures {
                self.publish(link, Says::Figures(figures), events).await?;
            }
        }
        self.agree(link).await
    }

    /// Tells the others what is new, and once a second everything.
    async fn tell(&self, link: &mut Link, events: &Events) -> Result<(), LinkError> {
        let message = self.fleet().tell(Instant::now());
        match message {
            Some(message) => self.send(link, &message, events).await,
            None => Ok(()),
        }
    }

    /// Tells the others what requests have taken of limits since the last tick, and once a second all of it.
    async fn count(
        &self,
        link: &mut Link,
        counted_at: &mut Option<Instant>,
        events: &Events,
    ) -> Result<(), LinkError> {
        let now = Instant::now();
        let is_all = counted_at.is_none_or(|then| now.saturating_duration_since(then) >= TELL);
        if is_all {
            *counted_at = Some(now);
        }
        let taken = self.fleet().count(is_all, now);
        if taken.clients.is_empty() && taken.seats.is_empty() {
            return Ok(());
        }
        self.publish(link, Says::Taken(taken), events).await
    }

    /// The time between two ticks.
    fn pace(&self) -> Duration {
        let replicas = self.fleet().roster.all().count();
        TICK.max(TICK_EACH * u32::try_from(replicas).unwrap_or(u32::MAX))
    }

    async fn publish(&self, link: &mut Link, says: Says, events: &Events) -> Result<(), LinkError> {
        let message = self.fleet().written(says, Instant::now());
        self.send(link, &message, events).await
    }

    async fn send(
        &self,
        link: &mut Link,
        message: &[u8],
        events: &Events,
    ) -> Result<(), LinkError> {
        link.publish(message).await?;
        events.emit(&Event::Shared(SharedNews::Sent));
        Ok(())
    }

    fn hear(&self, incoming: Incoming, events: &Events) {
        let received = match incoming {
            Incoming::Message(bytes) => self.fleet().hear(&bytes, Instant::now()),
            Incoming::Overrun => Err(Unusable::TooMany),
        };
        match received {
            Ok(None) => {}
            Ok(Some(changes)) => {
                events.emit(&Event::Shared(SharedNews::Received));
                report(changes, events);
            }
            Err(why) => events.emit(&Event::Shared(SharedNews::Ignored(why))),
        }
    }

    /// Agrees with the others on who tries what may have healed.
    async fn agree(&self, link: &mut Link) -> Result<(), LinkError> {
        let now = Instant::now();
        let (node, claims) = {
            let fleet = self.fleet();
            (fleet.node, fleet.claims(now))
        };
        for claim in claims {
            let is_ours = link.claim(&claim, node).await?;
            claim.settled(is_ours, now);
        }
        Ok(())
    }

    fn go_alone(&self) {
        self.is_connected.store(false, Ordering::Relaxed);
        self.fleet().go_alone();
    }

    fn fleet(&self) -> MutexGuard<'_, Fleet> {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sharing({})", self.name)
    }
}

/// Whoever shares no more, for whatever reason, agrees with nobody.
struct Alone<'a>(&'a Sharing);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.go_alone();
    }
}

fn report(changes: Vec<HealthChange>, events: &Events) {
    for change in changes {
        events.emit(&Event::HealthChanged(change));
    }
}
