//! Sends requests to a proxy over plain HTTP, as the demo and the health check do.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::Request;
use http::response::Parts;
use http_body_util::BodyExt;

use crate::upstream::{Client, Connector};
use crate::wire::tls;
use crate::wire::upload::Upload;

const PATIENCE: Duration = Duration::from_secs(5);

/// A client for such requests to one address.
pub(super) fn client(address: SocketAddr) -> anyhow::Result<Client> {
    let tls = tls::unused()?;
    let url = format!("http://{address}").parse()?;
    Ok(Client::new(Connector::to(url, tls, PATIENCE)))
}

/// Sends a request and reads the whole reply.
pub(super) async fn ask(
    client: &Client,
    request: Request<Upload>,
) -> anyhow::Result<(Parts, Bytes)> {
    ask_within(PATIENCE, client, request).await
}

/// The same, with another patience.
pub(super) async fn ask_within(
    patience: Duration,
    client: &Client,
    request: Request<Upload>,
) -> anyhow::Result<(Parts, Bytes)> {
    let asking = async {
        let response = client.request(request, true).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.context("the answer broke off")?;
        anyhow::Ok((head, body.to_bytes()))
    };
    tokio::time::timeout(patience, asking)
        .await
        .context("no answer in time")?
}
