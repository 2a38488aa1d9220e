//! How upstreams are reached: certificates, forward proxies, and further headers.

use http::{HeaderName, HeaderValue};

use super::notes::Check;
use crate::catalogue::KeyHeader;
use crate::config::path::Path;
use crate::config::proxy::ForwardProxy;
use crate::config::upstream::UpstreamConfig;

/// Headers that concern one connection, or that follow from what we send.
const OURS: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Check<'_> {
    /// Notes variables of the environment that name no forward proxy.
    pub(super) fn proxies(&mut self) {
        for (name, mistake) in self.config.proxies.mistakes() {
            let path = Path::default().key(name);
            let message = format!("the environment variable names no forward proxy: {mistake}");
            self.note(path, message);
        }
    }

    pub(super) fn network(&mut self, upstream: &UpstreamConfig, path: &Path) {
        if let Some(file) = &upstream.ca_file {
            self.file(path.key("ca_file"), file);
        }
        let (cert, key) = (path.key("client_cert"), path.key("client_key"));
        if let Some(file) = &upstream.client_cert {
            self.file(cert.clone(), file);
        }
        if let Some(file) = &upstream.client_key {
            self.file(key.clone(), file);
        }
        match (&upstream.client_cert, &upstream.client_key) {
            (Some(_), None) => self.note(key, "is missing: client_cert needs its key"),
            (None, Some(_)) => self.note(cert, "is missing: client_key needs its certificate"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        if let Some(text) = &upstream.proxy
            && text.expose() != "none"
            && let Err(mistake) = ForwardProxy::parse(text)
        {
            self.note(path.key("proxy"), format!("is no forward proxy: {mistake}"));
        }
        self.headers(upstream, &path.key("headers"));
    }

    fn headers(&mut self, upstream: &UpstreamConfig, path: &Path) {
        let credential = match upstream.provider.key_header() {
            KeyHeader::Bearer => "authorization",
            KeyHeader::XApiKey => "x-api-key",
            KeyHeader::ApiKey => "api-key",
        };
        for (name, value) in &upstream.headers {
            let path = path.key(name);
            let Ok(header) = name.parse::<HeaderName>() else {
                self.note(path, "is no name of a header");
                continue;
            };
            if header == credential {
                self.note(path, "holds the key: write api_key");
            } else if OURS.contains(&header.as_str()) {
                self.note(
                    path,
                    "is set for each connection or body, and cannot be given here",
                );
            } else if HeaderValue::from_str(value.expose()).is_err() {
                self.note(path, super::keys::UNSENDABLE);
            }
        }
    }
}
