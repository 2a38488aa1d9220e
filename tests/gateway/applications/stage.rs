//! A gateway between a program and two upstreams: the first one is down, the second one has another API.

use backstop::event::Event;
use backstop::outcome::Outcome;
use backstop::simulator::{Fault, Received, Script, Simulator};
use serde_json::Value;

use crate::harness::TestGateway;

/// The key of the program, which nobody but the gateway may see.
pub(super) const KEY: &str = "key-of-the-program";
/// The text of the second upstream's answer.
pub(super) const ANSWER: &str = "Hello from the second.";

const STANDBY_KEY: &str = "key-of-the-standby";

/// The second upstream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Standby {
    /// It has Anthropic's API.
    Claude,
    /// It has Chat Completions only.
    Chat,
}

impl Standby {
    fn upstream(self) -> &'static str {
        match self {
            Self::Claude => "provider: anthropic",
            Self::Chat => "provider: openai-compatible, responses: false",
        }
    }

    fn model(self) -> &'static str {
        match self {
            Self::Claude => "claude-sonnet-4-5",
            Self::Chat => "gpt-4o",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Claude => "/v1/messages",
            Self::Chat => "/v1/chat/completions",
        }
    }

    fn key(self) -> (&'static str, String) {
        match self {
            Self::Claude => ("x-api-key", STANDBY_KEY.to_owned()),
            Self::Chat => ("authorization", format!("Bearer {STANDBY_KEY}")),
        }
    }
}

/// The ways in which the first upstream is down.
pub(super) fn outages() -> [Script; 2] {
    [Script::status(503), Script::fault(Fault::Refuse)]
}

pub(super) struct Stage {
    first: Simulator,
    second: Simulator,
    standby: Standby,
    gateway: TestGateway,
}

impl Stage {
    /// The first upstream is of this provider, and down in this way.
    pub(super) async fn set(provider: &str, outage: Script, standby: Standby) -> Self {
        let first = Simulator::start("first", outage).await.unwrap();
        let script = Script::answer(ANSWER);
        let second = Simulator::start("second", script).await.unwrap();
        let gateway = TestGateway::start(&format!(
            "clients: [{{name: program, key: {KEY}}}]\n\
             upstreams:\n\
             \x20 first: {{provider: {provider}, base_url: \"{}\", api_key: key-of-the-first}}\n\
             \x20 second: {{{}, base_url: \"{}\", api_key: {STANDBY_KEY}}}\n\
             routes: [{{models: [\"*\"], candidates: [{{upstream: first}}, {{upstream: second, model: {}}}]}}]\n",
            first.base_url(),
            standby.upstream(),
            second.base_url(),
            standby.model(),
        ))
        .await;
        Self {
            first,
            second,
            standby,
            gateway,
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        self.gateway.url(path)
    }

    /// The result of a program, while the second upstream answers once with this reply, and then with text.
    pub(super) async fn replying_once<T>(
        &self,
        reply: Script,
        program: impl Future<Output = T>,
    ) -> T {
        self.second.play(reply).await;
        let words = async {
            self.second.wait_received(1).await;
            self.second.play(Script::answer(ANSWER)).await;
            std::future::pending().await
        };
        tokio::select! {
            printed = program => printed,
            never = words => never,
        }
    }

    /// Makes sure that the first upstream was tried in vain, and that the second one got the request in its own API,
    /// with its own key and without a trace of the program's. Returns the requests.
    pub(super) fn asked(&self) -> Vec<Value> {
        let tried_in_vain = |event: &Event| {
            matches!(event, Event::AttemptFinished { report, .. }
                if report.upstream.as_ref() == "first" && report.outcome != Outcome::Success)
        };
        assert!(self.gateway.events.all().iter().any(tried_in_vain));
        let (header, key) = self.standby.key();
        for request in self.second.received() {
            assert_eq!(request.path, self.standby.path());
            assert_eq!(request.header(header), Some(key.as_str()));
            assert_eq!(request.model().as_deref(), Some(self.standby.model()));
        }
        for request in self.first.received().iter().chain(&self.second.received()) {
            let body = String::from_utf8_lossy(&request.body);
            let sent = format!("{} {:?} {body}", request.path, request.headers);
            assert!(!sent.contains(KEY), "{sent}");
        }
        let received = self.second.received();
        received.iter().map(Received::json).collect()
    }
}
