//! What is known of providers and models: every preset works, the manual shows the tables, and models that are gone are
//! noticed.
//!
//! The tables are renewed by `BLESS=1 cargo test --test gateway catalogue`.

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

use backstop::catalogue::{
    Ability, Dialect, Facts, InChats, KeyHeader, Provider, Sampling, Thinking, Unthinking, facts,
    known_models,
};
use backstop::config::Config;
use backstop::event::{Event, ModelFinding};
use backstop::simulator::{Fault, Script, Simulator};
use serde_json::json;

use crate::harness::{Setup, TestGateway, chat, chat_text, within};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn every_provider_makes_an_upstream_that_works() {
    let simulator = Simulator::start("all", Script::healthy()).await.unwrap();
    let mut setup = Setup::new();
    for provider in Provider::all() {
        let name = provider.name();
        let url = simulator.base_url().replace("/v1", &format!("/{name}"));
        let keys = format!("provider: {name}, api_key: key-of-{name}");
        let candidate = format!("{name}, model: a-model");
        setup = setup
            .upstream_at(name, &url, &keys)
            .route(&[name], &[&candidate]);
    }
    let gateway = setup.start().await;
    for provider in Provider::all() {
        let name = provider.name();
        let mut body = chat();
        body["model"] = name.into();
        let answered = gateway.post(CHAT, &body).await;
        assert_eq!((answered.status, answered.upstream()), (200, name));
        assert_eq!(chat_text(&answered), "Hello from all.", "{name}");

        let received = simulator.received();
        let asked = &received[received.len() - 1];
        let path = match provider.dialect() {
            Dialect::OpenAi => format!("/{name}/chat/completions"),
            Dialect::Anthropic => format!("/{name}/messages"),
        };
        assert_eq!(asked.path, path);
        assert_eq!(asked.model().as_deref(), Some("a-model"));
        let key = format!("key-of-{name}");
        let (header, value) = match provider.key_header() {
            KeyHeader::Bearer => ("authorization", format!("Bearer {key}")),
            KeyHeader::XApiKey => ("x-api-key", key),
            KeyHeader::ApiKey => ("api-key", key),
        };
        assert_eq!(asked.header(header), Some(value.as_str()), "{name}");
    }
}

#[test]
fn providers_with_a_key_in_the_environment_are_used() {
    for provider in Provider::all() {
        for variable in provider.key_variables() {
            let known = |name: &str| (name == *variable).then(|| "k".to_owned());
            let made = backstop::config::from_environment(&known);
            let has_models =
                !provider.families().is_empty() || !provider.fallback_models().is_empty();
            let is_used = provider.base_url().is_some() && has_models;
            let name = provider.name();
            let is_there = made.as_ref().is_some_and(|text| text.contains(name));
            assert_eq!(is_there, is_used, "{variable}: {made:?}");
            if let Some(text) = made {
                assert!(text.contains(&format!("${{{variable}}}")), "{text}");
                Config::parse("made", &text, &known).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn what_the_configuration_says_of_a_model_counts() {
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {}}});
    let mut body = chat();
    body["model"] = "house-1".into();
    body["tools"] = json!([tool]);
    for (said, path) in [
        ("{thinks: true}", "/v1/chat/completions"),
        ("{tools_by: responses}", "/v1/responses"),
    ] {
        let upstream = Simulator::start("house", Script::healthy()).await.unwrap();
        let gateway = Setup::new()
            .upstream(&upstream)
            .lines(&format!(
                "models: {{house-*: {said}, other: {{tools: false}}}}"
            ))
            .start()
            .await;
        let answered = gateway.post(CHAT, &body).await;
        assert_eq!(answered.json()["object"], "chat.completion", "{said}");
        assert_eq!(upstream.received()[0].path, path, "{said}");
    }
}

#[tokio::test]
async fn what_the_configuration_says_of_an_upstream_counts() {
    let (first, second) = crate::harness::simulators().await;
    first.play(Script::status(503)).await;
    let quirks = "{limit: max_completion_tokens, refuses: [seed], developer: false}";
    let keys = format!("provider: openai-compatible, api_key: k, quirks: {quirks}");
    let gateway = Setup::new()
        .upstream(&first)
        .upstream_as(&second, &keys)
        .route(&["*"], &["first", "second, model: house"])
        .start()
        .await;
    let mut body = chat();
    body["max_tokens"] = 9.into();
    body["seed"] = 7.into();
    body["messages"] =
        json!([{"role": "developer", "content": "x"}, {"role": "user", "content": "y"}]);
    let answered = gateway.post(CHAT, &body).await;
    assert_eq!((answered.status, answered.upstream()), (200, "second"));
    assert_eq!(answered.header("x-backstop-dropped"), "seed");
    let sent = second.received()[0].json();
    assert_eq!(sent["max_completion_tokens"], 9);
    assert!(sent["max_tokens"].is_null() && sent["seed"].is_null());
    assert_eq!(sent["messages"][0]["role"], "system");
}

/// An upstream that lists these models.
async fn listing(models: &serde_json::Value) -> Simulator {
    let list = Fault::Status {
        code: 200,
        headers: Vec::new(),
        body: Some(json!({"object": "list", "data": models}).to_string()),
    };
    let script = Script::fault(list).with_only_path("/models");
    Simulator::start("groq", script).await.unwrap()
}

/// A gateway before it, with a fallback model that is gone and one that retires.
async fn gateway_with_old_models(upstream: &Simulator, is_made: bool) -> TestGateway {
    let setup = Setup::new()
        .upstream_as(upstream, "provider: groq, api_key: k")
        .route(&["gone"], &["groq, model: llama-3.3-70b-versatile"])
        .route(&["old"], &["groq, model: an-old-one"])
        .route(&["*"], &["groq"])
        .lines("check_models: true\nlisten: 127.0.0.1:0\nadmin: {listen: \"127.0.0.1:0\"}");
    let mut config = setup.config().unwrap();
    config.is_made = is_made;
    TestGateway::start_by(&config).await
}

async fn findings(gateway: &TestGateway) -> Vec<ModelFinding> {
    let wanted = |event: &Event| match event {
        Event::ModelsChecked(findings) => Some(findings.clone()),
        _ => None,
    };
    gateway.events.wait_for(wanted).await
}

#[tokio::test]
async fn fallback_models_that_are_gone_are_replaced_where_nobody_chose_them() {
    for is_made in [true, false] {
        let upstream = listing(&json!([
            {"id": "openai/gpt-oss-20b"},
            {"id": "an-old-one", "shutdown_date": "2027-01-14"},
            {"id": "another", "shutdown_date": null},
        ]))
        .await;
        let gateway = gateway_with_old_models(&upstream, is_made).await;
        let told: Vec<String> = findings(&gateway)
            .await
            .iter()
            .map(ToString::to_string)
            .collect();
        let gone = match is_made {
            true => {
                "groq does not list llama-3.3-70b-versatile any more, and is asked for openai/gpt-oss-20b instead"
            }
            false => "groq does not list llama-3.3-70b-versatile, which retires on 2026-08-16",
        };
        assert_eq!(told, [gone, "an-old-one at groq retires on 2027-01-14"]);

        let mut body = chat();
        body["model"] = "gone".into();
        assert_eq!(gateway.post(CHAT, &body).await.status, 200);
        let asked = upstream.received().pop().unwrap().model();
        let expected = match is_made {
            true => "openai/gpt-oss-20b",
            false => "llama-3.3-70b-versatile",
        };
        assert_eq!(asked.as_deref(), Some(expected));
        let line = "backstop_model_retires_timestamp_seconds{model=\"an-old-one\",upstream=\"groq\"} 1799884800";
        let shown = async {
            while !gateway.admin("/metrics").await.text().contains(line) {
                tokio::task::yield_now().await;
            }
        };
        within(shown).await;
    }
}

#[tokio::test]
async fn an_upstream_without_a_list_changes_nothing() {
    let upstream = Simulator::start("groq", Script::status(404)).await.unwrap();
    let gateway = gateway_with_old_models(&upstream, true).await;
    let told = findings(&gateway).await;
    let expected = "llama-3.3-70b-versatile at groq retires on 2026-08-16";
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].to_string(), expected);
    let received = upstream.received();
    assert_eq!(
        (received.len(), received[0].path.as_str()),
        (1, "/v1/models")
    );
}

#[test]
fn the_manual_shows_what_is_known() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/guide/models.md");
    let old = fs::read_to_string(&path).unwrap();
    let mut text = old.clone();
    for (name, table) in [
        ("providers", providers()),
        ("models", models()),
        ("generations", generations()),
    ] {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let (before, rest) = text.split_once(&begin).expect("a place for each table");
        let (_, after) = rest.split_once(&end).expect("an end of each table");
        text = format!("{before}{begin}\n{table}\n{end}{after}");
    }
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    } else {
        assert_eq!(
            old, text,
            "renew it: BLESS=1 cargo test --test gateway catalogue"
        );
    }
}

fn providers() -> String {
    let mut table = String::from(
        "| provider | URL | key | APIs | its models | asked for as a fallback |\n|---|---|---|---|---|---|\n",
    );
    for provider in Provider::all() {
        let apis = match (
            provider.dialect(),
            provider.has_responses(),
            provider.messages(),
        ) {
            (Dialect::Anthropic, _, _) => "Messages",
            (Dialect::OpenAi, false, None) => "chats",
            (Dialect::OpenAi, true, None) => "chats, Responses",
            (Dialect::OpenAi, false, Some(_)) => "chats, Messages",
            (Dialect::OpenAi, true, Some(_)) => "chats, Responses, Messages",
        };
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {apis} | {} | {} |",
            provider.name(),
            provider
                .base_url()
                .or_else(|| provider.url_form())
                .map_or_else(|| "yours".to_owned(), |url| format!("`{url}`")),
            list(provider.key_variables()),
            list(provider.families()),
            list(provider.fallback_models()),
        );
    }
    table
}

fn models() -> String {
    let mut table = String::from(
        "| model | context window | largest answer | what it cannot do | retires |\n|---|---|---|---|---|\n",
    );
    for name in known_models() {
        let facts = facts(name);
        let missing: Vec<&str> = facts.missing.iter().map(Ability::label).collect();
        let retires = facts.retires.map(|day| day.to_string()).unwrap_or_default();
        let _ = writeln!(
            table,
            "| `{name}` | {} | {} | {} | {retires} |",
            number(facts.context_window),
            number(facts.max_output),
            list(&missing),
        );
    }
    table
}

/// One model for each generation that differs from the one before.
const GENERATIONS: [&str; 27] = [
    "gpt-4o",
    "o1",
    "o3-pro",
    "gpt-5",
    "gpt-5.1",
    "gpt-5.2",
    "gpt-5.3-codex",
    "gpt-5.4",
    "gpt-5.5",
    "gpt-6-luna",
    "gpt-6-astra",
    "gpt-6.1-sol",
    "gpt-6.2-sol",
    "claude-3-5-sonnet",
    "claude-sonnet-4",
    "claude-opus-4-1",
    "claude-sonnet-4-5",
    "claude-opus-4-5",
    "claude-opus-4-6",
    "claude-opus-4-7",
    "claude-opus-4-8",
    "claude-opus-5",
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-fable-5-1",
    "gemini-3.5-flash",
];

fn generations() -> String {
    let mut table = String::from(
        "| model | thinks | efforts | temperature | in chats | Claude's API |\n|---|---|---|---|---|---|\n",
    );
    for name in GENERATIONS {
        let facts = facts(name);
        let efforts: Vec<&str> = facts.efforts.iter().collect();
        let sampling = match facts.sampling {
            Sampling::Always => "yes",
            Sampling::Unthinking => "without an effort",
            Sampling::Never => "no",
        };
        let in_chats = match facts.in_chats {
            InChats::All => "all",
            InChats::ToolsUnthinking => "tools with effort `none`",
            InChats::NoTools => "no tools",
            InChats::Nothing => "nothing",
        };
        let _ = writeln!(
            table,
            "| `{name}` | {} | {} | {sampling} | {in_chats} | {} |",
            if facts.thinks { "yes" } else { "" },
            efforts.join(", "),
            if name.starts_with("claude") {
                of_claude(&facts)
            } else {
                String::new()
            },
        );
    }
    table
}

fn of_claude(facts: &Facts) -> String {
    let thinking = match (facts.thinking, facts.takes_budget) {
        (Thinking::Never, _) => "does not think",
        (Thinking::Budget, _) => "thinks within a budget",
        (Thinking::Adaptive, true) => "thinks as it likes or within a budget",
        (Thinking::Adaptive, false) => "thinks as it likes",
    };
    let unthinking = match facts.unthinking {
        Unthinking::Disabled => "",
        Unthinking::BetweenTools => ", at least between tools",
        Unthinking::Never => ", always",
    };
    let mut text = format!("{thinking}{unthinking}");
    for (what, is_so) in [
        ("forced tools", facts.takes_forced_tools),
        ("schemas", facts.takes_schema),
        ("prefill", facts.takes_prefill),
        ("system messages amid", facts.takes_system_amid),
    ] {
        if is_so {
            let _ = write!(text, "; {what}");
        }
    }
    text
}

fn list(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn number(tokens: Option<u32>) -> String {
    tokens.map(|tokens| tokens.to_string()).unwrap_or_default()
}
