//! The TLS settings of upstreams: those without files of their own share theirs, and where nothing is encrypted, nothing is read.

use http::Uri;
use rustls::ClientConfig;

use super::start_error::StartError;
use crate::config::{ForwardProxy, UpstreamConfig, UpstreamId};
use crate::upstream::Connector;
use crate::wire::tls::{self, ClientFiles, Platform, TlsError};

/// Makes the settings of one upstream after the other.
#[derive(Default)]
pub(super) struct Trust {
    platform: Platform,
    /// For all without files of their own.
    usual: Option<ClientConfig>,
}

impl Trust {
    /// The settings for an upstream at this URL.
    pub(super) fn of(
        &mut self,
        id: &UpstreamId,
        config: &UpstreamConfig,
        url: &Uri,
        proxy: Option<&ForwardProxy>,
    ) -> Result<ClientConfig, StartError> {
        let (certificate, key) = (config.client_cert.as_deref(), config.client_key.as_deref());
        let files = ClientFiles {
            trusted: config.ca_file.as_deref(),
            shown: certificate.zip(key),
        };
        let (tls, whose) = if files != ClientFiles::default() {
            let tls = tls::client(&self.platform, files);
            (tls, format!("upstreams.{id}"))
        } else if Connector::encrypts(url, proxy) {
            (self.usual(), "the platform's certificates".to_owned())
        } else {
            (tls::unused(), format!("upstreams.{id}"))
        };
        tls.map_err(|reason| StartError::Tls { whose, reason })
    }

    fn usual(&mut self) -> Result<ClientConfig, TlsError> {
        if let Some(usual) = &self.usual {
            return Ok(usual.clone());
        }
        let usual = tls::client(&self.platform, ClientFiles::default())?;
        Ok(self.usual.insert(usual).clone())
    }
}
