//! `config.example.yaml` is good, and complete.

use std::collections::BTreeSet;

use backstop::config::Config;
use serde_yaml::Value;

const EXAMPLE: &str = include_str!("../../config.example.yaml");

/// Every key there is. A key of `Config` that is missing here is found by the last test.
const KEYS: &[&str] = &[
    "listen",
    "tls",
    "cert",
    "key",
    "admin",
    "clients",
    "name",
    "upstreams",
    "provider",
    "base_url",
    "api_key",
    "api_keys",
    "ca_file",
    "routes",
    "models",
    "candidates",
    "upstream",
    "model",
    "tier",
    "weight",
    "timeouts",
    "connect",
    "first_token",
    "answer",
    "idle",
    "total",
    "limits",
    "body",
    "headers",
    "connections",
    "requests",
    "idle_connection",
    "drain",
];

#[test]
fn the_example_works_once_the_keys_are_set() {
    let config = Config::parse("config.example.yaml", EXAMPLE, &|_| {
        Some("a-key".to_owned())
    })
    .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.upstreams.len(), 4);
}

#[test]
fn the_example_shows_the_defaults() {
    let example = Config::parse("config.example.yaml", EXAMPLE, &|_| {
        Some("a-key".to_owned())
    })
    .unwrap();
    let default = Config::default();
    assert_eq!(
        format!("{:?}", example.limits),
        format!("{:?}", default.limits)
    );
    assert_eq!(example.timeouts.answer(), default.timeouts.answer());
    assert_eq!(
        (example.listen, example.admin.listen),
        (default.listen, default.admin.listen)
    );
}

#[test]
fn the_example_documents_every_key() {
    // Commented-out keys count: optional things are shown that way.
    let shown: BTreeSet<&str> = EXAMPLE
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .filter_map(|word| word.strip_suffix(':'))
        .collect();
    let missing: Vec<_> = KEYS.iter().filter(|key| !shown.contains(**key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The configuration itself tells which keys it knows, when it is given one that it does not.
#[test]
fn the_list_of_keys_is_complete() {
    let text = "\
x: 1
tls: {x: 1}
admin: {x: 1}
clients: [{x: 1}]
upstreams: {a: {x: 1}}
routes: [{x: 1, candidates: [{x: 1}]}]
timeouts: {x: 1}
limits: {x: 1}
";
    let _: Value = serde_yaml::from_str(text).unwrap();
    let problems = Config::parse("test", text, &|_| None).unwrap_err();
    let known: BTreeSet<String> = problems
        .list
        .iter()
        .filter(|problem| problem.message == "unknown key")
        .filter_map(|problem| problem.hint.as_deref()?.strip_prefix("known are "))
        .flat_map(|names| names.split(", "))
        .map(str::to_owned)
        .collect();
    assert_eq!(known, KEYS.iter().map(|key| (*key).to_owned()).collect());
}
