//! TLS settings for both directions, based on rustls.

mod self_signed;
mod validity;
mod words;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;

use self::self_signed::SelfSigned;
pub use self::validity::Validity;
pub use self::words::in_words;

/// Certificates that cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A PEM file cannot be read, or lacks the expected content.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate and a key of another one.
    #[error("the key in {key} does not belong to the certificate in {certificate}")]
    Mismatch {
        /// The file of the certificate.
        certificate: String,
        /// The file of the key.
        key: String,
    },
    /// A certificate cannot be understood, or the protocol settings are invalid.
    #[error("{0}")]
    Settings(#[from] rustls::Error),
}

/// Files of PEM for connections to one upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientFiles<'a> {
    /// Certificates to trust besides the usual roots: roots, or a server's own.
    pub trusted: Option<&'a Path>,
    /// The certificate that we show, with those that vouch for it, and its key.
    pub shown: Option<(&'a Path, &'a Path)>,
}

/// The platform's roots, or the bundled Mozilla roots where the platform has none (an image made from scratch). To read
/// them takes longer than all else at the start, so it is done when they are first needed, and once.
#[derive(Debug, Default)]
pub struct Platform(OnceLock<Arc<RootCertStore>>);

impl Platform {
    fn roots(&self) -> &Arc<RootCertStore> {
        self.0.get_or_init(|| {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            }
            Arc::new(roots)
        })
    }
}

/// The settings for connections that need none, as they are not encrypted: they trust nobody.
pub fn unused() -> Result<ClientConfig, TlsError> {
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

/// The settings for connections to upstreams. They trust the platform's roots, and what the files say.
pub fn client(platform: &Platform, files: ClientFiles<'_>) -> Result<ClientConfig, TlsError> {
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match files.trusted {
        None => builder.with_root_certificates(Arc::clone(platform.roots())),
        Some(path) => {
            let own = certificates(path)?;
            let mut roots = RootCertStore::clone(platform.roots());
            for certificate in &own {
                roots.add(certificate.clone())?;
            }
            let verifier = SelfSigned::new(roots, own, provider());
            let verifier = verifier.map_err(|error| unusable(path, &error))?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    match files.shown {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let shown = builder.with_client_auth_cert(chain, private_key(key)?);
            shown.map_err(|error| of_pair(certificate, key, error))
        }
    }
}

/// The settings for connections from clients, over HTTP/2 or HTTP/1.1 as they prefer.
pub fn server(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let chain = certificates(certificate)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private_key(key)?)
        .map_err(|error| of_pair(certificate, key, error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// When all certificates in a PEM file are valid.
pub fn validity(path: &Path) -> Result<Validity, TlsError> {
    Ok(validity::of(&certificates(path)?))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| unusable(path, &error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(path, &error))?;
    if chain.is_empty() {
        return Err(unusable(path, &"no certificate in it"));
    }
    Ok(chain)
}

fn of_pair(certificate: &Path, key: &Path, error: rustls::Error) -> TlsError {
    match error {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch {
            certificate: certificate.display().to_string(),
            key: key.display().to_string(),
        },
        other => other.into(),
    }
}

fn unusable(path: &Path, reason: &dyn std::fmt::Display) -> TlsError {
    TlsError::File {
        path: path.display().to_string(),
        reason: reason.to_string(),
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
