//! Asking a running backstop at its operators' address, which is found in its configuration.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::Request;
use serde_json::Value;

use super::arguments::OperatorArgs;
use super::ask::{ask, client};
use super::healthcheck::reachable;
use super::settings::FILE;
use crate::config::{AdminConfig, Config, process_environment};
use crate::wire::upload::Upload;

/// What it says at a path.
pub(super) async fn get(args: &OperatorArgs, path: &str) -> anyhow::Result<Value> {
    let address = reachable(address(args)?);
    let request = Request::get(format!("http://{address}{path}"));
    let request = request.body(Upload::from(Bytes::new()))?;
    let (head, body) = ask(&client(address)?, request).await.with_context(|| {
        format!(
            "no backstop answers at {address}: start it, or say with --admin-listen or --config where it serves operators"
        )
    })?;
    let answer: Value = serde_json::from_slice(&body)
        .with_context(|| format!("what answers at {address} is no backstop, or an older one"))?;
    if !head.status.is_success() {
        bail!("{}", answer["error"].as_str().unwrap_or("refused"));
    }
    Ok(answer)
}

/// The address that is named, else the one of the configuration, else the usual one.
fn address(args: &OperatorArgs) -> anyhow::Result<SocketAddr> {
    if let Some(address) = args.admin_listen {
        return Ok(address);
    }
    let named = args.config.config.as_deref();
    let file = named.or_else(|| Some(Path::new(FILE)).filter(|path| path.exists()));
    let Some(path) = file else {
        return Ok(AdminConfig::default().listen);
    };
    let source = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| format!("{source} cannot be read"))?;
    // The keys of providers need not be set where somebody asks.
    let variable = |name: &str| process_environment(name).or_else(|| Some("unset".to_owned()));
    let config = Config::parse(&source, &text, &variable);
    let config = config.with_context(|| {
        format!("{source} does not say where operators are served; say it with --admin-listen")
    })?;
    Ok(config.admin.listen)
}
