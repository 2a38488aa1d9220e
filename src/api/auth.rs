//! Client authentication: keys, found by digest and compared in constant time.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use subtle::ConstantTimeEq;

use super::header_policy;
use super::reject::Rejection;
use crate::clients::{Client, Usage};
use crate::config::{Config, CredentialFrom, KeyDigest, Secret};
use crate::request::ClientCredential;
use crate::wire::websocket::{keep_subprotocols, subprotocols};

/// The keys of the configured clients. Without any, everybody who can reach the address may send requests.
#[derive(Debug)]
pub struct ClientKeys {
    /// By their digests, so that a thousand keys cost no more than one.
    keys: HashMap<u64, Vec<(Client, Secret)>>,
    /// Clients of whose keys only the digest is known. How long it takes to compare digests says nothing about a key.
    by_digest: HashMap<KeyDigest, Client>,
    /// Digests keys, with a secret of its own: how long a look-up takes says nothing about a key.
    digester: RandomState,
    /// Whether an upstream takes the client's own credential.
    are_passed_on: bool,
}

/// The key of a client whose other credentials are for an upstream.
const OUR_KEY: &str = "x-backstop-key";

impl ClientKeys {
    /// The keys of the configuration's `clients`, who go on with what they have used of their limits.
    pub fn new(config: &Config, usage: &Usage) -> Self {
        let upstreams = config.upstreams.values();
        let mut credentials = upstreams.map(|upstream| upstream.credential);
        let are_passed_on = credentials.any(|credential| credential == CredentialFrom::Client);
        let digester = RandomState::new();
        let mut keys: HashMap<u64, Vec<(Client, Secret)>> = HashMap::new();
        let mut by_digest = HashMap::new();
        for config in &config.clients {
            let client = Client::new(config, usage);
            if let Some(digest) = config.key_sha256 {
                by_digest.insert(digest, client);
                continue;
            }
            let digest = digester.hash_one(config.key.expose().as_bytes());
            let known = keys.entry(digest).or_default();
            known.push((client, config.key.clone()));
        }
        Self {
            keys,
            by_digest,
            digester,
            are_passed_on,
        }
    }

    /// The client's own credential for upstreams. What it identifies itself with here is none.
    pub(super) fn own_credential(&self, headers: &HeaderMap) -> Option<ClientCredential> {
        let is_ours = !self.are_none() && !headers.contains_key(OUR_KEY);
        if !self.are_passed_on || is_ours {
            return None;
        }
        ClientCredential::of(headers)
    }

    /// The client; `None` if no keys are configured.
    pub(super) fn identify(&self, headers: &HeaderMap) -> Result<Option<&Client>, Rejection> {
        if self.are_none() {
            return Ok(None);
        }
        let presented = presented_key(headers).ok_or(Rejection::NoKey)?;
        self.with(presented).map(Some).ok_or(Rejection::WrongKey)
    }

    /// For how long this key will be accepted; `None`: it is not.
    pub(super) fn time_left(&self, presented: &[u8]) -> Option<Duration> {
        match self.are_none() {
            true => Some(Duration::MAX),
            false => self.with(presented)?.time_left(),
        }
    }

    fn with(&self, presented: &[u8]) -> Option<&Client> {
        let client = self.with_key(presented);
        client.or_else(|| self.with_digest(presented))
    }

    fn are_none(&self) -> bool {
        self.keys.is_empty() && self.by_digest.is_empty()
    }

    fn with_key(&self, presented: &[u8]) -> Option<&Client> {
        let digest = self.digester.hash_one(presented);
        let mut found = None;
        for (client, key) in self.keys.get(&digest).into_iter().flatten() {
            if key.expose().as_bytes().ct_eq(presented).into() {
                found = Some(client);
            }
        }
        found
    }

    fn with_digest(&self, presented: &[u8]) -> Option<&Client> {
        if self.by_digest.is_empty() {
            return None;
        }
        self.by_digest.get(&KeyDigest::of(presented))
    }
}

/// Our own header comes first. `OpenAI` SDKs send a bearer token, Anthropic's `x-api-key`, Azure's `api-key`. Browsers cannot set headers on a
/// WebSocket; they offer a subprotocol that contains the key.
pub(super) fn presented_key(headers: &HeaderMap) -> Option<&[u8]> {
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
pub(super) fn for_upstream(sent: HeaderMap) -> HeaderMap {
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

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use http::HeaderMap;
    use http::header::AUTHORIZATION;

    use super::{ClientKeys, KeyDigest, Usage};
    use crate::api::reject::Rejection;
    use crate::config::Config;

    #[test]
    fn each_of_many_clients_is_known_by_its_key_and_nobody_else_is() {
        let mut yaml = "upstreams: {one: {provider: openai, api_key: k}}\n\
            routes: [{models: [\"*\"], candidates: [{upstream: one}]}]\nclients:\n"
            .to_owned();
        for number in 0..1000 {
            writeln!(yaml, "- {{name: c{number}, key: a-long-key-of-{number}}}").unwrap();
        }
        let digest = KeyDigest::of(b"a-key-that-nobody-wrote-down");
        writeln!(yaml, "- {{name: secret, key_sha256: {digest}}}").unwrap();
        let config = Config::parse("test", &yaml, &|_| None).unwrap();
        let keys = ClientKeys::new(&config, &Usage::default());
        let identify = |key: &str| {
            let bearer = format!("Bearer {key}").parse().unwrap();
            let client = keys.identify(&HeaderMap::from_iter([(AUTHORIZATION, bearer)]));
            client.map(|client| client.map(|client| client.name.to_string()))
        };
        for number in [0, 1, 500, 999] {
            let name = identify(&format!("a-long-key-of-{number}")).unwrap();
            assert_eq!(name, Some(format!("c{number}")));
        }
        let name = identify("a-key-that-nobody-wrote-down").unwrap();
        assert_eq!(name.as_deref(), Some("secret"));
        assert!(identify(&digest.to_string()).is_err());
        for wrong in ["a-long-key-of-1000", "a-long-key-of-", "", "c1"] {
            assert!(
                matches!(identify(wrong), Err(Rejection::WrongKey)),
                "{wrong}"
            );
        }
        assert!(matches!(
            keys.identify(&HeaderMap::new()),
            Err(Rejection::NoKey)
        ));
    }

    #[test]
    fn a_key_is_needed_as_soon_as_one_is_configured_in_any_form() {
        let keys = |clients: &str| {
            let yaml = format!(
                "upstreams: {{one: {{provider: openai, api_key: k}}}}\n\
                 routes: [{{models: [\"*\"], candidates: [{{upstream: one}}]}}]\n{clients}"
            );
            let config = Config::parse("test", &yaml, &|_| None).unwrap();
            ClientKeys::new(&config, &Usage::default())
        };
        let digest = KeyDigest::of(b"a-key-that-nobody-wrote-down");
        for clients in [
            "clients: [{name: anna, key: a-key-that-is-written-down}]".to_owned(),
            format!("clients: [{{name: anna, key_sha256: {digest}}}]"),
        ] {
            let refused = keys(&clients).identify(&HeaderMap::new()).err();
            assert!(matches!(refused, Some(Rejection::NoKey)), "{clients}");
        }
        assert!(matches!(keys("").identify(&HeaderMap::new()), Ok(None)));
    }
}
