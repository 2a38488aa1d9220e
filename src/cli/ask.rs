//! Sends requests to a proxy over plain HTTP, as the demo and the health check do.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::Request;
use http::response::Parts;
use http_body_util::BodyExt;

use crate::upstream::{Client, connect_with};
use crate::wire::tls;
use crate::wire::upload::Upload;

const PATIENCE: Duration = Duration::from_secs(5);

/// A client for such requests.
pub(super) fn client() -> anyhow::Result<Client> {
    Ok(connect_with(tls::client(None)?, PATIENCE))
}

/// Sends a request and reads the whole reply.
pub(super) async fn ask(
    client: &Client,
    request: Request<Upload>,
) -> anyhow::Result<(Parts, Bytes)> {
    let asking = async {
        let (head, body) = client.request(request).await?.into_parts();
        let body = body.collect().await.context("the answer broke off")?;
        anyhow::Ok((head, body.to_bytes()))
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .context("no answer in time")?
}
