//! `config.example.yaml` is valid and complete; good configurations load, and bad ones get exact errors.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use backstop::config::{Config, Problems, from_environment, process_environment, read_text};
use serde_yaml::Value;

const EXAMPLE: &str = include_str!("../../config.example.yaml");

/// Every key there is. A key of `Config` that is missing here is found by the last test.
const KEYS: &[&str] = &[
    "answers_tools",
    "call_ids",
    "check_models",
    "developer",
    "efforts",
    "forced_tools",
    "limit",
    "longest_description",
    "messages_url",
    "plain_turns",
    "quirks",
    "refuses",
    "retires",
    "sampling",
    "thinks",
    "tools_by",
    "wants_thoughts_back",
    "list_models",
    "listen",
    "reload",
    "reuse_port",
    "tls",
    "cert",
    "key",
    "key_sha256",
    "expires",
    "requests_per_minute",
    "tokens_per_minute",
    "concurrent",
    "admin",
    "client_cert",
    "client_key",
    "clients",
    "hosts",
    "cors",
    "name",
    "upstreams",
    "provider",
    "proxy",
    "base_url",
    "api_key",
    "api_keys",
    "api_key_file",
    "api_key_command",
    "api_key_ttl",
    "credential",
    "concurrency",
    "queue",
    "queueing",
    "api_version",
    "capabilities",
    "context_window",
    "tools",
    "json_schema",
    "vision",
    "audio",
    "n",
    "logprobs",
    "stream_usage",
    "refusals",
    "ca_file",
    "errors",
    "status",
    "code",
    "words",
    "outcome",
    "routes",
    "models",
    "candidates",
    "strategy",
    "hedge",
    "hold",
    "token",
    "tokens",
    "time",
    "continuation",
    "prefill",
    "responses",
    "prompt_cache",
    "domain",
    "upstream",
    "model",
    "tier",
    "weight",
    "timeouts",
    "connect",
    "first_token",
    "answer",
    "idle",
    "content",
    "reasoning",
    "total",
    "wait",
    "max_output",
    "memory",
    "min_rate",
    "keepalive",
    "limits",
    "body",
    "headers",
    "connections",
    "requests",
    "idle_connection",
    "write",
    "shutdown_delay",
    "drain",
    "history",
    "state_dir",
    "log",
    "traces",
    "endpoint",
    "ratio",
    "shared",
    "redis",
    "sentinel",
    "sentinel_password",
    "fleet",
    "secret",
    "notify",
    "url",
    "format",
    "on",
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
    let same = |shown: &dyn Debug, default: &dyn Debug| {
        assert_eq!(format!("{shown:?}"), format!("{default:?}"));
    };
    same(&example.limits, &default.limits);
    // Shown as its value.
    let mut timeouts = example.timeouts.clone();
    let answer = timeouts.answer.take();
    assert_eq!(
        answer,
        Some(default.timeouts.to_first_content(false, false))
    );
    same(&timeouts, &default.timeouts);
    same(&example.listen, &default.listen);
    same(&example.admin, &default.admin);
    same(&example.tls, &default.tls);
    same(&example.clients, &default.clients);
    same(&example.state_dir, &default.state_dir);
    same(&example.list_models, &default.list_models);
    same(&example.reload, &default.reload);
    same(&example.reuse_port, &default.reuse_port);
}

/// The same for parts that have no default as a whole: a route, and its candidates.
#[test]
fn the_example_shows_the_defaults_of_routes() {
    let parse = |text: &str| {
        Config::parse("test", text, &|_| Some("a-key".to_owned()))
            .unwrap_or_else(|problems| panic!("{problems}"))
    };
    let shown = parse(EXAMPLE);
    let keys = ["strategy", "hedge", "continuation", "refusals"];
    let is_shown = |line: &&str| {
        let key = line.trim_start().split(':').next().unwrap();
        !keys.contains(&key)
    };
    let left_out: Vec<&str> = EXAMPLE.lines().filter(is_shown).collect();
    assert_eq!(EXAMPLE.lines().count() - left_out.len(), keys.len());
    let left_out = parse(&left_out.join("\n"));
    assert_eq!(
        format!("{:?}", shown.routes),
        format!("{:?}", left_out.routes)
    );
}

/// The defaults in the comments about omitted keys.
#[test]
fn the_example_names_the_defaults_of_omitted_keys() {
    for (said, is_true) in [
        (
            "headers: 10s     # to the head of a streamed answer; default: as first_token",
            Config::default().timeouts.headers.is_none(),
        ),
        (
            "averaged over 30 s; off by default",
            Config::default().timeouts.min_rate.is_none(),
        ),
    ] {
        assert!(EXAMPLE.contains(said) && is_true, "{said}");
    }
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

/// The configuration lists its keys when it gets an unknown one.
#[test]
fn the_list_of_keys_is_complete() {
    let text = "\
jj: 1
tls: {jj: 1}
admin: {jj: 1}
clients: [{jj: 1, limits: {jj: 1}}]
upstreams: {a: {jj: 1, errors: [{jj: 1}], capabilities: {jj: 1}, quirks: {jj: 1}}}
models: {m: {jj: 1}}
routes: [{jj: 1, hold: {jj: 1}, candidates: [{jj: 1}]}]
timeouts: {jj: 1}
limits: {jj: 1}
log: {jj: 1}
traces: {jj: 1}
notify: [{jj: 1}]
shared: {jj: 1}
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

#[test]
fn good_configurations_load() {
    for path in fixtures("good") {
        let text = read_text(&path).unwrap();
        let config = Config::parse(&name_of(&path), &text, &variable)
            .unwrap_or_else(|problems| panic!("{problems}"));
        assert!(
            !format!("{config:?}").contains(SECRET),
            "{}",
            path.display()
        );
    }
}

/// With `REWRITE_EXPECTED=1` the current errors become the expected ones.
#[test]
fn bad_configurations_get_exact_errors() {
    for path in fixtures("bad") {
        let text = fs::read_to_string(&path).unwrap();
        let told = Config::parse(&name_of(&path), &text, &variable)
            .expect_err(&name_of(&path))
            .to_string()
            + "\n";
        compare(&path, &told);
    }
}

#[test]
fn what_works_but_is_hardly_meant_gets_exact_warnings() {
    for path in fixtures("warned") {
        let text = fs::read_to_string(&path).unwrap();
        let config = Config::parse(&name_of(&path), &text, &variable)
            .unwrap_or_else(|problems| panic!("{problems}"));
        let warnings = Problems {
            source: name_of(&path),
            list: config.warnings,
            files: Vec::new(),
        };
        compare(&path, &(warnings.to_string() + "\n"));
    }
}

fn compare(path: &Path, told: &str) {
    assert!(!told.contains(SECRET), "{told}");
    let expected = path.with_extension("expected");
    if process_environment("REWRITE_EXPECTED").is_some() {
        fs::write(&expected, told).unwrap();
    }
    assert_eq!(fs::read_to_string(&expected).unwrap(), told);
}

/// What is made from the environment, and what the example recommends, is as we would have it.
#[test]
fn nothing_that_we_write_ourselves_is_warned_of() {
    let any = |_: &str| Some("a-key".to_owned());
    let made = from_environment(&any).unwrap();
    for text in [EXAMPLE, &made] {
        let config = Config::parse("test", text, &any).unwrap();
        let whole: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        assert!(whole.is_empty(), "{whole:#?}");
    }
}

/// Stands in every key of the fixtures, and must stand in no message.
const SECRET: &str = "s3cret";

fn variable(name: &str) -> Option<String> {
    match name {
        "OPENAI_API_KEY" | "ANTHROPIC_API_KEY" | "QIANFAN_API_KEY" | "BACKSTOP_KEY" => {
            Some(format!("{SECRET}-{name}"))
        }
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/config")
        .join(kind);
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    found.sort();
    assert!(found.len() >= 3, "the fixtures were not found");
    found
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}
