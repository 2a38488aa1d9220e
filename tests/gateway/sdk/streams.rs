//! The official SDKs, old and new, against upstreams whose streams break in every way: a stream that ends without an
//! error is complete.

use std::ffi::OsStr;

use backstop::simulator::{Continuing, Fault, Framing, Script, Simulator};
use serde_json::{Value, json};

use super::install::{
    NODE, OLDER_NODE, OLDER_PYTHON, PYTHON, install_node, install_python, sdk_folder,
};
use super::{BUSY, run};
use crate::harness::TestGateway;

const TEXT: &str = "The quick brown fox jumps over the lazy dog, and then it sleeps under a tree.";

#[tokio::test]
async fn python_never_takes_a_broken_stream_for_a_whole_one() {
    let script = sdk_folder().join("streams.py");
    for version in [PYTHON, OLDER_PYTHON[0], OLDER_PYTHON[1]] {
        let python = install_python(version).await;
        read_all(&[python.as_os_str(), script.as_os_str()]).await;
    }
}

#[tokio::test]
async fn node_never_takes_a_broken_stream_for_a_whole_one() {
    for version in [NODE, OLDER_NODE[0]] {
        let script = install_node(version, "streams.mjs").await;
        read_all(&[OsStr::new("node"), script.as_os_str()]).await;
    }
}

/// A fault of a stream, and whether its client still gets a complete one.
struct Case {
    name: String,
    script: Script,
    is_whole: bool,
    apis: &'static [&'static str],
}

const BOTH: &[&str] = &["chat", "responses"];
const CHAT: &[&str] = &["chat"];

fn cases() -> Vec<Case> {
    let case = |name: &str, script: Script, is_whole, apis| Case {
        name: name.to_owned(),
        script: script.with_text(TEXT),
        is_whole,
        apis,
    };
    let mut cases: Vec<Case> = [
        ("healthy", Fault::None, true),
        ("error-first", Fault::ErrorInside { status: 500 }, true),
        ("cut-before-first", Fault::Truncated, true),
        ("role-then-cut", Fault::RoleThenCut, true),
        ("role-then-end", Fault::RoleThenEnd, true),
        ("only-done", Fault::OnlyDone, true),
        ("only-comments", Fault::OnlyComments, true),
        ("no-first-token", Fault::StallAfter(0), true),
        ("html", Fault::Html, true),
        ("json-error", Fault::JsonForStream, true),
        ("empty", Fault::Empty, true),
        ("garbage-first", Fault::Garbage, true),
        ("no-done", Fault::NoDone, true),
        ("stall-at-end", Fault::StallAtEnd, true),
        ("reset-at-end", Fault::ResetAtEnd, true),
        ("error-at-end", Fault::ErrorAtEnd, true),
        ("cut", Fault::CutAfter(4), false),
        ("reset", Fault::ResetAfter(4), false),
        ("clean-end", Fault::EndAfter(4), false),
        ("stall", Fault::StallAfter(4), false),
        ("error", Fault::ErrorAfter(4), false),
        ("garbage", Fault::GarbageAfter(4), false),
        ("comments", Fault::CommentsAfter(4), false),
    ]
    .map(|(name, fault, is_whole)| case(name, Script::fault(fault), is_whole, BOTH))
    .into();
    for (name, framing) in [("crlf", Framing::CrLf), ("bytes", Framing::OneBytePerChunk)] {
        cases.push(case(
            name,
            Script::healthy().with_framing(framing),
            true,
            BOTH,
        ));
    }
    for (name, stream, is_whole) in raw() {
        cases.push(case(
            name,
            Script::fault(Fault::Raw(stream)),
            is_whole,
            CHAT,
        ));
    }
    cases
}

/// Streams that were seen to break clients: what comes between two chunks, or in place of the end.
fn raw() -> Vec<(&'static str, String, bool)> {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})
    };
    let (head, tail) = TEXT.split_at(20);
    let part = |text: &str| format!("data: {}\n\n", chunk(json!({"content": text}), Value::Null));
    let end = format!("data: {}\n\n", chunk(json!({}), json!("stop")));
    let mut padded = chunk(json!({}), Value::Null);
    padded["obfuscation"] = "x".repeat(1 << 20).into();
    let large = format!("data: {padded}\n\n");
    let done = "data: [DONE]\n\n";
    let between = |odd: &str| format!("{}{odd}{}{end}{done}", part(head), part(tail));
    let after = |odd: &str| format!("{}{odd}", part(head));
    vec![
        ("a-comment", between(": ping\n\n:\n\n"), true),
        ("b-id", between("id: 0\n\n: ping\n\n"), true),
        ("c-ping", between("event: ping\n\n"), true),
        ("d-ping-data", between("event: ping\ndata: {}\n\n"), true),
        ("e-retry", between("retry: 1000\n\n"), true),
        (
            "k-ragged-done",
            between("").replace("[DONE]", "[DONE] "),
            true,
        ),
        ("l-no-space", between("").replace("data: ", "data:"), true),
        (
            "n-no-choices",
            between(
                "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[]}\n\n",
            ),
            true,
        ),
        ("q-mark", format!("\u{feff}{}", between("")), true),
        ("r-no-data", between("data:\n\n"), true),
        ("s-ragged-end", between("").trim_end().to_owned(), true),
        ("t-null", between("data: null\n\n"), true),
        ("f-clean-end", after(""), false),
        ("f-only-done", after(done), false),
        (
            "h-error",
            after("data: {\"error\":{\"message\":\"m\",\"code\":500}}\n\n"),
            false,
        ),
        (
            "i-named-error",
            after("event: error\ndata: {\"error\":{\"message\":\"m\"}}\n\n"),
            false,
        ),
        (
            "j-flat-error",
            after("event: error\ndata: {\"message\":\"m\"}\n\n"),
            false,
        ),
        ("o-half-a-chunk", after("data: {\"id\":\"c\",\"choi"), false),
        ("w-large", between(&large), true),
    ]
}

/// Reads every case with one SDK: as it is, and where it breaks off also with both ways of continuing.
async fn read_all(program: &[&OsStr]) {
    let _quiet = BUSY.read().await;
    let mut upstreams = "upstreams:\n".to_owned();
    let mut routes = "routes:\n".to_owned();
    let mut asked = Vec::new();
    let mut simulators = Vec::new();
    let good = |habit| async move {
        let script = Script::answer(TEXT).with_continuing(habit);
        Simulator::start("good", script).await.unwrap()
    };
    let (exact, plain) = (
        good(Continuing::Exactly).await,
        good(Continuing::Never).await,
    );
    for (name, simulator, prefill) in [("exact", &exact, "trailing"), ("plain", &plain, "none")] {
        upstreams += &upstream(name, simulator, prefill);
    }
    for Case {
        name,
        script,
        is_whole,
        apis,
    } in cases()
    {
        let simulator = Simulator::start("bad", script).await.unwrap();
        for api in apis {
            for (mode, next) in [
                ("off", "plain"),
                ("prefill", "exact"),
                ("regenerate", "plain"),
            ] {
                if mode != "off" && is_whole {
                    continue;
                }
                // One upstream each, so that none has failed before.
                let model = format!("{api}-{name}-{mode}");
                upstreams += &upstream(&model, &simulator, "none");
                routes += &format!(
                    "  - {{models: [{model}], continuation: {mode}, candidates: [{{upstream: {model}}}, {{upstream: {next}}}]}}\n"
                );
                let is_whole = is_whole || mode != "off";
                asked.push(json!({"model": model, "api": api, "text": TEXT, "is_whole": is_whole}));
            }
        }
        simulators.push(simulator);
    }
    let timeouts = "timeouts: {first_token: 500ms, idle: 2s, content: 800ms}\n";
    let gateway = TestGateway::start(&format!("{upstreams}{routes}{timeouts}")).await;
    let base_url = gateway.url("/v1");
    let arguments = [&program[1..], &[OsStr::new(&base_url)]].concat();
    let printed = run(program[0], &arguments, &Value::from(asked).to_string()).await;
    assert!(printed.ends_with(" 0 wrong\n"), "{printed}");
}

fn upstream(name: &str, simulator: &Simulator, prefill: &str) -> String {
    let base_url = simulator.base_url();
    format!(
        "  {name}: {{provider: openai-compatible, base_url: \"{base_url}\", prefill: {prefill}}}\n"
    )
}
