//! Playing a situation: upstreams, backstop before them, and clients.

use std::time::Duration;

use backstop::simulator::{Draw, Script, Simulator};
use tokio::time::{Instant, sleep_until};

use crate::clients::{Burst, Clients, Ended};
use crate::program::Backstop;
use crate::situation::{Seen, Situation, Upstream};

/// Plays a situation once, with the draws of this seed.
pub(crate) async fn play(situation: &Situation, seed: u64, clients: &mut Clients) -> Seen {
    let mut simulators = Vec::new();
    for number in 1..=situation.upstreams.len() {
        let name = format!("upstream-{number}");
        let simulator = Simulator::start(&name, situation.healthy.clone()).await;
        simulators.push(simulator.unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let yaml = yaml(&simulators, &situation.upstreams);
    let backstop = Backstop::start(folder.path(), &yaml).await;
    if situation.before > 0 {
        let burst = Burst {
            requests: situation.before,
            patience: None,
            tells: true,
            ..situation.burst
        };
        let ended = clients.ask(&backstop.base_url, &burst).await;
        assert!(ended.iter().all(Ended::is_answered), "{ended:?}");
    }
    let (calls_before, attempts_before) = (calls(&simulators), backstop.attempts().await);

    let acts = acts(&situation.upstreams, seed);
    let (at_once, later): (Vec<Act>, Vec<Act>) = acts.into_iter().partition(|act| act.0.is_zero());
    perform(at_once, &simulators).await;
    let (ended, ()) = tokio::join!(
        clients.ask(&backstop.base_url, &situation.burst),
        perform(later, &simulators)
    );
    Seen {
        runs: vec![ended],
        calls: calls(&simulators) - calls_before,
        attempts: backstop.attempts().await - attempts_before,
    }
}

/// What happens: after how long, at which upstream.
type Act = (Duration, usize, Script);

/// All that happens, in the order of time.
fn acts(upstreams: &[Upstream], seed: u64) -> Vec<Act> {
    let mut acts = Vec::new();
    for (index, upstream) in upstreams.iter().enumerate() {
        for (after, script) in &upstream.acts {
            let mut script = script.clone();
            // Upstreams do not fail together.
            script.draw = script.draw.map(|draw| Draw {
                seed: seed * 100 + index as u64,
                ..draw
            });
            acts.push((*after, index, script));
        }
    }
    acts.sort_by_key(|act| act.0);
    acts
}

async fn perform(acts: Vec<Act>, simulators: &[Simulator]) {
    let start = Instant::now();
    for (after, index, script) in acts {
        sleep_until(start + after).await;
        simulators[index].play(script).await;
    }
}

/// The configuration: all upstreams in their order for every model, everything else by default.
fn yaml(simulators: &[Simulator], upstreams: &[Upstream]) -> String {
    let mut yaml = "upstreams:\n".to_owned();
    let mut candidates = Vec::new();
    for (simulator, upstream) in simulators.iter().zip(upstreams) {
        let (name, base_url) = (simulator.name(), simulator.base_url());
        yaml += &format!(
            "  {name}: {{provider: openai-compatible, base_url: \"{base_url}\", api_keys: {:?}}}\n",
            upstream.keys
        );
        candidates.push(format!("{{upstream: {name}}}"));
    }
    let candidates = candidates.join(", ");
    yaml + &format!("routes: [{{models: [\"*\"], candidates: [{candidates}]}}]\n")
}

/// Calls of a model that have arrived; health checks cost nothing.
fn calls(simulators: &[Simulator]) -> usize {
    let received = simulators.iter().flat_map(Simulator::received);
    received
        .filter(|request| request.path.ends_with("/chat/completions"))
        .count()
}
