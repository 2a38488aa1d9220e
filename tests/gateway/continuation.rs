//! Streams that break after their first content and continue at another upstream.

mod agents;
mod wire;

use std::time::Duration;

use backstop::event::{Event, RequestResult};
use backstop::simulator::{Continuing, Fault, Script, Simulator};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answered, Setup, TestGateway, chat_stream};
use crate::streamed::{Streamed, read};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const COMPLETIONS: &str = "/v1/completions";
const TIMEOUTS: &str =
    "timeouts: {connect: 1s, first_token: 600ms, idle: 400ms, total: 20s, keepalive: 20s}\n";
const TEXT: &str = "The quick brown fox jumps over the lazy dog, and then it sleeps under a tree \
                    until the evening comes and all is well.";

async fn simulator(name: &str, script: Script) -> Simulator {
    let simulator = Simulator::start(name, Script::healthy()).await.unwrap();
    simulator.play(script.with_text(TEXT)).await;
    simulator
}

/// A gateway that continues in this way, with upstreams that support prefill in these ways, in this order.
async fn gateway(mode: &str, upstreams: &[(&Simulator, &str)]) -> TestGateway {
    let mut setup = Setup::new();
    let mut names = Vec::new();
    for (upstream, prefill) in upstreams {
        let keys = format!("provider: openai-compatible, prefill: {prefill}");
        setup = setup.upstream_as(upstream, &keys);
        names.push(upstream.name());
    }
    let mode = format!("continuation: {mode}");
    let setup = setup.route_with(&["*"], &names, &mode).lines(TIMEOUTS);
    setup.start().await
}

fn requests() -> [(&'static str, Value); 2] {
    let mut chat = chat_stream();
    chat["stream_options"] = json!({"include_usage": true});
    let response = json!({"model": "gpt-4o", "input": "hi", "stream": true});
    [(CHAT, chat), (RESPONSES, response)]
}

fn faults() -> [Fault; 7] {
    [
        Fault::CutAfter(5),
        Fault::ResetAfter(1),
        Fault::EndAfter(5),
        Fault::EndAfter(24),
        Fault::StallAfter(7),
        Fault::ErrorAfter(5),
        Fault::GarbageAfter(12),
    ]
}

fn whole() -> Streamed {
    Streamed {
        text: TEXT.to_owned(),
        claims_end: true,
        ..Streamed::default()
    }
}

/// The events of a stream, parsed.
fn events(answered: &Answered) -> Vec<Value> {
    let text = answered.text();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// Every event belongs to the one answer that the first upstream started.
fn is_one_answer(answered: &Answered) {
    let events = events(answered);
    for event in &events {
        if let Some(id) = event["id"].as_str() {
            assert_eq!(id, "chatcmpl-first000001");
        }
        if let Some(id) = event["item_id"].as_str() {
            assert_eq!(id, "msg_first000001");
        }
        if let Some(id) = event["response"]["id"].as_str() {
            assert_eq!(id, "resp_first000001");
        }
    }
    let roles = events
        .iter()
        .filter(|event| event["choices"][0]["delta"]["role"].is_string());
    assert!(roles.count() <= 1);
    if let Some(response) = events
        .last()
        .map(|event| &event["response"])
        .filter(|last| last.is_object())
    {
        assert_eq!(response["output"][0]["content"][0]["text"], TEXT);
        assert_eq!(response["output"][0]["id"], "msg_first000001");
        assert_eq!(response["usage"]["output_tokens"], 24);
    } else {
        let usage = &events.last().unwrap()["usage"];
        assert_eq!(usage["completion_tokens"], 24, "{usage}");
    }
}

/// The numbers of the attempts that have ended.
fn numbers(gateway: &TestGateway) -> Vec<usize> {
    let events = gateway.events.all();
    let numbers = events.iter().filter_map(|event| match event {
        Event::AttemptFinished { report, .. } => Some(report.number),
        _ => None,
    });
    numbers.collect()
}

#[tokio::test]
async fn every_fault_after_content_is_continued_to_the_whole_text() {
    let ways = [
        ("prefill", "trailing", Continuing::Exactly),
        ("prefill", "vllm", Continuing::Exactly),
        ("prefill", "prefix", Continuing::Exactly),
        ("prefill", "prefix", Continuing::WithEcho),
        ("regenerate", "none", Continuing::Never),
        ("regenerate", "none", Continuing::OnInstruction),
    ];
    for fault in faults() {
        for (mode, prefill, habit) in ways {
            for (path, body) in requests() {
                let first = simulator("first", Script::fault(fault.clone())).await;
                let second = simulator("second", Script::healthy().with_continuing(habit)).await;
                let gateway = gateway(mode, &[(&first, "none"), (&second, prefill)]).await;
                let answered = gateway.post(path, &body).await;
                let about = format!(
                    "{path} {fault:?} {mode} {prefill} {habit:?}: {}",
                    answered.text()
                );
                assert_eq!(read(&answered.text()), whole(), "{about}");
                assert_eq!(answered.header("x-backstop-continuation"), mode, "{about}");
                assert!(
                    answered.text().contains(": continued by second after "),
                    "{about}"
                );
                if habit == Continuing::Exactly {
                    is_one_answer(&answered);
                }
                let report = gateway.events.finished(0).await;
                assert_eq!(report.result, RequestResult::Answered, "{about}");
                assert_eq!(report.attempts, 2, "{about}");
                assert_eq!(
                    (first.received_count(), second.received_count()),
                    (1, 1),
                    "{about}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_upstream_is_asked_to_continue_in_its_own_way() {
    for (path, body) in requests() {
        let list = if path == CHAT { "messages" } else { "input" };
        for prefill in ["none", "trailing", "prefix", "vllm"] {
            let first = simulator("first", Script::fault(Fault::CutAfter(5))).await;
            let second = simulator("second", Script::healthy()).await;
            let gateway = gateway("regenerate", &[(&first, "none"), (&second, prefill)]).await;
            let mut body = body.clone();
            let limit = if path == CHAT {
                "max_completion_tokens"
            } else {
                "max_output_tokens"
            };
            body[limit] = json!(100);
            gateway.post(path, &body).await;
            let asked = second.received()[0].json();
            let messages = asked[list].as_array().unwrap();
            let said = json!("The quick brown fox jumps");
            let is_told = prefill == "none";
            assert_eq!(messages.len(), if is_told { 3 } else { 2 }, "{asked}");
            assert_eq!(messages[1]["role"], "assistant");
            assert_eq!(messages[1]["content"], said);
            assert_eq!(messages[1]["prefix"] == true, prefill == "prefix");
            assert_eq!(asked["continue_final_message"] == true, prefill == "vllm");
            assert_eq!(asked["add_generation_prompt"] == false, prefill == "vllm");
            assert_eq!(asked[limit], if is_told { 100 } else { 95 });
            if is_told {
                assert_eq!(messages[2]["role"], "user");
                assert!(
                    messages[2]["content"]
                        .as_str()
                        .unwrap()
                        .ends_with("The quick brown fox jumps")
                );
            }
        }
    }
}

#[tokio::test]
async fn a_plain_completion_goes_on_behind_its_prompt_at_any_upstream() {
    let first = simulator("first", Script::fault(Fault::ResetAfter(6))).await;
    let second = simulator(
        "second",
        Script::healthy().with_continuing(Continuing::Exactly),
    )
    .await;
    let gateway = gateway("prefill", &[(&first, "none"), (&second, "none")]).await;
    let body = json!({"model": "gpt-4o", "prompt": "Tell: ", "stream": true, "max_tokens": 50});
    let answered = gateway.post(COMPLETIONS, &body).await;
    let text: String = events(&answered)
        .iter()
        .filter_map(|event| event["choices"][0]["text"].as_str())
        .collect();
    assert_eq!(text, TEXT);
    assert!(answered.text().ends_with("data: [DONE]\n\n"));
    let asked = second.received()[0].json();
    assert_eq!(asked["prompt"], "Tell: The quick brown fox jumps over");
    assert_eq!(asked["max_tokens"], 44);
}

#[tokio::test]
async fn a_stream_is_continued_twice_and_no_more() {
    for (path, body) in requests() {
        let breaks =
            |count| Script::fault(Fault::CutAfter(count)).with_continuing(Continuing::Exactly);
        let first = simulator("first", breaks(3)).await;
        let second = simulator("second", breaks(4)).await;
        let third = simulator(
            "third",
            Script::healthy().with_continuing(Continuing::Exactly),
        )
        .await;
        let all = [
            (&first, "trailing"),
            (&second, "trailing"),
            (&third, "trailing"),
        ];
        let whole_gateway = gateway("prefill", &all).await;
        let answered = whole_gateway.post(path, &body).await;
        assert_eq!(read(&answered.text()), whole(), "{}", answered.text());
        is_one_answer(&answered);
        whole_gateway.events.finished(0).await;
        assert_eq!(numbers(&whole_gateway), [1, 2, 3]);

        third.play(breaks(2).with_text(TEXT)).await;
        let fourth = simulator(
            "fourth",
            Script::healthy().with_continuing(Continuing::Exactly),
        )
        .await;
        let all = [
            (&first, "trailing"),
            (&second, "trailing"),
            (&third, "trailing"),
            (&fourth, "trailing"),
        ];
        let gateway = gateway("prefill", &all).await;
        let answered = gateway.post(path, &body).await;
        let streamed = read(&answered.text());
        assert!(
            !streamed.claims_end && streamed.ends_with_failure,
            "{}",
            answered.text()
        );
        assert_eq!(
            streamed.text,
            "The quick brown fox jumps over the lazy dog,"
        );
        assert_eq!(fourth.received_count(), 0);
    }
}

#[tokio::test]
async fn a_candidate_that_fails_before_it_goes_on_is_followed_by_the_next() {
    let first = simulator("first", Script::fault(Fault::CutAfter(3))).await;
    let second = simulator("second", Script::status(400)).await;
    let third = simulator("third", Script::status(503)).await;
    let fourth = simulator(
        "fourth",
        Script::healthy().with_continuing(Continuing::Exactly),
    )
    .await;
    let all = [
        (&first, "none"),
        (&second, "trailing"),
        (&third, "trailing"),
        (&fourth, "trailing"),
    ];
    let gateway = gateway("prefill", &all).await;
    let answered = gateway.post(CHAT, &chat_stream()).await;
    assert_eq!(read(&answered.text()), whole(), "{}", answered.text());
    assert_eq!(gateway.events.finished(0).await.attempts, 4);
    assert_eq!(numbers(&gateway), [1, 2, 3, 4]);
    let is_told = |event: &Event| {
        matches!(event, Event::Continued { from, to, .. }
            if from.as_ref() == "first" && to.as_ref() == "fourth")
    };
    assert!(gateway.events.all().iter().any(is_told));
}

/// Each of them reads the text so far, and bills it.
#[tokio::test]
async fn a_route_pays_for_so_many_continuations_and_no_more() {
    let first = simulator("first", Script::fault(Fault::CutAfter(3))).await;
    let mut unwilling = Vec::new();
    for number in 0..12 {
        unwilling.push(simulator(&format!("unwilling-{number}"), Script::status(400)).await);
    }
    let mut all = vec![(&first, "none")];
    all.extend(unwilling.iter().map(|upstream| (upstream, "trailing")));
    let gateway = gateway("prefill", &all).await;
    let answered = gateway.post(CHAT, &chat_stream()).await;
    let streamed = read(&answered.text());
    assert_eq!(streamed.text, "The quick brown");
    assert!(!streamed.claims_end && streamed.ends_with_failure);
    let reason = "the route's budget is used up";
    assert!(answered.text().contains(reason), "{}", answered.text());
    let asked = unwilling.iter().map(Simulator::received_count);
    assert_eq!(asked.sum::<usize>(), 10);
}

/// Its patience begins anew with each byte.
#[tokio::test]
async fn a_client_whose_stream_lasted_for_longer_than_its_patience_has_no_less_of_it() {
    let wait = Duration::from_millis(300);
    let cut = Script::fault(Fault::CutAfter(5)).with_token_delay(wait);
    let first = simulator("first", cut).await;
    let going_on = || {
        let script = Script::healthy().with_continuing(Continuing::Exactly);
        script.with_first_token_delay(wait)
    };
    let second = simulator("second", going_on()).await;
    let third = simulator("third", going_on()).await;
    let all = [
        (&first, "none"),
        (&second, "trailing"),
        (&third, "trailing"),
    ];
    let gateway = gateway("prefill", &all).await;
    let headers = [
        ("content-type", "application/json"),
        ("x-stainless-read-timeout", "1"),
    ];
    let answered = gateway
        .send(Method::POST, CHAT, &headers, chat_stream().to_string())
        .await;
    assert_eq!(read(&answered.text()), whole(), "{}", answered.text());
    assert_eq!((second.received_count(), third.received_count()), (1, 0));
}

#[tokio::test]
async fn what_cannot_be_continued_ends_honestly_and_says_why() {
    for (field, value, reason) in [
        ("response_format", json!({"type": "json_object"}), "json"),
        ("n", json!(2), "n"),
        ("logprobs", json!(true), "logprobs"),
        ("modalities", json!(["text", "audio"]), "audio"),
    ] {
        let first = simulator("first", Script::fault(Fault::CutAfter(3))).await;
        let second = simulator("second", Script::healthy()).await;
        let gateway = gateway("regenerate", &[(&first, "none"), (&second, "none")]).await;
        let mut body = chat_stream();
        body[field] = value;
        let answered = gateway.post(CHAT, &body).await;
        assert_eq!(
            answered.header("x-backstop-continuation"),
            format!("off;reason={reason}")
        );
        let streamed = read(&answered.text());
        assert!(
            !streamed.claims_end && streamed.ends_with_failure,
            "{field}: {}",
            answered.text()
        );
        assert_eq!(second.received_count(), 0);
    }
}

#[tokio::test]
async fn a_reply_that_does_not_fit_is_not_spliced_in() {
    for (path, body) in requests() {
        let first = simulator("first", Script::fault(Fault::CutAfter(9))).await;
        let second = simulator(
            "second",
            Script::healthy().with_continuing(Continuing::Unrelated),
        )
        .await;
        let gateway = gateway("regenerate", &[(&first, "none"), (&second, "none")]).await;
        let answered = gateway.post(path, &body).await;
        let streamed = read(&answered.text());
        assert!(TEXT.starts_with(&streamed.text), "{}", answered.text());
        assert!(
            !streamed.claims_end && streamed.ends_with_failure,
            "{}",
            answered.text()
        );
        let error = events(&answered)
            .into_iter()
            .find_map(|event| event["error"]["attempts"].as_array().cloned());
        let outcomes: Vec<String> = error
            .unwrap()
            .iter()
            .map(|attempt| {
                format!(
                    "{}:{}",
                    attempt["upstream"].as_str().unwrap(),
                    attempt["outcome"].as_str().unwrap()
                )
            })
            .collect();
        // Nobody else is left, so the first one is asked to go on.
        let expected = [
            "first:stream_broken",
            "second:no_seam",
            "first:stream_broken",
        ];
        assert_eq!(outcomes, expected);
        assert_eq!(
            gateway.events.finished(0).await.result,
            RequestResult::Broken
        );
    }
}

#[tokio::test]
async fn in_prefill_mode_only_candidates_that_can_are_asked() {
    let first = simulator("first", Script::fault(Fault::CutAfter(3))).await;
    let second = simulator("second", Script::healthy()).await;
    let gateway = gateway("prefill", &[(&first, "none"), (&second, "none")]).await;
    let answered = gateway.post(CHAT, &chat_stream()).await;
    let streamed = read(&answered.text());
    assert!(
        !streamed.claims_end && streamed.ends_with_failure,
        "{}",
        answered.text()
    );
    assert!(answered.text().contains("no candidate could continue it"));
    assert_eq!(second.received_count(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_while_the_next_upstream_is_asked_frees_it() {
    let first = simulator("first", Script::fault(Fault::CutAfter(3))).await;
    let second = simulator(
        "second",
        Script::healthy().with_first_token_delay(Duration::from_secs(30)),
    )
    .await;
    let gateway = gateway("regenerate", &[(&first, "none"), (&second, "none")]).await;
    let headers = [("content-type", "application/json")];
    let body = chat_stream().to_string();
    let answer = gateway.open(Method::POST, CHAT, &headers, body).await;
    // The answer is not read, so the gateway has to continue it by itself.
    let reading =
        tokio::spawn(async move { http_body_util::BodyExt::collect(answer.into_body()).await });
    crate::harness::within(second.wait_received(1)).await;
    reading.abort();
    crate::harness::within(second.wait_abandoned(1)).await;
}
