//! `backstop demo`: simulated providers, the real proxy, and an outage.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::Request;
use tokio::time::{Instant, interval, sleep_until};

use super::arguments::DemoArgs;
use super::ask::{ask, client};
use super::print::{self, tell};
use super::stop::Stop;
use crate::config::Config;
use crate::gateway::Gateway;
use crate::simulator::{Fault, Script, Simulator};
use crate::upstream::Client;
use crate::wire::upload::Upload;

const QUESTION: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}"#;
/// Five requests a second: enough to see health tracking at work, and slow enough to read along.
const PACE: Duration = Duration::from_millis(200);

/// The steps of the demo: when, what happens, and the text that is shown.
const STORY: [(u64, Turn, &str); 4] = [
    (0, Turn::Heal, "both providers are well"),
    (
        3,
        Turn::Break,
        "primary breaks: it answers 503 to everything",
    ),
    (
        9,
        Turn::Heal,
        "primary is well again: half-open probes bring it back",
    ),
    (15, Turn::End, "that was it"),
];

#[derive(Clone, Copy, Debug)]
enum Turn {
    Heal,
    Break,
    End,
}

/// Runs the demo once, then serves until it is interrupted.
pub(super) async fn run(args: &DemoArgs) -> anyhow::Result<()> {
    print::open().context("cannot write to standard output")?;
    let primary = Simulator::start("primary", script("primary")).await?;
    let standby = Simulator::start("standby", script("standby")).await?;
    let config = Config::parse(
        "the demo's configuration",
        &yaml(args, &primary, &standby),
        &|_| None,
    )?;
    let mut stop = Stop::listen()?;
    let gateway = Gateway::start(&config, Vec::new())
        .await
        .context("try --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0")?;
    introduce(&gateway);
    tokio::select! {
        played = play(&gateway, &primary) => played?,
        () = stop.asked() => return Ok(()),
    }
    tell("\nThe proxy and both providers go on until you press Ctrl-C. Try the curl line.");
    stop.asked().await;
    stop.drain(gateway).await;
    Ok(())
}

fn script(name: &str) -> Script {
    Script::answer(format!("Hello! This is the {name} provider speaking."))
        .with_token_delay(Duration::from_millis(5))
}

fn yaml(args: &DemoArgs, primary: &Simulator, standby: &Simulator) -> String {
    format!(
        "listen: {}\n\
         admin: {{listen: {}}}\n\
         upstreams:\n\
         \x20 primary: {{provider: openai-compatible, base_url: \"{}\"}}\n\
         \x20 standby: {{provider: openai-compatible, base_url: \"{}\"}}\n\
         routes:\n\
         \x20 - models: [\"*\"]\n\
         \x20   candidates: [{{upstream: primary}}, {{upstream: standby}}]\n",
        args.listen,
        args.admin_listen,
        primary.base_url(),
        standby.base_url(),
    )
}

fn introduce(gateway: &Gateway) {
    let (address, admin) = (gateway.address(), gateway.admin_address());
    tell(format_args!(
        "Two simulated providers, `primary` and `standby`, with the real proxy in front. In another terminal:\n\n\
         export OPENAI_BASE_URL=http://{address}/v1 OPENAI_API_KEY=any\n\
         curl -i $OPENAI_BASE_URL/chat/completions -H 'content-type: application/json' -d '{QUESTION}'\n\
         curl http://{admin}/metrics\n\n\
         Meanwhile a client asks five times a second. Lines with a level are the proxy's own log.\n"
    ));
}

async fn play(gateway: &Gateway, primary: &Simulator) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut audience = Audience::new(gateway)?;
    for (index, (second, turn, story)) in STORY.iter().enumerate() {
        match turn {
            Turn::Heal => primary.play(script("primary")).await,
            Turn::Break => primary.play(Script::fault(Fault::status(503))).await,
            Turn::End => {}
        }
        tell(format_args!("{second:>3} s  {story}"));
        if let Some((next, ..)) = STORY.get(index + 1) {
            audience.ask_until(start + Duration::from_secs(*next)).await;
        }
    }
    tell(format_args!(
        "\n{} requests, {} answered, {} failed",
        audience.asked,
        audience.asked - audience.failed,
        audience.failed
    ));
    Ok(())
}

/// A client that sends requests and counts which upstreams answer.
struct Audience {
    client: Client,
    url: String,
    asked: usize,
    failed: usize,
}

impl Audience {
    fn new(gateway: &Gateway) -> anyhow::Result<Self> {
        Ok(Self {
            client: client(gateway.address())?,
            url: format!("http://{}/v1/chat/completions", gateway.address()),
            asked: 0,
            failed: 0,
        })
    }

    async fn ask_until(&mut self, end: Instant) {
        let mut ticks = interval(PACE);
        let mut answers: BTreeMap<String, usize> = BTreeMap::new();
        let mut slowest = Duration::ZERO;
        let ending = sleep_until(end);
        tokio::pin!(ending);
        loop {
            tokio::select! {
                biased;
                () = &mut ending => break,
                _ = ticks.tick() => {}
            }
            let asked_at = Instant::now();
            let who = self.ask().await;
            slowest = slowest.max(asked_at.elapsed());
            *answers.entry(who).or_default() += 1;
        }
        let answers: Vec<String> = answers
            .iter()
            .map(|(who, count)| format!("{who} {count}"))
            .collect();
        tell(format_args!(
            "       answered by: {}; the slowest took {} ms",
            answers.join(", "),
            slowest.as_millis()
        ));
    }

    /// Sends one request; returns which upstream answered.
    async fn ask(&mut self) -> String {
        self.asked += 1;
        match self.question().await {
            Ok(who) => who,
            Err(error) => {
                self.failed += 1;
                format!("nobody ({error:#})")
            }
        }
    }

    async fn question(&self) -> anyhow::Result<String> {
        let request = Request::post(&self.url)
            .header("content-type", "application/json")
            .body(Upload::from(Bytes::from_static(QUESTION.as_bytes())))?;
        let (head, _) = ask(&self.client, request).await?;
        anyhow::ensure!(head.status.is_success(), "status {}", head.status);
        let who = head
            .headers
            .get("x-backstop-upstream")
            .context("no name of an upstream")?;
        Ok(who.to_str()?.to_owned())
    }
}
