//! Asking a running backstop at its operators' address.

use anyhow::{Context, bail};
use bytes::Bytes;
use http::Request;
use serde_json::Value;

use super::answer;
use super::arguments::ProxyArgs;
use super::ask::{ask, client};
use super::settings::admin_address;
use crate::wire::upload::Upload;

/// What it says at a path.
pub(super) async fn get(args: &ProxyArgs, path: &str) -> anyhow::Result<Value> {
    let address = admin_address(args)?;
    let request = Request::get(format!("http://{address}{path}"));
    let request = request.body(Upload::from(Bytes::new()))?;
    let (head, body) = ask(&client(address)?, request).await.with_context(|| {
        format!(
            "no backstop answers at {address}: start it, or say with --admin-listen or --config where it serves operators"
        )
    })?;
    let answer = answer::read(&body)
        .with_context(|| format!("what answers at {address} is no backstop, or an older one"))?;
    if !head.status.is_success() {
        bail!("{}", answer["error"].as_str().unwrap_or("refused"));
    }
    Ok(answer)
}
