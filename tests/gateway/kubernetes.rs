//! The manifests for Kubernetes: what they say fits to what backstop does, and a rolling restart by them loses nothing.
//! `tests/kubernetes.sh` keeps them equal to what the chart renders.

mod front;
mod rollout;

use std::fs;
use std::path::Path;
use std::time::Duration;

use backstop::config::Config;
use serde::Deserialize;
use serde_yaml::{Deserializer, Value};

/// What the process may need after its drain, to write files and to send traces.
const FAREWELL: Duration = Duration::from_secs(15);

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The manifest of this kind.
fn manifest(file: &str, kind: &str) -> Value {
    let text = text(file);
    let mut all = Deserializer::from_str(&text).map(|one| Value::deserialize(one).unwrap());
    all.find(|one| one["kind"] == kind).unwrap()
}

fn plain(kind: &str) -> Value {
    manifest("deploy/kubernetes/backstop.yaml", kind)
}

fn pod() -> Value {
    plain("Deployment")["spec"]["template"]["spec"].clone()
}

/// The configuration of the manifests, with its secrets in another folder.
fn configuration(secrets: &Path) -> String {
    let map = plain("ConfigMap");
    let text = map["data"]["backstop.yaml"].as_str().unwrap();
    let mounted = "/run/secrets/backstop";
    assert!(text.contains(mounted));
    text.replace(mounted, &secrets.display().to_string())
}

/// A folder with a secret for each file that the configuration names.
fn secrets() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["openai", "anthropic", "client"] {
        let secret = format!("the-secret-of-{name}\n");
        fs::write(folder.path().join(name), secret).unwrap();
    }
    folder
}

#[test]
fn the_configuration_is_good_and_a_pod_has_time_and_room_for_it() {
    let secrets = secrets();
    let text = configuration(secrets.path());
    let config = Config::parse("backstop.yaml", &text, &|_| None).unwrap();
    assert_eq!(config.warnings, []);
    let pod = pod();
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    let needed = config.limits.shutdown_delay + config.limits.drain + FAREWELL;
    assert_eq!(Duration::from_secs(grace), needed);
    let room = &pod["containers"][0]["resources"]["limits"]["memory"];
    let room = room.as_str().unwrap().strip_suffix("Mi").unwrap();
    let room = room.parse::<usize>().unwrap() << 20;
    // The program itself, a stream for each request, and the bodies.
    let needed = (14 << 20) + config.limits.requests * (47 << 10) + config.limits.memory;
    assert!(needed < room, "{needed} bytes of {room}");
}

#[test]
fn the_image_and_the_alerts_are_those_of_this_version() {
    let pod = pod();
    let image = pod["containers"][0]["image"].as_str().unwrap();
    assert_eq!(image.split_once(':').unwrap().1, env!("CARGO_PKG_VERSION"));
    assert_eq!(
        text("deploy/helm/backstop/rules.yml"),
        text("deploy/rules.yml")
    );
    let rules: Value = serde_yaml::from_str(&text("deploy/rules.yml")).unwrap();
    let shown = manifest("deploy/kubernetes/monitoring.yaml", "PrometheusRule");
    assert_eq!(shown["spec"], rules);
}

#[test]
fn replicas_are_added_by_a_metric_that_exists() {
    let file = "deploy/kubernetes/autoscaling.yaml";
    let scaler = manifest(file, "HorizontalPodAutoscaler");
    let metric = &scaler["spec"]["metrics"][0]["pods"];
    let name = metric["metric"]["name"].as_str().unwrap();
    let reference = text("src/guide/reference.md");
    assert!(reference.contains(&format!("| `{name}` | gauge | |")));
    assert!(text("src/guide/kubernetes.md").contains(name));
    let each = metric["target"]["averageValue"].as_str().unwrap();
    assert!(each.parse::<usize>().unwrap() < Config::default().limits.requests);
}
