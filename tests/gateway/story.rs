//! One outage after the other, told everywhere with the same numbers: those that clients and upstreams have counted.

mod clients;
mod told;

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use backstop::simulator::{Script, Simulator};
use serde_json::Value;
use tokio::process::Child;
use tokio::time::sleep;

use self::clients::Clients;
use self::told::Told;
use crate::chromium::Tab;
use crate::cli::{Running, SERVE, address, backstop, finish};
use crate::harness::{PATIENCE, RealPace, Setup, simulators, within};
use crate::watched::prometheus::Prometheus;

const ATTEMPTS: &str = "backstop_attempts_total";
const MODEL: &str = "gpt-4o";
const SMALL_MODEL: &str = "gpt-4o-mini";
/// What fires about outages of one upstream and of a model at it, and about requests that all upstreams reject.
const ABOUT_IT: [&str; 7] = [
    "BackstopFallbackServes",
    "BackstopModelDown",
    "BackstopModelErrors",
    "BackstopModelSlow",
    "BackstopRejectionsJump",
    "BackstopUpstreamDown",
    "BackstopUpstreamErrors",
];

/// The program between clients and upstreams, with everybody who is told.
struct Story {
    clients: Clients,
    first: Simulator,
    second: Simulator,
    receiver: Simulator,
    prometheus: Prometheus,
    admin: String,
    told: Told,
    _child: Child,
    _pace: RealPace,
}

impl Story {
    async fn begin(folder: &Path) -> Self {
        let pace = RealPace::keep();
        let (first, second) = simulators().await;
        let receiver = Simulator::start("receiver", Script::healthy())
            .await
            .unwrap();
        let yaml = Setup::new()
            .upstream(&first)
            .upstream(&second)
            .route(&[MODEL, SMALL_MODEL], &["first", "second"])
            .lines("check_models: false\nlog: {requests: info}")
            .lines(&format!(
                "notify: [{{url: \"{}/chat/completions\"}}]",
                receiver.base_url()
            ))
            .yaml();
        fs::write(folder.join("backstop.yaml"), yaml).unwrap();
        let arguments = ["serve", "--log-format", "json", "--state-dir", "state"];
        let mut running = Running::start(backstop(folder, &[&arguments[..], &SERVE].concat()));
        let clients = address(&running.logged("OPENAI_BASE_URL=http://").await);
        let admin = address(&running.logged("serving operators: http://").await);
        let prometheus = Prometheus::watching(&[("story", admin.clone())]).await;
        Self {
            clients: Clients::of(&format!("http://{clients}/v1")).await,
            first,
            second,
            receiver,
            prometheus,
            told: Told::new(&admin, running.stderr),
            admin,
            _child: running.child,
            _pace: pace,
        }
    }

    /// Asks one by one until this is true.
    async fn ask_until(&mut self, models: &[&str], what: impl AsyncFn(&Self) -> bool) {
        let started = std::time::SystemTime::now();
        while !what(self).await {
            let waited = started.elapsed().unwrap_or_default();
            assert!(waited < PATIENCE, "it does not come to pass");
            for model in models {
                self.clients.ask(model, 1).await;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn fires(&self, alert: &str) -> bool {
        let query = format!("ALERTS{{alertstate=\"firing\",alertname=\"{alert}\"}}");
        !self.prometheus.query(&query).await.is_empty()
    }

    /// All outages, one after the other.
    async fn happens(&mut self) {
        self.clients.ask(MODEL, 20).await;
        let sometimes = Script::status(503).with_share(0.3, 7);
        self.first.play(sometimes).await;
        self.clients.ask(MODEL, 12).await;
        self.first.play(Script::status(503)).await;
        self.ask_until(&[MODEL, SMALL_MODEL], async |story| {
            story.fires("BackstopUpstreamDown").await
        })
        .await;
        self.clients.ask(MODEL, 20).await;
        self.first.play(Script::healthy()).await;
        self.ask_until(&[MODEL, SMALL_MODEL], async |story| {
            story.told.state_of("first").await == "in_rotation"
        })
        .await;
        for upstream in [&self.first, &self.second] {
            upstream.play(Script::status(400)).await;
        }
        self.clients.ask(MODEL, 10).await;
        self.second.play(Script::healthy()).await;
        let one_model = Script::status(500).with_only_model(SMALL_MODEL);
        self.first.play(one_model).await;
        self.ask_until(&[MODEL, SMALL_MODEL], async |story| {
            story.fires("BackstopModelDown").await
        })
        .await;
    }

    /// Metrics and figures agree with what an upstream has received.
    async fn agrees(&self, upstream: &Simulator) {
        let name = format!("upstream=\"{}\"", upstream.name());
        let figures = self.told.of_upstream(upstream.name()).await;
        let received = upstream.received_count() as u64;
        let attempts = self.told.metric(ATTEMPTS, &[&name]).await;
        assert_eq!(attempts, received, "{name}");
        assert_eq!(figures["requests"], received, "{name}: {figures:#}");
        let failures = figures["failures"].as_object().unwrap();
        let failed: u64 = failures.values().filter_map(Value::as_u64).sum();
        assert_eq!(figures["failed"], failed, "{figures:#}");
        for (outcome, count) in failures {
            let outcome = format!("outcome=\"{outcome}\"");
            let counted = self.told.metric(ATTEMPTS, &[&name, &outcome]).await;
            assert_eq!(*count, counted, "{outcome} at {name}");
        }
    }

    /// What Prometheus has scraped is what clients have counted, and nothing else has fired.
    async fn is_told_by_prometheus(&self) {
        let counts = self.clients.counts;
        for (result, count) in [
            ("answered", counts.answered),
            ("rejected", counts.rejected),
            ("failed", 0),
        ] {
            let query = format!("sum(backstop_requests_total{{result=\"{result}\"}})");
            let has_all = |found: &[(Value, f64)]| found.iter().all(|it| it.1 as u64 == count);
            self.prometheus.until(&query, has_all).await;
        }
        let fired = self.prometheus.alerts_so_far("story").await;
        for alert in ["BackstopUpstreamDown", "BackstopModelDown"] {
            assert!(fired.iter().any(|name| name == alert), "{fired:?}");
        }
        let is_about_it = |alert: &String| ABOUT_IT.contains(&alert.as_str());
        assert!(fired.iter().all(is_about_it), "{fired:?}");
    }

    /// What clients had, in the interface and in the report.
    async fn is_in_figures(&self, folder: &Path) {
        let counts = self.clients.counts;
        let figures = self.told.of_clients().await;
        assert_eq!(figures["requests"], counts.answered, "{figures:#}");
        assert_eq!(figures["rejected"], counts.rejected);
        assert_eq!(figures["failed"], 0);
        let skipped = ["passed_over=\"true\""];
        let skipped = self
            .told
            .metric("backstop_fallback_answers_total", &skipped);
        assert_eq!(figures["passed_over"], skipped.await);
        let report = ["report", "--since=24h", "--format=json"];
        let arguments = [&report[..], &["--admin-listen", &self.admin]].concat();
        let (_, report, complaint) = finish(backstop(folder, &arguments)).await;
        let report: Value = serde_json::from_str(&report).expect(&complaint);
        for name in ["requests", "rejected", "failed", "saved", "passed_over"] {
            assert_eq!(report["rows"][0]["figures"][name], figures[name], "{name}");
        }
    }

    /// One incident for each outage, that nobody noticed, told to webhooks when it began.
    async fn is_in_incidents_and_webhooks(&self) {
        let incidents = self.told.incidents().await;
        let models = incidents.iter().map(|it| it["model"].as_str());
        let models: HashSet<Option<&str>> = models.collect();
        let expected = [None, Some(SMALL_MODEL)].into();
        assert_eq!((incidents.len(), models), (2, expected), "{incidents:#?}");
        // The first has begun, it is over, the second has begun.
        within(self.receiver.wait_received(3)).await;
        let messages = self.receiver.received().into_iter();
        let messages = messages.map(|message| message.json()["events"].take());
        let events = messages.flat_map(|events| events.as_array().unwrap().clone());
        // A model that comes back a little later than its upstream is told of, too, and so is an upstream that is suspected
        // once more before it is clear that only one model fails.
        let is_told_first = |event: &Value| event["model"] != MODEL && event["times"] == 1;
        let events: Vec<Value> = events.filter(is_told_first).collect();
        let kinds: Vec<&Value> = events.iter().map(|event| &event["kind"]).collect();
        let expected = ["outage_began", "outage_over", "outage_began"];
        assert_eq!(kinds, expected, "{events:#?}");
        let figures = self.told.of_upstream("first").await;
        let mut failed = 0;
        for incident in &incidents {
            assert_eq!(incident["noticed"], 0, "{incident:#}");
            failed += incident["requests"].as_u64().unwrap();
            let is_it = |event: &Value| {
                let same = ["upstream", "model", "cause"];
                event["kind"] == "outage_began"
                    && same.iter().all(|name| event[name] == incident[name])
            };
            assert!(events.iter().any(is_it), "{incident:#}: {events:#?}");
        }
        assert!(failed <= figures["failed"].as_u64().unwrap());
    }
}

#[tokio::test]
async fn outages_are_told_everywhere_with_the_numbers_of_clients_and_upstreams() {
    let folder = tempfile::tempdir().unwrap();
    let mut story = Story::begin(folder.path()).await;
    story.happens().await;
    let counts = story.clients.counts;
    assert_eq!((counts.rejected, counts.failed), (10, 0), "{counts:?}");

    story.agrees(&story.first).await;
    story.agrees(&story.second).await;
    story.is_in_figures(folder.path()).await;
    story.is_told_by_prometheus().await;
    story.is_in_incidents_and_webhooks().await;
    story.told.logs("answered", counts.answered).await;
    story.told.logs("rejected", counts.rejected).await;
    let mut tab = Tab::start().await;
    tab.open(&format!("http://{}/", story.admin)).await;
    // The page sets thousands apart.
    let answered = format!("({}).toLocaleString('en')", counts.answered);
    let answered = tab.value(&answered).await;
    let answered = answered.as_str().unwrap();
    let felt = format!("Clients felt nothing: 0 of {answered} requests failed");
    tab.shows(&felt).await;
    tab.shows("second answers instead.").await;
}
