//! Who plays: three simulated providers with voices of their own, and what can happen to them.

use std::time::Duration;

use crate::simulator::{Continuing, Fault, Script, Simulator};

/// The providers, in the order in which the proxy tries them: name, provider in the configuration, model, first words.
const ROLES: [(&str, &str, &str); 3] = [
    ("openai", "gpt-4o", "OpenAI here, simulated."),
    ("claude", "claude-sonnet-5-5", "This is Claude, simulated."),
    ("ernie", "ernie-5.1", "Ernie speaking, simulated."),
];
/// What all of them say in between: whoever continues another's answer finds the place.
const ANSWER: &str =
    "This is the answer to what you asked, made of plain words, so that you can see who says them.";
/// In the middle of it.
const MIDDLE: usize = 14;
const TOKEN_DELAY: Duration = Duration::from_millis(5);

/// What can happen to a provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mishap {
    #[default]
    None,
    Errors,
    Stalls,
    Cuts,
    RateLimit,
    SlowStart,
    Down,
}

impl Mishap {
    /// By the key that brings it about.
    pub(super) fn of_key(key: u8) -> Option<Self> {
        Some(match key {
            b'h' | b'0' => Self::None,
            b'1' => Self::Errors,
            b'2' => Self::Stalls,
            b'3' => Self::Cuts,
            b'4' => Self::RateLimit,
            b'5' => Self::SlowStart,
            b'6' => Self::Down,
            _ => return None,
        })
    }

    /// What the provider does now.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::None => "is well",
            Self::Errors => "answers 503",
            Self::Stalls => "stalls midway",
            Self::Cuts => "cuts its streams",
            Self::RateLimit => "limits the rate",
            Self::SlowStart => "begins after 5 s",
            Self::Down => "refuses to connect",
        }
    }

    fn on(self, script: Script) -> Script {
        let fault = match self {
            Self::None => return script,
            Self::SlowStart => return script.with_first_token_delay(Duration::from_secs(5)),
            Self::Errors => Fault::status(503),
            Self::Stalls => Fault::StallAfter(MIDDLE),
            Self::Cuts => Fault::CutAfter(MIDDLE),
            Self::RateLimit => Fault::RateLimited {
                after: Duration::from_secs(2),
            },
            Self::Down => Fault::Refuse,
        };
        Script { fault, ..script }
    }
}

/// One provider.
pub(super) struct Player {
    pub(super) simulator: Simulator,
    pub(super) mishap: Mishap,
    voice: &'static str,
}

impl Player {
    pub(super) async fn meets(&mut self, mishap: Mishap) {
        self.mishap = mishap;
        self.simulator
            .play(mishap.on(script(self.simulator.name(), self.voice)))
            .await;
    }
}

/// All providers.
pub(super) struct Cast {
    pub(super) players: Vec<Player>,
}

impl Cast {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let mut players = Vec::new();
        for (name, _, voice) in ROLES {
            players.push(Player {
                simulator: Simulator::start(name, script(name, voice)).await?,
                mishap: Mishap::None,
                voice,
            });
        }
        Ok(Self { players })
    }

    /// A configuration that has them as upstreams, without the addresses to serve on.
    pub(super) fn yaml(&self) -> String {
        let mut upstreams = String::new();
        let mut candidates = String::new();
        for (player, (name, model, _)) in self.players.iter().zip(ROLES) {
            let provider = if name == "claude" { "anthropic" } else { name };
            let url = player.simulator.base_url();
            upstreams += &format!(
                "  {name}: {{provider: {provider}, base_url: \"{url}\", api_key: simulated-{name}}}\n"
            );
            candidates += &format!("      - {{upstream: {name}, model: {model}}}\n");
        }
        // A demonstration has no time to be as patient as the defaults.
        format!(
            "upstreams:\n{upstreams}routes:\n  - models: [\"*\"]\n    continuation: regenerate\n    candidates:\n{candidates}\
             check_models: false\n\
             timeouts: {{connect: 1s, first_token: 2s, answer: 4s, idle: 2s, content: 2s, reasoning: 2s, total: 10s, wait: 2s}}\n"
        )
    }
}

fn script(name: &str, voice: &str) -> Script {
    let signed = format!("{}{}", name[..1].to_uppercase(), &name[1..]).replace("ai", "AI");
    Script::answer(format!("{voice} {ANSWER} Yours, {signed}."))
        .with_token_delay(TOKEN_DELAY)
        .with_continuing(Continuing::OnInstruction)
}
