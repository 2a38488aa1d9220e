//! Keeps the credentials that were sent out of upstreams' errors: some repeat what they reject, and an error may be logged.

use bytes::Bytes;

use crate::catalogue::KeyHeader;
use crate::config::Secret;
use crate::failover::decisions::target::Target;
use crate::request::ModelRequest;
use crate::upstream::{Credential, Upstream};

/// An upstream's error without the key that we have sent, ours or the client's own.
pub(super) fn without_secrets(target: Target<'_>, request: &ModelRequest, body: Bytes) -> Bytes {
    let upstream = &target.candidate.upstream;
    without_credential(upstream, request, upstream.without_key(target.key, body))
}

/// The body without the client's own keys and tokens, where it has sent them to the upstream.
fn without_credential(upstream: &Upstream, request: &ModelRequest, body: Bytes) -> Bytes {
    let credential = request.credential.as_ref();
    let Some(credential) = credential.filter(|_| upstream.takes_clients_credential()) else {
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
