//! The keys of an upstream: written in the configuration, or renewed from a file or a command while it is used.

mod source;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Duration, Instant, sleep};

pub use self::source::KeyError;
use self::source::{Found, read};
use super::credential::Credential;
use crate::catalogue::KeyHeader;
use crate::config::{KeySource, Secret};

/// So many keys that were replaced are still hidden: replies to requests with the last ones may be under way.
const REMEMBERED: usize = 8;
/// A command is not run again sooner, however many requests are refused.
const PAUSE: Duration = Duration::from_secs(1);
/// A file may be found half-written; a moment later it is whole.
const MOMENT: Duration = Duration::from_millis(50);

/// One key of an upstream.
#[derive(Debug)]
pub enum Key {
    /// It stands in the configuration.
    Fixed(Credential),
    /// It is renewed while it is used.
    Renewed(Box<RenewedKey>),
}

/// A key that is read from its source, again and again.
#[derive(Debug)]
pub struct RenewedKey {
    source: KeySource,
    header: KeyHeader,
    known: ArcSwap<Known>,
    /// The version that was new last.
    announced: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct Known {
    /// Counts the keys.
    version: u64,
    secret: Secret,
    /// The newest first.
    credentials: Vec<Credential>,
}

#[derive(Debug)]
struct State {
    read_at: Instant,
    /// When it must be read again, whether it is refused or not.
    due: Option<Instant>,
    is_failing: bool,
}

/// What came of reading a key again.
#[derive(Debug)]
pub enum Renewal {
    /// It is still the same.
    Same,
    /// It is another one.
    Renewed,
    /// It could not be read, so the old one stays.
    Failed {
        /// Why.
        reason: KeyError,
        /// Whether the last time went well.
        is_first: bool,
    },
}

impl Key {
    /// A key from its source, read now.
    pub async fn read(source: KeySource, header: KeyHeader) -> Result<Self, KeyError> {
        let found = read(&source).await?;
        let credential = Credential::new(&found.key, header).ok_or(KeyError::Unsendable)?;
        let now = Instant::now();
        Ok(Self::Renewed(Box::new(RenewedKey {
            header,
            announced: AtomicU64::new(0),
            known: ArcSwap::from_pointee(Known {
                version: 0,
                secret: found.key.clone(),
                credentials: vec![credential],
            }),
            state: Mutex::new(State {
                read_at: now,
                due: due(&source, &found, now),
                is_failing: false,
            }),
            source,
        })))
    }

    /// A number that changes with the key.
    pub(super) fn version(&self) -> u64 {
        match self {
            Self::Fixed(_) => 0,
            Self::Renewed(key) => key.known.load().version,
        }
    }

    /// Adds the key to the headers of a request.
    pub(super) fn put_on(&self, headers: &mut HeaderMap) {
        match self {
            Self::Fixed(credential) => credential.put_on(headers),
            Self::Renewed(key) => {
                if let Some(newest) = key.known.load().credentials.first() {
                    newest.put_on(headers);
                }
            }
        }
    }

    /// The text with the key replaced, and with those before it.
    pub(super) fn hide_in(&self, text: Bytes) -> Bytes {
        match self {
            Self::Fixed(credential) => credential.hide_in(text),
            Self::Renewed(key) => {
                let known = key.known.load();
                known
                    .credentials
                    .iter()
                    .fold(text, |text, credential| credential.hide_in(text))
            }
        }
    }

    /// Replaces the key in the headers of a reply, and those before it.
    pub(super) fn hide_in_headers(&self, headers: &mut HeaderMap) {
        match self {
            Self::Fixed(credential) => credential.hide_in_headers(headers),
            Self::Renewed(key) => {
                for credential in &key.known.load().credentials {
                    credential.hide_in_headers(headers);
                }
            }
        }
    }
}

impl RenewedKey {
    /// Whether it has been replaced since this was asked for the last time, by whomever.
    pub fn is_new(&self) -> bool {
        let version = self.known.load().version;
        self.announced.swap(version, Ordering::Relaxed) != version
    }

    /// Reads it again if it is time: a file each time, as it may have changed; a command before what it told expires.
    /// `None`: it is not time.
    pub async fn renew_if_due(&self) -> Option<Renewal> {
        // Whoever reads it now does it for us.
        let state = self.state.try_lock().ok()?;
        let is_due = match &self.source {
            KeySource::File(_) => true,
            KeySource::Command { .. } => state.due.is_some_and(|due| due <= Instant::now()),
        };
        if !is_due {
            return None;
        }
        Some(self.renew(state).await)
    }

    /// An upstream has refused the key of this version: reads it again, unless that has just happened. `None`: there
    /// was nothing to read.
    pub(super) async fn renew_refused(&self, version: u64) -> Option<Renewal> {
        let state = self.state.lock().await;
        let is_fresh = match &self.source {
            KeySource::File(_) => false,
            KeySource::Command { .. } => state.read_at.elapsed() < PAUSE,
        };
        if is_fresh || self.known.load().version != version {
            return None;
        }
        Some(self.renew(state).await)
    }

    async fn renew(&self, mut state: MutexGuard<'_, State>) -> Renewal {
        let mut found = self.find().await;
        if found.is_err() && matches!(self.source, KeySource::File(_)) {
            sleep(MOMENT).await;
            found = self.find().await;
        }
        let now = Instant::now();
        state.read_at = now;
        match found {
            Ok((found, credential)) => {
                state.is_failing = false;
                state.due = due(&self.source, &found, now);
                self.replace(found.key, credential)
            }
            Err(reason) => {
                // Whatever is wrong may last, so it is not tried all the time.
                state.due = state.due.map(|_| now + PAUSE * 10);
                let is_first = !std::mem::replace(&mut state.is_failing, true);
                Renewal::Failed { reason, is_first }
            }
        }
    }

    async fn find(&self) -> Result<(Found, Credential), KeyError> {
        let found = read(&self.source).await?;
        let credential = Credential::new(&found.key, self.header).ok_or(KeyError::Unsendable)?;
        Ok((found, credential))
    }

    fn replace(&self, secret: Secret, credential: Credential) -> Renewal {
        let known = self.known.load();
        if known.secret == secret {
            return Renewal::Same;
        }
        let before = known.credentials.iter().take(REMEMBERED).cloned();
        self.known.store(Arc::new(Known {
            version: known.version + 1,
            secret,
            credentials: [credential].into_iter().chain(before).collect(),
        }));
        Renewal::Renewed
    }
}

/// When to read it again: a while before it expires.
fn due(source: &KeySource, found: &Found, now: Instant) -> Option<Instant> {
    let early = |lifetime: Duration| lifetime - (lifetime / 5).min(Duration::from_secs(300));
    let ttl = match source {
        KeySource::File(_) => None,
        KeySource::Command { ttl, .. } => *ttl,
    };
    let times = [ttl, found.lifetime.map(early)];
    times
        .into_iter()
        .flatten()
        .min()
        .map(|time| now + time.max(PAUSE))
}
