//! Client authentication: keys, compared in constant time.

use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use subtle::ConstantTimeEq;

use super::header_policy;
use super::reject::Rejection;
use crate::config::{Config, CredentialFrom, Secret};
use crate::request::ClientCredential;
use crate::wire::websocket::{keep_subprotocols, subprotocols};

/// The keys of the configured clients. Without any, everybody who can reach the address may send requests.
#[derive(Debug)]
pub struct ClientKeys {
    keys: Vec<(Arc<str>, Secret)>,
    /// Whether an upstream takes the client's own credential.
    are_passed_on: bool,
}

/// The key of a client whose other credentials are for an upstream.
const OUR_KEY: &str = "x-backstop-key";

impl ClientKeys {
    /// The keys of the configuration's `clients`.
    pub fn new(config: &Config) -> Self {
        let upstreams = config.upstreams.values();
        let mut credentials = upstreams.map(|upstream| upstream.credential);
        let are_passed_on = credentials.any(|credential| credential == CredentialFrom::Client);
        let keys = config
            .clients
            .iter()
            .map(|client| (client.name.as_str().into(), client.key.clone()))
            .collect();
        Self {
            keys,
            are_passed_on,
        }
    }

    /// The client's own credential for upstreams. What it identifies itself with here is none.
    pub(super) fn own_credential(&self, headers: &HeaderMap) -> Option<ClientCredential> {
        let is_ours = !self.keys.is_empty() && !headers.contains_key(OUR_KEY);
        if !self.are_passed_on || is_ours {
            return None;
        }
        ClientCredential::of(headers)
    }

    /// The name of the client; `None` if no keys are configured.
    pub(super) fn identify(&self, headers: &HeaderMap) -> Result<Option<Arc<str>>, Rejection> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let presented = presented_key(headers).ok_or(Rejection::NoKey)?;
        // Every key is compared, so that the time taken does not reveal which one was close.
        let mut name = None;
        for (client, key) in &self.keys {
            if key.expose().as_bytes().ct_eq(presented).into() {
                name = Some(Arc::clone(client));
            }
        }
        name.map(Some).ok_or(Rejection::WrongKey)
    }
}

/// Our own header comes first. `OpenAI` SDKs send a bearer token, Anthropic's `x-api-key`, Azure's `api-key`. Browsers cannot set headers on a
/// WebSocket; they offer a subprotocol that contains the key.
fn presented_key(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
    });
    let named = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    named(OUR_KEY)
        .or(bearer)
        .or_else(|| named("x-api-key"))
        .or_else(|| named("api-key"))
        .or_else(|| subprotocols(headers).find_map(key_in).map(str::as_bytes))
        .map(<[u8]>::trim_ascii)
}

fn key_in(subprotocol: &str) -> Option<&str> {
    subprotocol.strip_prefix("openai-insecure-api-key.")
}

/// The headers of a client's request that may go on to an upstream. Subprotocols are filtered even if no WebSocket is
/// requested: a proxy before us may drop `upgrade` and leave the client's key where it is.
pub(super) fn for_upstream(sent: &HeaderMap) -> HeaderMap {
    let mut headers = header_policy::for_upstream(sent);
    keep_subprotocols(&mut headers, |name| !is_about_client(name));
    headers
}

/// Whether an offered subprotocol carries the client's credentials, which no upstream may see.
fn is_about_client(subprotocol: &str) -> bool {
    key_in(subprotocol).is_some()
        || subprotocol.starts_with("openai-organization.")
        || subprotocol.starts_with("openai-project.")
}
