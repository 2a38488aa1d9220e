//! Keeps the credentials that were sent out of upstreams' errors: some repeat what they reject, and an error may be logged.

use std::sync::Arc;

use bytes::Bytes;

use crate::catalogue::KeyHeader;
use crate::config::Secret;
use crate::failover::decisions::target::Target;
use crate::request::{ClientCredential, ModelRequest};
use crate::upstream::{Credential, Upstream};

/// The credentials that an attempt has sent, to be kept out of an error that comes later.
#[derive(Clone, Debug)]
pub(in crate::failover) struct Secrets {
    upstream: Arc<Upstream>,
    key: usize,
    credential: Option<ClientCredential>,
}

impl Secrets {
    /// Those of a request to this target.
    pub(super) fn of(target: Target<'_>, request: &ModelRequest) -> Self {
        let upstream = Arc::clone(&target.candidate.upstream);
        let credential = request.credential.as_ref();
        Self {
            key: target.key,
            credential: credential
                .filter(|_| upstream.takes_clients_credential())
                .cloned(),
            upstream,
        }
    }

    /// The body without them.
    pub(in crate::failover) fn hidden_in(&self, body: Bytes) -> Bytes {
        let body = self.upstream.without_key(self.key, body);
        without_credential(self.credential.as_ref(), body)
    }
}

/// An upstream's error without the key that we have sent, ours or the client's own.
pub(super) fn without_secrets(target: Target<'_>, request: &ModelRequest, body: Bytes) -> Bytes {
    Secrets::of(target, request).hidden_in(body)
}

/// The body without the client's own keys and tokens.
fn without_credential(credential: Option<&ClientCredential>, body: Bytes) -> Bytes {
    let Some(credential) = credential else {
        return body;
    };
    credential.secrets().fold(body, |body, secret| {
        let secret = Secret::from(secret.to_owned());
        match Credential::new(&secret, KeyHeader::Bearer) {
            Some(credential) => credential.hide_in(body),
            None => body,
        }
    })
}
