//! One provider account, and what is sent to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::base_url::BaseUrl;
use super::credential::Credential;
use super::key::{Key, Renewal, RenewedKey};
use super::network::Client;
use super::seats::{Seat, Seats};
use super::spelling::Spelling;
use crate::catalogue::Dialect;
use crate::config::{CredentialFrom, ErrorRule, Secret, UpstreamId};
use crate::dialect::UpstreamApi;
use crate::wire::upload::Sending;

/// Everything needed to talk to one provider account.
#[derive(Debug)]
pub struct Upstream {
    id: UpstreamId,
    api: UpstreamApi,
    /// It turned out to have no `/responses`, although it was expected to.
    has_no_responses: AtomicBool,
    pub(super) base_url: BaseUrl,
    messages: Option<MessagesUrl>,
    /// The URL of those.
    pub(super) messages_url: Option<BaseUrl>,
    /// The version of the API, if its paths name the model.
    pub(super) api_version: Option<String>,
    pub(super) keys: Vec<Key>,
    credential: CredentialFrom,
    seats: Option<Arc<Seats>>,
    /// Further headers of every request.
    pub(super) extra_headers: Vec<Credential>,
    /// What else is secret in its requests.
    other_secrets: Vec<Spelling>,
    pub(super) client: Client,
    errors: Vec<ErrorRule>,
    turn: AtomicUsize,
}

/// Where an upstream speaks Anthropic's API besides `OpenAI`'s.
#[derive(Clone, Debug)]
pub struct MessagesUrl {
    /// The URL below which `/messages` lies, without trailing slash; at the host of the base URL.
    pub url: String,
    /// Only models with this word in their names are served there, and only there; `None`: all are served by either API.
    pub only: Option<&'static str>,
    /// Whether it has `/messages/count_tokens`.
    pub counts: bool,
}

/// A request to an upstream.
#[derive(Debug, Default)]
pub struct Outbound {
    /// The method.
    pub method: Method,
    /// Path and query after the upstream's base URL.
    pub path: String,
    /// The model, for upstreams whose paths name it.
    pub model: Option<Arc<str>>,
    /// The headers, without credentials.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Whether it does no harm if the upstream should process it twice.
    pub is_repeatable: bool,
    /// Learns how far the request has got, where it takes a while to be sent.
    pub sending: Option<Arc<Sending>>,
    /// The seat that the request takes, where their number is limited.
    pub seat: Option<Seat>,
}

impl Upstream {
    /// An upstream with this API, at a base URL without a trailing slash, with its keys in the order of the
    /// configuration.
    pub fn new(
        id: UpstreamId,
        api: UpstreamApi,
        base_url: &str,
        keys: Vec<Key>,
        client: Client,
    ) -> Self {
        Self {
            id,
            api,
            has_no_responses: AtomicBool::new(false),
            base_url: BaseUrl::new(base_url),
            messages: None,
            messages_url: None,
            api_version: None,
            keys,
            credential: CredentialFrom::default(),
            seats: None,
            extra_headers: Vec::new(),
            other_secrets: Vec::new(),
            client,
            errors: Vec::new(),
            turn: AtomicUsize::new(0),
        }
    }

    /// The same, but it speaks Anthropic's API besides.
    #[must_use]
    pub fn with_messages(self, messages: Option<MessagesUrl>) -> Self {
        let messages_url = messages.as_ref();
        Self {
            messages_url: messages_url.map(|messages| BaseUrl::new(&messages.url)),
            messages,
            ..self
        }
    }

    /// The same, but its paths name the model, in this version of the API.
    #[must_use]
    pub fn with_api_version(self, api_version: Option<&str>) -> Self {
        Self {
            api_version: api_version.map(str::to_owned),
            ..self
        }
    }

    /// The same, with the key of the configuration or the client's own.
    #[must_use]
    pub fn with_credential(self, credential: CredentialFrom) -> Self {
        Self { credential, ..self }
    }

    /// The same, but it serves a limited number of requests at a time.
    #[must_use]
    pub fn with_seats(self, seats: Option<Arc<Seats>>) -> Self {
        Self { seats, ..self }
    }

    /// Its seats, if their number is limited.
    pub fn seats(&self) -> Option<&Arc<Seats>> {
        self.seats.as_ref()
    }

    /// Whether it gets the client's own credential, and no key of ours.
    pub fn takes_clients_credential(&self) -> bool {
        self.credential == CredentialFrom::Client
    }

    /// The same, but with these headers in every request.
    #[must_use]
    pub fn with_headers(self, extra_headers: Vec<Credential>) -> Self {
        Self {
            extra_headers,
            ..self
        }
    }

    /// The same, with what else is secret in its requests, such as a part of its URL: it is hidden where it is repeated.
    #[must_use]
    pub fn with_secrets(self, secrets: impl IntoIterator<Item = Secret>) -> Self {
        let secrets = secrets.into_iter();
        let other_secrets = secrets.filter_map(|secret| Spelling::of(secret.expose()));
        Self {
            other_secrets: other_secrets.collect(),
            ..self
        }
    }

    /// From now on its requests go over new connections, because something has failed over the others.
    pub fn renew_connections(&self) {
        self.client.renew_connections();
    }

    /// The same, with what the configuration says about its errors.
    #[must_use]
    pub fn with_error_rules(self, errors: Vec<ErrorRule>) -> Self {
        Self { errors, ..self }
    }

    /// What the configuration says about its errors.
    pub fn error_rules(&self) -> &[ErrorRule] {
        &self.errors
    }

    /// Whether its paths name the model.
    pub fn names_models_in_paths(&self) -> bool {
        self.api_version.is_some()
    }

    /// Its name in the configuration.
    pub fn id(&self) -> &UpstreamId {
        &self.id
    }

    /// Its base URL, without a trailing slash.
    pub fn base_url(&self) -> &str {
        self.base_url.as_str()
    }

    /// The API that it uses, or the first of two.
    pub fn dialect(&self) -> Dialect {
        self.api.dialect
    }

    /// Its API for a model; what is known of the model itself is not in it.
    pub fn api(&self, model: &str) -> UpstreamApi {
        let has_no_responses = self.has_no_responses.load(Ordering::Relaxed);
        let api = UpstreamApi {
            has_responses: self.api.has_responses && !has_no_responses,
            ..self.api
        };
        match &self.messages {
            None => api,
            Some(MessagesUrl {
                only: None, counts, ..
            }) => UpstreamApi {
                speaks_messages: true,
                counts_tokens: *counts,
                ..api
            },
            Some(MessagesUrl {
                only: Some(part), ..
            }) if model.contains(part) => UpstreamApi {
                dialect: Dialect::Anthropic,
                ..api
            },
            Some(_) => api,
        }
    }

    /// From now on it gets chat completions instead of `/responses`, which it turned out not to have.
    pub fn do_without_responses(&self) {
        if !self.has_no_responses.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                upstream = %self.id,
                "{} has no /responses, so it is asked for chats now; `responses: false` saves the question",
                self.id
            );
        }
    }

    /// The body without the key that was sent, and without all else that was secret: some upstreams repeat a key that they
    /// reject, or the path that they do not have.
    pub fn without_key(&self, key: usize, body: Bytes) -> Bytes {
        let body = match self.keys.get(key) {
            Some(key) => key.hide_in(body),
            None => body,
        };
        let extra = self.extra_headers.iter();
        let body = extra.fold(body, |body, secret| secret.hide_in(body));
        let others = self.other_secrets.iter();
        others.fold(body, |body, secret| secret.hide_in(body))
    }

    /// Hides them in the headers of a reply.
    pub(super) fn hide_key(&self, key: usize, headers: &mut HeaderMap) {
        if let Some(key) = self.keys.get(key) {
            key.hide_in_headers(headers);
        }
        for secret in &self.extra_headers {
            secret.hide_in_headers(headers);
        }
        for secret in &self.other_secrets {
            secret.hide_in_headers(headers);
        }
    }

    /// A number that changes when that key is replaced.
    pub fn key_version(&self, key: usize) -> u64 {
        self.keys.get(key).map_or(0, Key::version)
    }

    /// The key of this version was refused: reads it again from its source, if it has one. `None`: nothing was read.
    pub async fn renew_refused(&self, key: usize, version: u64) -> Option<Renewal> {
        match self.keys.get(key)? {
            Key::Fixed(_) => None,
            Key::Renewed(key) => key.renew_refused(version).await,
        }
    }

    /// Its keys that are read again from time to time, with their numbers.
    pub fn renewed_keys(&self) -> impl Iterator<Item = (usize, &RenewedKey)> {
        let keys = self.keys.iter().enumerate();
        keys.filter_map(|(number, key)| match key {
            Key::Fixed(_) => None,
            Key::Renewed(key) => Some((number, &**key)),
        })
    }

    /// What identifies one of its keys without telling it: a hash of what is sent. `None`: there is no such key.
    pub fn hash_of_key(&self, key: usize, hash: &dyn Fn(&[u8]) -> u64) -> Option<u64> {
        let mut headers = HeaderMap::new();
        self.keys.get(key)?.put_on(&mut headers);
        headers.values().next().map(|value| hash(value.as_bytes()))
    }

    /// How many keys it has.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// The next key: several keys are used in rotation.
    pub fn next_key(&self) -> usize {
        match self.keys.len() {
            0 | 1 => 0,
            count => self.turn.fetch_add(1, Ordering::Relaxed) % count,
        }
    }
}
