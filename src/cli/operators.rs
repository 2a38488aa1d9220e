//! Asking a running backstop at its operators' address.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::answer;
use super::arguments::ProxyArgs;
use super::ask::{ask, client};
use super::settings::admin_address;
use crate::upstream::Client;
use crate::wire::headers::JSON;
use crate::wire::upload::Upload;

/// Where to look for it, if what was asked is something else.
const ELSEWHERE: &str = "say with --admin-listen or --config where backstop serves operators";

/// The operators' address of a proxy.
pub(super) struct Operators {
    address: SocketAddr,
    client: Client,
}

impl Operators {
    /// As the arguments or the configuration say.
    pub(super) fn of(args: &ProxyArgs) -> anyhow::Result<Self> {
        Self::at(admin_address(args)?)
    }

    /// At an address.
    pub(super) fn at(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self {
            address,
            client: client(address)?,
        })
    }

    /// What it says at a path.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = Request::get(self.url(path)).body(Upload::from(Bytes::new()))?;
        self.answer(request).await
    }

    /// What it answers to a question.
    pub(super) async fn post(&self, path: &str, question: &Value) -> anyhow::Result<Value> {
        let request = Request::post(self.url(path)).header(CONTENT_TYPE, JSON);
        let request = request.body(Upload::from(Bytes::from(question.to_string())))?;
        self.answer(request).await
    }

    /// Fails unless it takes requests. `/readyz` is no JSON.
    pub(super) async fn ready(&self) -> anyhow::Result<()> {
        let request = Request::get(self.url("/readyz")).body(Upload::from(Bytes::new()))?;
        let (status, body) = self.ask(request).await?;
        let text = String::from_utf8_lossy(&body);
        ensure!(
            status.is_success(),
            "{} is not ready: it answers {status}, {}",
            self.address,
            text.trim().replace(char::is_control, " ")
        );
        Ok(())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn answer(&self, request: Request<Upload>) -> anyhow::Result<Value> {
        let path = request.uri().path().to_owned();
        let (status, body) = self.ask(request).await?;
        let answer = answer::read(&body).unwrap_or_default();
        match (answer["error"].as_str(), status.is_success()) {
            (_, true) if answer.is_object() => Ok(answer),
            (Some(error), false) => bail!("{error}"),
            _ => bail!(
                "what answers at {} is no backstop, or not for operators ({path} has {status}): {ELSEWHERE}",
                self.address
            ),
        }
    }

    async fn ask(&self, request: Request<Upload>) -> anyhow::Result<(http::StatusCode, Bytes)> {
        let asked = ask(&self.client, request).await;
        let (head, body) = asked.with_context(|| {
            format!(
                "no backstop answers at {}: start it, or {ELSEWHERE}",
                self.address
            )
        })?;
        Ok((head.status, body))
    }
}

/// What the proxy of these arguments says at a path.
pub(super) async fn get(args: &ProxyArgs, path: &str) -> anyhow::Result<Value> {
    Operators::of(args)?.get(path).await
}
