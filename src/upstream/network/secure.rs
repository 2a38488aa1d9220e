//! The TLS handshake on a stream.

use std::sync::Arc;

use http::Uri;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::line::{ConnectError, Duplex};

/// TLS with the host of a URL.
pub(super) async fn secured<S: Duplex>(
    config: &Arc<ClientConfig>,
    destination: &Uri,
    stream: S,
) -> Result<TlsStream<S>, ConnectError> {
    let name = ServerName::try_from(bare_host(destination).to_owned())?;
    let connector = TlsConnector::from(Arc::clone(config));
    Ok(connector.connect(name, stream).await?)
}

/// The host of a URL; an IPv6 address without its brackets.
pub(super) fn bare_host(url: &Uri) -> &str {
    let host = url.host().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}
