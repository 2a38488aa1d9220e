//! Where traces are sent.

use std::fmt;

use http::Uri;
use indexmap::IndexMap;
use serde::Deserialize;

use super::Secret;
use super::upstream::origin;

/// The path at which a collector takes traces over HTTP.
const PATH: &str = "/v1/traces";

/// Traces by OpenTelemetry.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TracesConfig {
    /// The URL of a collector, to which `/v1/traces` is added; `none`: no traces, whatever the environment says.
    pub endpoint: Option<String>,
    /// Further headers of each message to it.
    pub headers: IndexMap<String, Secret>,
    /// The part of the requests that are traced though all goes well, if their clients do not say whether they are: 0 to 1.
    pub ratio: f64,
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            headers: IndexMap::new(),
            ratio: 0.005,
        }
    }
}

/// Where traces go, whoever has said so.
#[derive(Clone, PartialEq)]
pub struct Collector {
    /// The whole URL.
    pub url: String,
    /// Further headers.
    pub headers: IndexMap<String, Secret>,
    /// What we are called there.
    pub service: String,
}

impl Collector {
    /// What is shown of its URL, whose path may hold a secret: its origin.
    pub fn shown_url(&self) -> &str {
        origin(&self.url)
    }
}

/// What the environment says of traces, in OpenTelemetry's own variables.
#[derive(Clone, Default, PartialEq)]
pub(super) struct TraceVariables {
    url: Option<String>,
    service: Option<String>,
    is_off: bool,
}

impl TraceVariables {
    /// Reads `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`,
    /// `OTEL_TRACES_EXPORTER` and `OTEL_SDK_DISABLED`. `OTEL_EXPORTER_OTLP_HEADERS` is read where traces are sent.
    pub(super) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let whole = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        let base = || variable("OTEL_EXPORTER_OTLP_ENDPOINT").map(|base| with_path(&base));
        let says = |name: &str, text: &str| {
            variable(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(text))
        };
        Self {
            url: whole.or_else(base),
            service: variable("OTEL_SERVICE_NAME"),
            is_off: says("OTEL_SDK_DISABLED", "true") || says("OTEL_TRACES_EXPORTER", "none"),
        }
    }

    /// Where traces go, if anywhere.
    pub(super) fn collector(&self, config: &TracesConfig) -> Option<Collector> {
        let url = match config.endpoint.as_deref() {
            Some("none") => return None,
            Some(base) => with_path(base),
            None if self.is_off => return None,
            None => self.url.clone().filter(|url| mistake(url).is_none())?,
        };
        Some(Collector {
            url,
            headers: config.headers.clone(),
            service: self
                .service
                .clone()
                .unwrap_or_else(|| "backstop".to_owned()),
        })
    }
}

fn with_path(base: &str) -> String {
    match base.trim_end_matches('/') {
        whole if whole.ends_with(PATH) => whole.to_owned(),
        base => format!("{base}{PATH}"),
    }
}

/// What is wrong with the URL of a collector.
pub(super) fn mistake(url: &str) -> Option<&'static str> {
    let Ok(uri) = url.parse::<Uri>() else {
        return Some("is not a URL; write for example http://localhost:4318");
    };
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    if !is_web || uri.host().is_none_or(str::is_empty) {
        return Some("is not a URL; write for example http://localhost:4318");
    }
    if uri.port_u16() == Some(4317) {
        return Some("is the port for gRPC; traces are sent over HTTP, usually to port 4318");
    }
    let authority = uri.authority().map(http::uri::Authority::as_str);
    if authority.is_some_and(|authority| authority.contains('@')) {
        return Some("must not hold a user or a password: write headers");
    }
    None
}

/// Without the values of headers.
impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collector({})", self.shown_url())
    }
}

impl fmt::Debug for TraceVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceVariables({:?})", self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::{TraceVariables, TracesConfig, mistake};

    #[test]
    fn the_configuration_counts_before_the_environment() {
        let collector = |endpoint: Option<&str>, pairs: &[(&str, &str)]| {
            let variables = TraceVariables::read(&|name| {
                let found = pairs.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, text)| (*text).to_owned())
            });
            let config = TracesConfig {
                endpoint: endpoint.map(str::to_owned),
                ..TracesConfig::default()
            };
            variables.collector(&config).map(|collector| collector.url)
        };
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318/");
        let url = |text: &str| Some(text.to_owned());
        assert_eq!(collector(None, &[]), None);
        assert_eq!(collector(None, &[base]), url("http://otel:4318/v1/traces"));
        let whole = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://otel/in");
        assert_eq!(collector(None, &[base, whole]), url("http://otel/in"));
        assert_eq!(
            collector(None, &[base, ("OTEL_SDK_DISABLED", "True")]),
            None
        );
        assert_eq!(
            collector(None, &[base, ("OTEL_TRACES_EXPORTER", "none")]),
            None
        );
        assert_eq!(collector(Some("none"), &[base]), None);
        let own = collector(
            Some("http://mine/v1/traces"),
            &[base, ("OTEL_SDK_DISABLED", "true")],
        );
        assert_eq!(own, url("http://mine/v1/traces"));
    }

    #[test]
    fn a_collectors_headers_are_not_shown() {
        let headers = "{endpoint: \"http://otel/v1/traces\", headers: {authorization: hidden}}";
        let config: TracesConfig = serde_yaml::from_str(headers).unwrap();
        let collector = TraceVariables::default().collector(&config).unwrap();
        assert_eq!(format!("{collector:?}"), "Collector(http://otel)");
        let variables = TraceVariables::read(&|name| {
            (name == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").then(|| "http://otel/in".to_owned())
        });
        let shown = "TraceVariables(Some(\"http://otel/in\"))";
        assert_eq!(format!("{variables:?}"), shown);
    }

    #[test]
    fn the_environment_is_not_followed_to_where_nothing_listens() {
        for (url, is_right) in [
            ("http://otel:4318/v1/traces", true),
            ("https://otel.example/v1/traces", true),
            ("http://otel:4317", false),
            ("otel:4318", false),
            ("grpc://otel:4318", false),
            ("http://user:secret@otel:4318", false),
            ("http://:4318", false),
        ] {
            assert_eq!(mistake(url).is_none(), is_right, "{url}");
        }
    }
}
