//! Whole configurations, good and bad.

mod meant;

use proptest::prelude::{any, proptest};

use super::{Config, ModelList, Problems, from_environment, keys_without_url};

fn parse(text: &str) -> Result<Config, Problems> {
    let variable =
        |name: &str| (name == "KEY").then(|| "sk-secret-from-the-environment".to_owned());
    Config::parse("test.yaml", text, &variable)
}

fn problems(text: &str) -> Vec<String> {
    let problems = parse(text).expect_err("problems");
    let lines: Vec<String> = problems
        .to_string()
        .lines()
        .skip(1)
        .map(|line| line.trim().to_owned())
        .collect();
    assert_eq!(lines.len(), problems.list.len());
    lines
}

const GOOD: &str = "\
upstreams:
  openai: {provider: openai, api_key: \"${KEY}\"}
  local: {provider: openai-compatible, base_url: \"http://127.0.0.1:11434/v1/\", api_keys: [a, b]}
routes:
  - models: [\"gpt-4o\", \"gpt-4o-*\"]
    candidates:
      - {upstream: openai}
      - {upstream: local, model: llama3.1, tier: 2, weight: 3}
";

#[test]
fn a_short_file_gets_the_defaults() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:4000");
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:4001");
    assert_eq!(config.limits.body, 72 << 20);
    assert_eq!(
        config.timeouts.to_first_content(false, false),
        config.timeouts.first_token * 4
    );
    // Models that think get more, but leave time for another one.
    let thinking = config.timeouts.to_first_content(false, true);
    assert_eq!(thinking, config.timeouts.total / 2);
    assert_eq!(
        config.timeouts.to_first_content(true, true),
        config.timeouts.reasoning
    );
    let upstreams: Vec<_> = config.upstreams.values().collect();
    assert_eq!(upstreams[0].base_url(), "https://api.openai.com/v1");
    assert_eq!(
        upstreams[0].keys()[0].expose(),
        "sk-secret-from-the-environment"
    );
    assert_eq!(upstreams[1].base_url(), "http://127.0.0.1:11434/v1");
    assert_eq!(upstreams[1].keys().len(), 2);
}

#[test]
fn every_mistake_is_reported_in_one_go_with_its_line_and_a_way_out() {
    let text = "\
listen: localhost
adming: {}
clients:
  - {name: laptop}
  - {name: none, key: a-key}
  - {name: (others), key: another}
upstreams:
  openai: {provider: opnai, api_key: \"${MISSING}\"}
  local: {provider: openai-compatible}
  bare: {provider: openai}
routes:
  - models: [\"gpt-4o\", \"gpt-*-x\"]
    candidates:
      - {upstream: opanai}
      - {upstream: openai, wieght: 2}
      - {upstream: local, weight: 0}
  - models: [\"gpt-4o\"]
    candidates: []
timeouts: {connect: 3 parsecs, idle: 30}
limits: {body: big}
";
    assert_eq!(
        problems(text),
        [
            "line 1   listen: `localhost` is not an address; write IP and port, for example 127.0.0.1:4000",
            "line 2   adming: unknown key; did you mean `admin`?",
            "line 4   clients[0].key: is missing: give the client a key",
            "line 5   clients[1].name: `none` has a meaning of its own in figures: choose another name",
            "line 6   clients[2].name: `(others)` has a meaning of its own in figures: choose another name",
            "line 8   upstreams.openai.api_key: the environment variable MISSING is unset or empty; export it, or write ${MISSING:-default}",
            "line 8   upstreams.openai.provider: no provider is called `opnai`; did you mean `openai`?",
            "line 9   upstreams.local.base_url: is missing: openai-compatible stands for any server, so say where it is, for example http://127.0.0.1:8000/v1",
            "line 10  upstreams.bare.api_key: is missing; write api_key: \"${OPENAI_API_KEY}\"",
            "line 12  routes[0].models[1]: `gpt-*-x`: one `*` may stand, at the end",
            "line 14  routes[0].candidates[0].upstream: no upstream is called `opanai`; did you mean `openai`?",
            "line 15  routes[0].candidates[1].wieght: unknown key; did you mean `weight`?",
            "line 16  routes[0].candidates[2].weight: must be at least 1",
            "line 17  routes[1].models[0]: `gpt-4o` has a route already, at routes[0].models[0]",
            "line 18  routes[1].candidates: there are none: name at least one upstream",
            "line 19  timeouts.connect: `3 parsecs` is not a duration; write for example 500ms, 30s or 2m",
            "line 19  timeouts.idle: `30` has no unit; write for example 30s or 30ms",
            "line 20  limits.body: `big` is not a size; write for example 64KiB or 32MiB",
        ]
    );
}

#[test]
fn a_key_has_one_source_that_can_be_used() {
    let text = "\
upstreams:
  a: {provider: openai, api_key: k, api_key_file: /no/such/file}
  b: {provider: openai, api_key_command: [], api_key_ttl: 5m}
  c: {provider: openai, api_keys: [k], credential: client}
  d: {provider: openai, credential: client}
  e: {provider: openai, api_key: k, api_key_ttl: 5m}
  f: {provider: openai, api_key_file: /no/such/file}
routes: [{models: [\"*\"], candidates: [{upstream: a}]}]
";
    assert_eq!(
        problems(text),
        [
            "line 2   upstreams.a.api_key_file: stands beside api_key: a key has one source",
            "line 3   upstreams.b.api_key_command: is empty: write a program and its arguments, for example [gcloud, auth, print-access-token]",
            "line 3   upstreams.b.api_key_ttl: is for api_key_command only",
            "line 4   upstreams.c.credential: stands beside api_keys: a key has one source",
            "line 6   upstreams.e.api_key_ttl: is for api_key_command only",
            "line 7   upstreams.f.api_key_file: there is no file `/no/such/file`",
        ]
    );
}

#[test]
fn timeouts_of_one_part_are_checked_where_they_are_written() {
    let text = "\
upstreams:
  a: {provider: ollama, timeouts: {first_token: 0s, total: 10m, connect: 5s}}
routes:
  - models: [\"*\"]
    timeouts: {connect: 5s, total: 1m}
    candidates:
      - {upstream: a, timeouts: {first_token: 2m, total: 1m, min_rate: -1}}
      - {upstream: a, model: m, timeouts: {min_rate: .inf}}
";
    assert_eq!(
        problems(text),
        [
            "line 2   upstreams.a.timeouts.first_token: must be longer than nothing",
            "line 2   upstreams.a.timeouts.total: bounds all attempts of a request together: set it in `timeouts` of the route or of the file",
            "line 5   routes[0].timeouts.connect: belongs to connections, which all routes share: set it in `timeouts` of the upstream",
            "line 7   routes[0].candidates[0].timeouts.min_rate: must be more than 0; leave it out for none",
            "line 7   routes[0].candidates[0].timeouts.total: bounds all attempts of a request together: set it in `timeouts` of the route or of the file",
            "line 7   routes[0].candidates[0].timeouts.first_token: is longer than the route's timeouts.total",
            "line 8   routes[0].candidates[1].timeouts.min_rate: must be more than 0; leave it out for none",
        ]
    );
}

#[test]
fn the_memory_for_bodies_holds_the_largest_one() {
    let text = "\
upstreams: {a: {provider: ollama}}
routes: [{models: [\"*\"], candidates: [{upstream: a}]}]
limits: {body: 8MiB, memory: 4MiB}
";
    assert_eq!(
        problems(text),
        [
            "line 3   limits.memory: is less than limits.body: the largest request could never be served"
        ]
    );
}

#[test]
fn values_of_the_wrong_kind_do_not_hide_other_mistakes() {
    let text = "\
upstreams: {a: nothing, b: {provider: ollama, api_keys: sk-literal-secret}}
routes:
  - 7
  - {models: gpt-4o, candidates: [a, {upstream: c}]}
";
    assert_eq!(
        problems(text),
        [
            "line 1   upstreams.a: is a text, but should be a mapping",
            "line 1   upstreams.b.api_keys: is a text, but should be a list",
            "line 3   routes[0]: is a number, but should be a mapping",
            "line 4   routes[1].models: is a text, but should be a list",
            "line 4   routes[1].candidates[0]: is a text, but should be a mapping",
            "line 4   routes[1].candidates[1].upstream: no upstream is called `c`",
        ]
    );
}

#[test]
fn what_a_value_should_be_is_said_with_an_example() {
    let text = "\
listen: [1]
admin: true
timeouts: {connect: [1]}
limits: {memory: {}}
upstreams: {a: {provider: [openai], headers: {true: b}, capabilities: {retires: [2027]}}}
clients: [{name: a, key: b, expires: [2027]}]
";
    let found = problems(text);
    for expected in [
        "listen: is a list, but should be an address such as 127.0.0.1:4000",
        "admin: is true or false, but should be a mapping",
        "timeouts.connect: is a list, but should be a duration such as 500ms, 30s or 2m",
        "limits.memory: is a mapping, but should be a size such as 64KiB or 32MiB",
        "upstreams.a.provider: is a list, but should be the name of a provider",
        "upstreams.a.headers.true: the key is not a text; write \"true\"",
        "upstreams.a.capabilities.retires: is a list, but should be a date such as 2027-01-14",
        "clients[0].expires: is a list, but should be a day such as 2027-01-31, or a time such as 2027-01-31T18:00:00Z",
    ] {
        let is_told = found.iter().any(|problem| problem.ends_with(expected));
        assert!(is_told, "{expected}: {found:#?}");
    }
}

#[test]
fn an_empty_file_says_what_is_needed() {
    let found = problems("# nothing yet\n");
    assert_eq!(found.len(), 2);
    assert!(found[0].contains("upstreams: there are none"), "{found:?}");
}

#[test]
fn broken_yaml_and_double_keys_have_a_line() {
    assert!(problems("upstreams: {a: [}")[0].starts_with("line 1"));
    assert!(
        problems("listen: 1\nlisten: 2\n")[0].starts_with("line 2   has the key `listen` a second")
    );
}

#[test]
fn no_secret_is_ever_printed() {
    let config = parse(GOOD).unwrap();
    assert!(!format!("{config:?}").contains("sk-secret"));
    let found = problems(
        "timeouts: {connect: \"${KEY}\"}\nupstreams: {x: {provider: \"${KEY}\", api_key: {a: sk-secret}}}\n",
    );
    assert!(!found.join("\n").contains("secret"), "{found:#?}");
    assert!(found[0].contains("`${KEY}` is not a duration"), "{found:?}");
}

#[test]
fn what_is_written_for_a_key_is_never_shown_and_variables_by_name_only() {
    let text = "\
clients: [{name: \"${KEY}\", key: \"secret${\"}, {name: \"${KEY}\", key: {secret: secret}}]
tls: {cert: \"${KEY}\"}
upstreams:
  a: {provider: openai, api_key: \"${OPENAI_API_KEY-secret}\"}
  b: {provider: openai, api_keys: [\"secret ${x\", secret: 1, \"${NONE:-${KEY}}\"]}
  c: {provider: openai, api_key: \"secret\\n\", base_url: \"http://secret@host\"}
routes: [{models: [\"${KEY}\", \"${KEY}\", \"*${KEY}\"], candidates: [{upstream: \"${KEY}\", tier: \"${KEY}\"}]}]
";
    let found = problems(text);
    assert_eq!(found.len(), 15, "{found:#?}");
    assert!(!found.join("\n").contains("secret"), "{found:#?}");
}

#[test]
fn keys_without_a_value_count_as_left_out_however_many() {
    let nulls = "timeouts: {connect: , idle: }\ntls:\nadmin:\nlimits: {body: }\n";
    assert_eq!(
        format!("{:?}", parse(&format!("{GOOD}{nulls}")).unwrap()),
        format!("{:?}", parse(GOOD).unwrap())
    );
    let candidates = "{upstream: local, model: , tier: , weight: }, ".repeat(300);
    let text = format!("{GOOD}  - {{models: [many], candidates: [{candidates}]}}\n");
    assert_eq!(problems(&text).len(), 299);
    let providers: String = (0..300)
        .map(|n| format!("  u{n}: {{provider: }}\n"))
        .collect();
    assert!(
        parse(&format!(
            "upstreams:\n{providers}{}",
            &GOOD[GOOD.find("routes").unwrap()..]
        ))
        .is_err()
    );
}

#[test]
fn a_configuration_made_from_the_environment_is_good_and_holds_no_key() {
    let variable = |name: &str| {
        ["OPENAI_API_KEY", "QIANFAN_API_KEY", "ANTHROPIC_API_KEY"]
            .contains(&name)
            .then(|| "sk-secret".to_owned())
    };
    let text = from_environment(&variable).unwrap();
    assert!(!text.contains("sk-secret"), "{text}");
    let config = Config::parse("made", &text, &variable).unwrap();
    let order = |route: usize| -> Vec<String> {
        config.routes[route]
            .candidates
            .iter()
            .map(|candidate| candidate.upstream.to_string())
            .collect()
    };
    assert_eq!(config.routes[0].models, ["claude-*"]);
    assert_eq!(config.routes[1].models, ["ernie-*"]);
    assert_eq!(order(1), ["ernie", "openai", "anthropic"]);
    assert_eq!(config.routes[2].models, ["*"]);
    assert_eq!(order(2), ["openai", "anthropic", "ernie"]);
    assert!(!text.contains("base_url"), "{text}");
    // Whoever saves the text has the same lists of models.
    assert_eq!(config.list_models, ModelList::Upstreams);
    assert_eq!(from_environment(&|_| None), None);
    assert_eq!(from_environment(&|_| Some(String::new())), None);
}

#[test]
fn a_key_that_is_not_enough_is_named_with_what_is_missing() {
    let set = |names: &'static [&str]| {
        move |name: &str| names.contains(&name).then(|| "sk-secret".to_owned())
    };
    let alone = set(&["AZURE_OPENAI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"]);
    assert_eq!(from_environment(&alone), None);
    let said = keys_without_url(&alone);
    let azure = "AZURE_OPENAI_API_KEY is set, but azure needs a base_url as well, which looks like \
        https://NAME.openai.azure.com/openai/v1";
    assert_eq!((said.len(), said[0].as_str()), (2, azure));
    let text = from_environment(&set(&["AZURE_OPENAI_API_KEY", "OPENAI_API_KEY"])).unwrap();
    assert!(text.contains(&format!("\n# {azure}\n")), "{text}");
    assert!(!text.contains("provider: azure"), "{text}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn no_mangled_file_makes_it_panic(at in any::<proptest::sample::Index>(), with in "[\\[\\]{}:,\"$ a-z0-9\n-]{0,3}") {
        let place = at.index(GOOD.len());
        let _ = parse(&format!("{}{with}{}", &GOOD[..place], &GOOD[place + 1..]));
    }
}

#[test]
fn a_secret_can_stand_in_a_file_wherever_one_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| format!("${{file:{}}}", folder.path().join(name).display());
    let secret = "a-secret-of-some-length";
    std::fs::write(folder.path().join("secret"), format!("{secret}\n")).unwrap();
    let text = |file: &str| {
        format!(
            "admin: {{token: \"{file}\"}}\n\
             clients: [{{name: a, key: \"{file}\"}}]\n\
             notify: [{{url: \"https://example.com/{file}\"}}]\n\
             traces: {{endpoint: \"https://example.com\", headers: {{x-key: \"{file}\"}}}}\n\
             upstreams:\n  \
               a: {{provider: openai, api_key: \"{file}\"}}\n  \
               b: {{provider: openai, api_keys: [\"{file}\"], headers: {{x-tenant: \"{file}\"}}}}\n\
             routes: [{{models: [\"*\"], candidates: [{{upstream: a}}, {{upstream: b}}]}}]\n"
        )
    };
    let config = parse(&text(&file("secret"))).unwrap();
    let shown = [
        config.admin.token.clone().unwrap(),
        config.clients[0].key.clone(),
        config.traces.headers["x-key"].clone(),
        config.upstreams[0].keys().remove(0),
        config.upstreams[1].keys().remove(0),
        config.upstreams[1].headers["x-tenant"].clone(),
    ];
    assert!(shown.iter().all(|found| found.expose() == secret));
    let hook = config.notify[0].url.expose();
    assert_eq!(hook, format!("https://example.com/{secret}"));
    assert_eq!(config.files(), [folder.path().join("secret")]);
    assert!(!format!("{config:?}").contains(secret));

    // Each place is told with the file that it lacks.
    let missing = problems(&text(&file("none")));
    assert_eq!(missing.len(), 7, "{missing:#?}");
    for place in [
        "admin.token",
        "clients[0].key",
        "notify[0].url",
        "traces.headers.x-key",
        "upstreams.a.api_key",
        "upstreams.b.api_keys[0]",
        "upstreams.b.headers.x-tenant",
    ] {
        let start = format!("{place}: the file ");
        let is_told = |line: &String| line.contains(&start) && line.contains("/none cannot");
        assert!(missing.iter().any(is_told), "{place}: {missing:#?}");
    }
}

#[test]
fn a_size_may_be_written_as_a_number_of_bytes() {
    let config = parse(&format!("{GOOD}limits: {{body: 4194304}}\n")).unwrap();
    assert_eq!(config.limits.body, 4 << 20);
}

#[test]
fn a_variable_that_names_no_forward_proxy_is_told_without_what_stands_in_it() {
    let variable = |name: &str| match name {
        "KEY" => Some("k".to_owned()),
        "HTTPS_PROXY" => Some("ftp://user:s3cret@proxy.example".to_owned()),
        _ => None,
    };
    let shown = Config::parse("test.yaml", GOOD, &variable).unwrap_err();
    let shown = shown.to_string();
    let expected = "HTTPS_PROXY: the environment variable names no forward proxy: ";
    assert!(
        shown.contains(expected) && !shown.contains("s3cret"),
        "{shown}"
    );
}
