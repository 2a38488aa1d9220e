//! What settings mean, and what holds where they are left out.

use std::fs;
use std::time::Duration;

use super::{GOOD, parse};
use crate::catalogue::{
    Ability, CallIds, EffortLevels, Facts, InChats, Level, Prefill, Quirks, RefusedFields, Sampling,
};
use crate::config::{
    CapabilitiesConfig, Config, Continuation, KeySource, NotifyOn, UpstreamConfig, admin_address,
};

/// An upstream with these settings.
fn upstream(settings: &str) -> UpstreamConfig {
    let text = format!(
        "upstreams: {{a: {{{settings}}}}}\nroutes: [{{models: [\"*\"], candidates: [{{upstream: a}}]}}]\n"
    );
    let config = parse(&text).unwrap_or_else(|problems| panic!("{problems}"));
    config.upstreams.into_values().next().unwrap()
}

#[test]
fn what_is_said_of_a_model_counts_before_what_is_known() {
    let said = upstream(
        "provider: ollama, capabilities: {context_window: 8000, max_output: 900, tools: false, \
         json_schema: true, vision: false, audio: false, n: false, logprobs: false, stream_usage: false, \
         thinks: true, efforts: [low], sampling: false, forced_tools: false, tools_by: responses, retires: 2027-01-14}",
    )
    .capabilities;
    let [nothing, known] =
        [CapabilitiesConfig::default(), said].map(|said| said.over(Facts::UNKNOWN));
    assert_eq!(nothing, Facts::UNKNOWN);
    assert_eq!(
        (known.context_window, known.max_output),
        (Some(8000), Some(900))
    );
    for ability in Ability::ALL {
        let is_missing = known.missing.contains(ability);
        assert_eq!(is_missing, ability != Ability::JsonSchema, "{ability:?}");
    }
    assert!(known.thinks && !known.takes_forced_tools);
    assert_eq!(known.efforts, EffortLevels::UNKNOWN.and(Level::Low));
    assert_eq!(known.sampling, Sampling::Never);
    assert_eq!(known.in_chats, InChats::NoTools);
    assert_eq!(known.retires, "2027-01-14".parse().ok());
    assert_eq!(CapabilitiesConfig::default().over(known), known);
    // Of two settings the nearer one counts.
    let nearer = CapabilitiesConfig {
        context_window: Some(4000),
        ..CapabilitiesConfig::default()
    };
    let both = nearer.or(said).over(Facts::UNKNOWN);
    assert_eq!(both.context_window, Some(4000));
    assert_eq!(both.max_output, Some(900));
}

#[test]
fn what_is_said_of_an_upstreams_quirks_counts_before_what_is_known() {
    let said = upstream(
        "provider: ollama, quirks: {limit: max_tokens, developer: false, refuses: [logit_bias], \
         longest_description: 9, call_ids: nine, plain_turns: true, answers_tools: true, wants_thoughts_back: true}",
    );
    let known = said.quirks.over(Quirks::OPENAI);
    let expected = Quirks {
        limit: Some("max_tokens"),
        has_developer: false,
        refuses: Quirks::OPENAI
            .refuses
            .or(RefusedFields::named("logit_bias").unwrap()),
        longest_description: Some(9),
        call_ids: CallIds::Nine,
        has_plain_turns: true,
        answers_tools: true,
        wants_thoughts_back: true,
        ..Quirks::OPENAI
    };
    assert_eq!(known, expected);
    assert_eq!(upstream("provider: ollama").quirks.over(known), known);
}

#[test]
fn an_upstream_is_as_its_provider_unless_it_says_otherwise() {
    let openai = upstream("provider: openai, api_key: k");
    let claude = upstream("provider: anthropic, api_key: k");
    assert!(openai.has_responses() && !openai.marks_cache());
    assert!(claude.marks_cache());
    assert!(!upstream("provider: moonshot, api_key: k").has_responses());
    let other = upstream(
        "provider: openai, api_key: k, responses: false, prompt_cache: true, prefill: trailing",
    );
    assert!(!other.has_responses() && other.marks_cache());
    assert_ne!(openai.prefill(), Prefill::Trailing);
    assert_eq!(other.prefill(), Prefill::Trailing);
}

#[test]
fn anthropics_api_is_where_the_provider_has_it_or_where_the_file_says() {
    let url = |settings: &str| upstream(settings).messages_url();
    let own = url("provider: deepseek, api_key: k").unwrap();
    assert!(own.starts_with("https://api.deepseek.com/"), "{own}");
    let elsewhere = "provider: deepseek, api_key: k, base_url: \"https://proxy.example/v1\"";
    assert_eq!(url(elsewhere), None);
    let named = "provider: openai-compatible, base_url: \"https://a.example/v1\", messages_url: \"https://a.example/claude/\"";
    assert_eq!(url(named).as_deref(), Some("https://a.example/claude"));
    let none = "provider: deepseek, api_key: k, messages_url: none";
    assert_eq!(url(none), None);
}

#[test]
fn a_key_comes_from_a_file_or_a_command_or_stands_there() {
    let source = |settings: &str| upstream(&format!("provider: openai, {settings}")).key_source();
    assert_eq!(source("api_key: k"), None);
    let Some(KeySource::Command { argv, ttl }) =
        source("api_key_command: [pass, show], api_key_ttl: 5m")
    else {
        panic!("it is a command's");
    };
    assert_eq!((argv.len(), ttl), (2, Some(Duration::from_secs(300))));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, "k").unwrap();
    let from_file = source(&format!("api_key_file: {}", file.display()));
    assert_eq!(from_file, Some(KeySource::File(file)));
}

#[test]
fn an_upstream_goes_through_its_own_proxy_or_the_environments_or_none() {
    let variable = |name: &str| match name {
        "KEY" => Some("k".to_owned()),
        "HTTPS_PROXY" => Some("http://everybodys:3128".to_owned()),
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("http://otel:4318".to_owned()),
        _ => None,
    };
    let own = |proxy: &str| {
        let text = GOOD.replace("{provider: openai,", &format!("{{provider: openai{proxy},"));
        let config = Config::parse("test.yaml", &text, &variable).unwrap();
        let proxy = config.proxy_for(&config.upstreams[0]);
        proxy.map(|proxy| proxy.to_string())
    };
    assert_eq!(own("").as_deref(), Some("http://everybodys:3128"));
    assert_eq!(
        own(", proxy: \"http://its:8080\"").as_deref(),
        Some("http://its:8080")
    );
    assert_eq!(own(", proxy: none"), None);
    let config = Config::parse("test.yaml", GOOD, &variable).unwrap();
    let local = config.proxy_for(&config.upstreams[1]);
    assert!(local.is_none(), "that is this machine");
    assert!(config.proxy_for_url("https://hooks.example.com").is_some());
    assert_eq!(
        config.collector().unwrap().url,
        "http://otel:4318/v1/traces"
    );
    assert_eq!(parse(GOOD).unwrap().collector(), None);
}

#[test]
fn things_are_called_as_the_file_calls_them() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.routes[0].name(), "gpt-4o");
    for name in ["off", "prefill", "regenerate"] {
        let continuation: Continuation = serde_yaml::from_str(name).unwrap();
        assert_eq!(continuation.label(), name);
    }
    for what in NotifyOn::ALL {
        assert_eq!(
            serde_yaml::from_str::<NotifyOn>(what.label()).unwrap(),
            what
        );
    }
}

#[test]
fn a_webhook_is_told_of_everything_or_of_what_it_names() {
    let hooks =
        "notify: [{url: \"https://a.example\"}, {url: \"https://b.example\", on: [clients]}]\n";
    let config = parse(&format!("{GOOD}{hooks}")).unwrap();
    let is_on = |hook: usize| NotifyOn::ALL.map(|what| config.notify[hook].is_on(what));
    assert_eq!((is_on(0), is_on(1)), ([true; 3], [false, true, false]));
}

#[test]
fn one_server_or_several_are_shared_and_without_any_nothing_is() {
    let servers = |text: &str| {
        let config = parse(&format!("{GOOD}{text}")).unwrap();
        (config.shared.is_on(), config.shared.servers().len())
    };
    assert_eq!(servers(""), (false, 0));
    assert_eq!(servers("shared: {redis: \"redis://a\"}\n"), (true, 1));
    assert_eq!(
        servers("shared: {redis: [\"redis://a\", \"redis://b\"]}\n"),
        (true, 2)
    );
}

#[test]
fn models_that_think_may_be_silent_for_longer() {
    let timeouts = parse(&format!(
        "{GOOD}timeouts: {{idle: 20s, content: 40s, reasoning: 3m}}\n"
    ));
    let timeouts = timeouts.unwrap().timeouts;
    let seconds = |time: Duration| time.as_secs();
    assert_eq!(
        [false, true].map(|it| seconds(timeouts.silence(it))),
        [20, 180]
    );
    assert_eq!(
        [false, true].map(|it| seconds(timeouts.between_content(it))),
        [40, 180]
    );
}

#[test]
fn the_operators_address_is_found_whatever_else_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backstop.yaml");
    let address = |text: &str| {
        fs::write(&file, text).unwrap();
        let found = admin_address(&file).map_err(|problems| problems.to_string());
        found.map(|found| found.map(|address| address.to_string()))
    };
    assert_eq!(
        address("admin: {listen: \"127.0.0.1:9000\"}\nadming: 3\n"),
        Ok(Some("127.0.0.1:9000".to_owned()))
    );
    assert_eq!(address("upstreams: {}\n"), Ok(None));
    let wrong = address("admin: {listen: localhost}\n").unwrap_err();
    assert!(
        wrong.contains("backstop.yaml") && wrong.contains("localhost"),
        "{wrong}"
    );
    let unset = address("admin: {listen: \"${BACKSTOP_NO_SUCH_VARIABLE}\"}\n").unwrap_err();
    assert!(unset.contains("BACKSTOP_NO_SUCH_VARIABLE"), "{unset}");
}

#[test]
fn of_a_url_with_a_reference_the_origin_alone_is_shown() {
    let text = "\
upstreams:
  a: {provider: openai-compatible, base_url: \"https://gateway.example/${KEY}/v1\"}
  b: {provider: openai-compatible, base_url: \"https://gateway.example/open/v1\"}
routes: [{models: [\"*\"], candidates: [{upstream: a}, {upstream: b}]}]
traces: {endpoint: \"https://collector.example/${KEY}\"}
";
    let config = parse(text).unwrap();
    let shown: Vec<&str> = config
        .upstreams
        .values()
        .map(UpstreamConfig::shown_url)
        .collect();
    let whole = "https://gateway.example/open/v1";
    assert_eq!(shown, ["https://gateway.example", whole]);
    let collector = config.collector().unwrap();
    assert_eq!(collector.shown_url(), "https://collector.example");
}

#[test]
fn a_file_that_never_ends_is_no_configuration() {
    let endless = Config::load("/dev/zero".as_ref()).unwrap_err();
    assert_eq!(endless.list[0].message, "is longer than 16 MiB");
}
