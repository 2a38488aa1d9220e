//! `backstop demo`: simulated providers, the real proxy, and outages at the press of a key.

mod asker;
mod cast;
mod screen;
mod stage;
mod story;
mod terminal;

use anyhow::Context;

use self::cast::Cast;
use self::stage::Stage;
use super::arguments::DemoArgs;
use super::print::{self, tell};
use super::settings::reachable;
use super::stop::Stop;
use crate::config::Config;
use crate::gateway::Gateway;

const QUESTION: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}"#;

/// Whether it is played by keys.
pub(super) fn is_by_keys(args: &DemoArgs) -> bool {
    !args.script && terminal::is_there()
}

/// Plays until it is interrupted: by keys on a terminal, else the story, after which it goes on serving.
pub(super) async fn run(args: &DemoArgs) -> anyhow::Result<()> {
    print::open().context("cannot write to standard output")?;
    let mut cast = Cast::start().await?;
    let yaml = cast.yaml();
    let mut config = Config::parse("the demo's configuration", &yaml, &|_| None)?;
    config.listen = args.listen;
    config.admin.listen = args.admin_listen;
    config.hosts.extend(args.hosts.names());
    let mut stop = Stop::listen()?;
    let gateway = Gateway::start(&config, Vec::new()).await?;
    introduce(&gateway);
    let (proxy, admin) = (
        reachable(gateway.address()),
        reachable(gateway.admin_address()),
    );
    if is_by_keys(args) {
        Stage::new(cast, proxy, admin)?.play(&mut stop).await?;
        return Ok(());
    }
    tell(
        "Meanwhile a client asks five times a second. Lines with a level are the proxy's own log.\n",
    );
    tokio::select! {
        played = story::play(&mut cast, proxy) => played?,
        () = stop.asked() => return Ok(()),
    }
    tell("\nThe proxy and the providers go on until you press Ctrl-C. Try the curl line.");
    stop.asked().await;
    stop.drain(gateway).await;
    Ok(())
}

fn introduce(gateway: &Gateway) {
    let (address, admin) = (gateway.address(), gateway.admin_address());
    let (address, admin) = (reachable(address), reachable(admin));
    tell(format_args!(
        "Three simulated providers, with the real proxy in front. In another terminal:\n\n\
         export OPENAI_BASE_URL=http://{address}/v1 OPENAI_API_KEY=any\n\
         curl -i $OPENAI_BASE_URL/chat/completions -H 'content-type: application/json' -d '{QUESTION}'\n\
         curl http://{admin}/metrics\n\n\
         Open beside this: http://{admin}/\n"
    ));
}
