//! The TLS settings of the listener and of upstreams: those without files of their own share theirs, and where nothing is encrypted, nothing is read.

use std::sync::Arc;

use http::Uri;
use rustls::ClientConfig;

use super::start_error::StartError;
use crate::config::{Config, ForwardProxy, UpstreamConfig, UpstreamId};
use crate::upstream::Connector;
use crate::wire::tls::{self, ClientFiles, Platform, TlsError};

/// Whether the files with certificates and keys can be used, which would otherwise be found out at the start or by a reload.
///
/// # Errors
/// The first that cannot.
pub fn check_certificates(config: &Config) -> Result<(), StartError> {
    listener_tls(config)?;
    let trust = Trust::default();
    for (id, upstream) in &config.upstreams {
        trust.by_its_files(id, upstream)?;
    }
    let files = ClientFiles {
        trusted: config.shared.ca_file.as_deref(),
        ..ClientFiles::default()
    };
    if files != ClientFiles::default() {
        let tls = tls::client(&trust.platform, files);
        tls.map_err(|reason| StartError::Tls {
            whose: "shared".to_owned(),
            reason,
        })?;
    }
    Ok(())
}

/// The certificate for clients, read anew from its files.
pub(super) fn listener_tls(
    config: &Config,
) -> Result<Option<Arc<rustls::ServerConfig>>, StartError> {
    let Some(files) = &config.tls else {
        return Ok(None);
    };
    match tls::server(&files.cert, &files.key) {
        Ok(tls) => Ok(Some(Arc::new(tls))),
        Err(reason) => Err(StartError::Tls {
            whose: "tls".to_owned(),
            reason,
        }),
    }
}

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
        if let Some(own) = self.by_its_files(id, config)? {
            return Ok(own);
        }
        let (tls, whose) = if Connector::encrypts(url, proxy) {
            (self.usual(), "the platform's certificates".to_owned())
        } else {
            (tls::unused(), format!("upstreams.{id}"))
        };
        tls.map_err(|reason| StartError::Tls { whose, reason })
    }

    /// The settings for an upstream that has files of its own.
    fn by_its_files(
        &self,
        id: &UpstreamId,
        config: &UpstreamConfig,
    ) -> Result<Option<ClientConfig>, StartError> {
        let (certificate, key) = (config.client_cert.as_deref(), config.client_key.as_deref());
        let files = ClientFiles {
            trusted: config.ca_file.as_deref(),
            shown: certificate.zip(key),
        };
        if files == ClientFiles::default() {
            return Ok(None);
        }
        let tls = tls::client(&self.platform, files);
        tls.map(Some).map_err(|reason| StartError::Tls {
            whose: format!("upstreams.{id}"),
            reason,
        })
    }

    fn usual(&mut self) -> Result<ClientConfig, TlsError> {
        if let Some(usual) = &self.usual {
            return Ok(usual.clone());
        }
        let usual = tls::client(&self.platform, ClientFiles::default())?;
        Ok(self.usual.insert(usual).clone())
    }
}
