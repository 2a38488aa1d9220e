//! `backstop healthcheck`: for Docker, which needs an exit code.

use super::arguments::ProxyArgs;
use super::operators::Operators;

/// Calls `/readyz`.
pub(super) async fn run(args: &ProxyArgs) -> anyhow::Result<()> {
    Operators::of(args)?.ready().await
}
