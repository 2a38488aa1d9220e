//! The TLS settings of the listener and of upstreams. Upstreams without files of their own share theirs, and where nothing is
//! encrypted, nothing is read.

use std::sync::Arc;

use http::Uri;
use rustls::ClientConfig;

use super::start_error::StartError;
use crate::config::{Config, ForwardProxy, UpstreamConfig, UpstreamId};
use crate::upstream::Connector;
use crate::wire::tls::{self, ClientFiles, Platform, TlsError};

/// The files with certificates and keys that cannot be used, which would otherwise be found out at the start or by a reload.
pub fn check_certificates(config: &Config) -> Vec<StartError> {
    let trust = Trust::default();
    let upstreams = config.upstreams.iter();
    let of_upstreams =
        upstreams.filter_map(|(id, upstream)| trust.by_its_files(id, upstream).err());
    let shared = ClientFiles {
        trusted: config.shared.ca_file.as_deref(),
        ..ClientFiles::default()
    };
    let of_shared = trust.by_files(shared, || "shared".to_owned()).err();
    let of_listener = listener_tls(config).err();
    of_listener
        .into_iter()
        .chain(of_upstreams)
        .chain(of_shared)
        .collect()
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
        self.by_files(files, || format!("upstreams.{id}"))
    }

    /// The settings by these files, if there are any; `whose` they are.
    fn by_files(
        &self,
        files: ClientFiles<'_>,
        whose: impl FnOnce() -> String,
    ) -> Result<Option<ClientConfig>, StartError> {
        if files == ClientFiles::default() {
            return Ok(None);
        }
        let tls = tls::client(&self.platform, files);
        tls.map(Some).map_err(|reason| StartError::Tls {
            whose: whose(),
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
