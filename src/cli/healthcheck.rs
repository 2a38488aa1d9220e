//! `backstop healthcheck`: for Docker, which needs an exit code.

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::Request;

use super::arguments::ProxyArgs;
use super::ask::{ask, client};
use super::settings::admin_address;
use crate::wire::upload::Upload;

/// Calls `/readyz`.
pub(super) async fn run(args: &ProxyArgs) -> anyhow::Result<()> {
    let address = admin_address(args)?;
    let request =
        Request::get(format!("http://{address}/readyz")).body(Upload::from(Bytes::new()))?;
    let (head, body) = ask(&client(address)?, request)
        .await
        .with_context(|| format!("no proxy answers at {address}"))?;
    ensure!(
        head.status.is_success(),
        "the proxy is not ready: {}",
        String::from_utf8_lossy(&body).trim()
    );
    Ok(())
}
