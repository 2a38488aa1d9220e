//! A builder for the configuration of a gateway under test: upstreams, routes, and further lines.

use backstop::config::Config;
use backstop::simulator::Simulator;

use super::TestGateway;

/// The configuration to build. Without any route, all models are served by all upstreams, in their order.
#[derive(Default)]
pub(crate) struct Setup {
    names: Vec<String>,
    upstreams: String,
    routes: String,
    lines: String,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds an upstream with `OpenAI`'s API, under its own name and with a key that identifies it.
    pub(crate) fn upstream(self, simulator: &Simulator) -> Self {
        let keys = format!(
            "provider: openai-compatible, api_key: {}-key",
            simulator.name()
        );
        self.upstream_as(simulator, &keys)
    }

    /// Adds an upstream with these keys.
    pub(crate) fn upstream_as(self, simulator: &Simulator, keys: &str) -> Self {
        self.upstream_at(simulator.name(), &simulator.base_url(), keys)
    }

    /// Adds an upstream that is not a simulator, or has another name.
    pub(crate) fn upstream_at(mut self, name: &str, base_url: &str, keys: &str) -> Self {
        self.names.push(name.to_owned());
        let upstream = format!("  {name}: {{base_url: \"{base_url}\", {keys}}}\n");
        self.upstreams += &upstream;
        self
    }

    /// Adds a route of these models to these upstreams. An upstream's name may be followed by more: `second, model:
    /// other`.
    pub(crate) fn route(self, models: &[&str], candidates: &[&str]) -> Self {
        self.route_with(models, candidates, "")
    }

    /// The same, with these keys of the route: `hedge: true`.
    pub(crate) fn route_with(mut self, models: &[&str], candidates: &[&str], keys: &str) -> Self {
        self.routes += &route(models, candidates, keys);
        self
    }

    /// With these lines, at the end of the file.
    pub(crate) fn lines(mut self, lines: &str) -> Self {
        self.lines += lines.trim_end();
        self.lines.push('\n');
        self
    }

    pub(crate) fn yaml(&self) -> String {
        let mut yaml = format!("upstreams:\n{}routes:\n{}", self.upstreams, self.routes);
        if self.routes.is_empty() {
            let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
            yaml += &route(&["*"], &names, "");
        }
        match self.lines.contains("check_models:") {
            true => yaml + &self.lines,
            false => yaml + &self.lines + "check_models: false\n",
        }
    }

    /// The same as another configuration for a gateway that runs.
    pub(crate) fn config(&self) -> Result<Config, String> {
        Config::parse("test", &self.yaml(), &|_| None).map_err(|problems| problems.to_string())
    }

    pub(crate) async fn start(&self) -> TestGateway {
        TestGateway::start(&self.yaml()).await
    }
}

fn route(models: &[&str], candidates: &[&str], keys: &str) -> String {
    let candidates: Vec<String> = candidates
        .iter()
        .map(|candidate| format!("{{upstream: {candidate}}}"))
        .collect();
    let candidates = candidates.join(", ");
    format!("  - {{models: {models:?}, candidates: [{candidates}], {keys}}}\n")
}
