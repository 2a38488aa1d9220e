//! `backstop healthcheck`: for Docker, which needs an exit code.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::Request;

use super::arguments::HealthcheckArgs;
use super::ask::{ask, client};
use crate::wire::upload::Upload;

/// Calls `/readyz`.
pub(super) async fn run(args: &HealthcheckArgs) -> anyhow::Result<()> {
    let address = reachable(args.admin_listen);
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

/// The loopback address, for an address that means all interfaces of this machine.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
