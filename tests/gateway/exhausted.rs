//! Requests that no upstream answers: the client learns why, and when to retry.

use std::time::Duration;

use backstop::simulator::{Fault, Script, Simulator};
use serde_json::json;

use crate::failover::unsupported;
use crate::forwarding::raw;
use crate::harness::{
    Answered, Setup, TestGateway, chat, chat_stream, chat_text, refusal, simulators,
};

const CHAT: &str = "/v1/chat/completions";

/// A gateway whose two upstreams behave alike.
async fn both(script: Script) -> (TestGateway, Simulator, Simulator) {
    let first = Simulator::start("first", script.clone()).await.unwrap();
    let second = Simulator::start("second", script).await.unwrap();
    let gateway = TestGateway::before(&first, &second, "").await;
    (gateway, first, second)
}

fn rate_limited(seconds: u64) -> Script {
    Script::fault(Fault::RateLimited {
        after: Duration::from_secs(seconds),
    })
}

fn retry_after(answered: &Answered) -> u64 {
    answered.header("retry-after").parse().unwrap()
}

#[tokio::test]
async fn when_all_upstreams_fail_the_answer_lists_every_attempt() {
    for body in [chat(), chat_stream()] {
        let (gateway, first, second) = both(Script::status(500)).await;
        second.play(Script::fault(Fault::Reset)).await;
        let answered = gateway.post(CHAT, &body).await;
        let error = refusal(&answered, 503, "all_upstreams_failed");
        assert_eq!(error["type"], "upstream_error");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("first: server_error (500)"), "{message}");
        assert!(message.contains("second: connection_lost"), "{message}");

        let attempts = error["attempts"].as_array().unwrap();
        assert_eq!(attempts[0]["upstream"], "first");
        assert_eq!(attempts[0]["outcome"], "server_error");
        assert_eq!(attempts[0]["status"], 500);
        assert_eq!(attempts[1]["upstream"], "second");
        assert_eq!(attempts[1]["outcome"], "connection_lost");
        assert!(
            attempts
                .iter()
                .all(|attempt| attempt["elapsed_ms"].is_u64())
        );

        let outcomes = ["first:server_error", "second:connection_lost"];
        assert_eq!(answered.outcomes(), outcomes);
        let phases = gateway.phases();
        assert_eq!(phases[..2], ["normal", "normal"]);
        assert!(phases.contains(&"retry"), "{phases:?}");
        // Both are asked again, as that may help, but not for ever.
        let count = attempts.len();
        assert!((4..20).contains(&count), "{count}");
        assert_eq!(first.received_count() + second.received_count(), count);
        assert_eq!(answered.upstream(), "");
        assert!((1..=60).contains(&retry_after(&answered)));
        assert_eq!(answered.header("x-should-retry"), "");
    }
}

#[tokio::test]
async fn when_all_upstreams_are_rate_limited_so_is_the_client() {
    let (gateway, first, second) = both(rate_limited(30)).await;
    let answered = gateway.post(CHAT, &chat()).await;
    let error = refusal(&answered, 429, "rate_limit_exceeded");
    assert_eq!(error["type"], "rate_limit_error");
    let trail = ["first:rate_limited", "second:rate_limited"];
    assert_eq!(answered.trail(), trail);
    assert!((1..=60).contains(&retry_after(&answered)));
    assert_eq!((first.received_count(), second.received_count()), (1, 1));
}

#[tokio::test]
async fn a_rate_limit_among_other_failures_is_no_429() {
    let (gateway, _first, second) = both(rate_limited(30)).await;
    second.play(Script::status(500)).await;
    for trail in [
        &["first:rate_limited", "second:server_error"][..],
        &["second:server_error"],
    ] {
        let answered = gateway.post(CHAT, &chat()).await;
        refusal(&answered, 503, "all_upstreams_failed");
        assert_eq!(answered.outcomes(), trail);
        // The one without a pause is tried again at once, so the other one's pause does not matter.
        assert_eq!(retry_after(&answered), 1);
    }
}

#[tokio::test]
async fn upstreams_that_ask_for_a_pause_get_it_and_the_client_learns_its_length() {
    let (gateway, first, second) = both(rate_limited(30)).await;
    let answered = gateway.post(CHAT, &chat()).await;
    refusal(&answered, 429, "rate_limit_exceeded");
    assert!((10..=30).contains(&retry_after(&answered)));
    assert_eq!(answered.header("x-should-retry"), "");

    // They would answer now, but their pause is not over: they are not even tried as a last resort.
    first.play(Script::healthy()).await;
    second.play(Script::healthy()).await;
    for _ in 0..5 {
        let answered = gateway.post(CHAT, &chat()).await;
        let error = refusal(&answered, 429, "rate_limit_exceeded");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("first: not asked"), "{message}");
        assert!(message.contains("second: not asked"), "{message}");
        assert!((10..=30).contains(&retry_after(&answered)));
        assert_eq!(answered.trail(), [""; 0]);
    }
    assert_eq!((first.received_count(), second.received_count()), (1, 1));
}

/// Two requests a minute, and both are used up: the next one passes in half a minute.
#[tokio::test]
async fn a_pause_whose_length_nobody_says_follows_from_what_is_left_of_the_limit() {
    let headers = [
        ("x-ratelimit-limit-requests", "2"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "60s"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let (gateway, _first, _second) = both(Script::fault(Fault::Status {
        code: 429,
        headers: headers.into(),
        body: None,
    }))
    .await;
    let answered = gateway.post(CHAT, &chat()).await;
    refusal(&answered, 429, "rate_limit_exceeded");
    let pause = retry_after(&answered);
    assert!((20..=60).contains(&pause), "{pause}");
}

/// Some say it inside a success reply, whose head says for how long.
#[tokio::test]
async fn a_pause_that_is_asked_for_beside_a_success_lasts_as_long() {
    let limit = json!({"error": {"message": "Too fast.", "code": "rate_limit_exceeded"}});
    let (gateway, first, second) = both(Script::fault(Fault::Status {
        code: 200,
        headers: vec![("retry-after".to_owned(), "30".to_owned())],
        body: Some(limit.to_string()),
    }))
    .await;
    let answered = gateway.post(CHAT, &chat()).await;
    refusal(&answered, 429, "rate_limit_exceeded");
    assert!((10..=30).contains(&retry_after(&answered)));
    assert_eq!((first.received_count(), second.received_count()), (1, 1));
}

#[tokio::test]
async fn an_upstream_that_asks_for_a_pause_is_spared_while_another_one_answers() {
    let (gateway, first, second) = both(rate_limited(30)).await;
    second.play(Script::healthy()).await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(answered.trail(), ["first:rate_limited", "second:ok"]);
    for _ in 0..5 {
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.trail(), ["second:ok"]);
    }
    assert_eq!((first.received_count(), second.received_count()), (1, 6));
}

#[tokio::test]
async fn a_pause_of_more_than_a_minute_asks_the_client_not_to_retry() {
    let (gateway, _first, _second) = both(rate_limited(90)).await;
    for _ in 0..2 {
        let answered = gateway.post(CHAT, &chat()).await;
        refusal(&answered, 429, "rate_limit_exceeded");
        assert_eq!(retry_after(&answered), 60);
        assert_eq!(answered.header("x-should-retry"), "false");
    }
}

/// A candidate that can never serve the request must not change the rate limit error.
#[tokio::test]
async fn a_rate_limit_is_one_beside_upstreams_that_cannot_serve_the_request() {
    let (first, second) = simulators().await;
    first.play(rate_limited(30)).await;
    let toolless = "provider: openai-compatible, capabilities: {tools: false}";
    let gateway = Setup::new()
        .upstream(&first)
        .upstream_as(&second, toolless)
        .start()
        .await;
    let mut body = chat();
    body["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    for trail in [&["first:rate_limited"][..], &[]] {
        let answered = gateway.post(CHAT, &body).await;
        refusal(&answered, 429, "rate_limit_exceeded");
        assert_eq!(answered.trail(), trail);
    }
    assert_eq!(second.received_count(), 0);
}

/// The first one's window is too small, and vectors of the second one's model cannot replace the first one's.
#[tokio::test]
async fn what_no_candidate_can_ever_serve_is_not_to_be_tried_again() {
    let (first, second) = simulators().await;
    let small = "provider: openai-compatible, capabilities: {context_window: 100}";
    let gateway = Setup::new()
        .upstream_as(&first, small)
        .upstream(&second)
        .route(&["*"], &["first", "second, model: other"])
        .start()
        .await;
    let long = json!({"model": "m", "input": "word ".repeat(1000)});
    let answered = gateway.post("/v1/embeddings", &long).await;
    let error = refusal(&answered, 503, "no_upstream_available");
    let message = error["message"].as_str().unwrap();
    for upstream in ["first", "second"] {
        let told = format!("{upstream}: not asked, ");
        assert!(message.contains(&told), "{message}");
    }
    assert_eq!(answered.header("x-should-retry"), "false");
    assert_eq!(answered.trail(), [""; 0]);
    assert_eq!((first.received_count(), second.received_count()), (0, 0));

    let short = json!({"model": "m", "input": "word"});
    let answered = gateway.post("/v1/embeddings", &short).await;
    assert_eq!(answered.trail(), ["first:ok"]);
}

#[tokio::test]
async fn a_model_that_no_upstream_has_is_not_found() {
    let (gateway, first, second) = both(Script::status(404)).await;
    let trail = ["first:model_unavailable", "second:model_unavailable"];
    for trail in [&trail[..], &[], &[]] {
        let answered = gateway.post(CHAT, &chat()).await;
        let error = refusal(&answered, 404, "model_not_found");
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!(answered.trail(), trail);
        assert_eq!(answered.header("retry-after"), "");
        let counts = (first.received_count(), second.received_count());
        assert_eq!(counts, (1, 1));
    }
    // Another model is another matter.
    let mut other = chat();
    other["model"] = "another".into();
    let answered = gateway.post(CHAT, &other).await;
    assert_eq!(answered.trail(), trail);
}

/// An upstream that rejects every request for this reason, and its error.
fn shut(status: u16, error: &str) -> Script {
    Script::fault(Fault::Status {
        code: status,
        headers: Vec::new(),
        body: Some(format!(r#"{{"error":{{"code":"{error}","message":"m"}}}}"#)),
    })
}

/// SDKs slow down after a 429, and operators look for too many requests.
#[tokio::test]
async fn refused_keys_and_empty_accounts_are_no_rate_limits() {
    for (script, tried, words, status, code) in [
        (
            shut(401, "invalid_api_key"),
            "unauthorized",
            "its key was refused",
            403,
            "upstream_key_refused",
        ),
        (
            shut(429, "insufficient_quota"),
            "quota_exhausted",
            "its quota was exhausted",
            402,
            "upstream_quota_exhausted",
        ),
    ] {
        let (gateway, first, second) = both(script.clone()).await;
        let answered = gateway.post(CHAT, &chat()).await;
        let error = refusal(&answered, status, code);
        assert_eq!(error["type"], "upstream_error");
        let trail = [format!("first:{tried}"), format!("second:{tried}")];
        assert_eq!(answered.trail(), trail);
        for _ in 0..2 {
            let answered = gateway.post(CHAT, &chat()).await;
            let error = refusal(&answered, status, code);
            let message = error["message"].as_str().unwrap();
            for upstream in ["first", "second"] {
                let told = format!("{upstream}: not asked, {words}");
                assert!(message.contains(&told), "{message}");
            }
            // No retry can mend it, and SDKs must not sleep over it.
            assert_eq!(answered.header("retry-after"), "");
            assert_eq!(answered.header("x-should-retry"), "false");
        }
        assert_eq!((first.received_count(), second.received_count()), (1, 1));

        // One rate limit beside it changes that; the client may retry when it is over.
        let (gateway, _first, second) = both(script).await;
        second.play(rate_limited(9)).await;
        for _ in 0..2 {
            let answered = gateway.post(CHAT, &chat()).await;
            let error = refusal(&answered, 503, "all_upstreams_failed");
            assert!((1..=10).contains(&retry_after(&answered)), "{error}");
            assert_eq!(answered.header("x-should-retry"), "");
        }
    }
}

/// They get the pause that they ask for, but the client is not sending too much.
#[tokio::test]
async fn upstreams_with_too_much_to_do_are_no_rate_limit() {
    let busy = Script::fault(Fault::Status {
        code: 503,
        headers: vec![("retry-after".to_owned(), "30".to_owned())],
        body: None,
    });
    let (gateway, first, second) = both(busy).await;
    for count in [2, 0, 0] {
        let answered = gateway.post(CHAT, &chat()).await;
        let error = refusal(&answered, 503, "all_upstreams_failed");
        assert_eq!(answered.trail().len(), count, "{error}");
        let message = error["message"].as_str().unwrap();
        let is_told = message.contains("first: not asked, it is overloaded");
        assert_eq!(is_told, count == 0, "{message}");
        assert!((10..=31).contains(&retry_after(&answered)));
    }
    assert_eq!((first.received_count(), second.received_count()), (1, 1));
}

#[tokio::test]
async fn a_model_that_is_known_to_be_nowhere_is_still_not_found() {
    let script = Script::status(404);
    let first = Simulator::start("first", script.clone()).await.unwrap();
    let second = Simulator::start("second", script).await.unwrap();
    let named = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .route(&["gpt-4o"], &["first", "second"]);
    let gateway = named.start().await;
    for count in [2, 0, 0] {
        let answered = gateway.post(CHAT, &chat()).await;
        let error = refusal(&answered, 404, "model_not_found");
        assert_eq!(answered.trail().len(), count, "{error}");
        let message = error["message"].as_str().unwrap();
        let is_told = message.contains("second: not asked, it did not have the model");
        assert_eq!(is_told, count == 0, "{message}");
    }
    // If one of them cannot tell, it is unknown.
    first.play(Script::status(500)).await;
    let gateway = named.start().await;
    for _ in 0..2 {
        let answered = gateway.post(CHAT, &chat()).await;
        refusal(&answered, 503, "all_upstreams_failed");
    }
}

#[tokio::test]
async fn with_everything_out_of_rotation_there_is_still_one_attempt() {
    let (gateway, first, second) = both(Script::status(500)).await;
    let mut lengths = Vec::new();
    while lengths.last() != Some(&1) {
        assert!(lengths.len() < 20, "never one attempt alone: {lengths:?}");
        let answered = gateway.post(CHAT, &chat()).await;
        let error = refusal(&answered, 503, "all_upstreams_failed");
        let message = error["message"].as_str().unwrap();
        lengths.push(answered.trail().len());
        let has_passed_over = message.contains("not asked, it is out of rotation");
        assert!(has_passed_over || lengths.last() != Some(&1), "{message}");
        assert!((1..=60).contains(&retry_after(&answered)));
    }

    first.play(Script::healthy()).await;
    second.play(Script::healthy()).await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert!(chat_text(&answered).starts_with("Hello from "));
    assert_eq!(answered.trail().len(), 1);
    let phases = gateway.phases();
    assert!(phases.contains(&"last_resort"), "{phases:?}");
}

#[tokio::test]
async fn the_total_time_ends_a_request_whoever_is_left_to_ask() {
    let (first, second, third) = (
        Simulator::start("first", Script::fault(Fault::Hang))
            .await
            .unwrap(),
        Simulator::start("second", Script::fault(Fault::Hang))
            .await
            .unwrap(),
        Simulator::start("third", Script::fault(Fault::Hang))
            .await
            .unwrap(),
    );
    let gateway = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .upstream(&third)
        .lines("timeouts: {first_token: 600ms, answer: 600ms, total: 1100ms}")
        .start()
        .await;
    for body in [chat(), chat_stream()] {
        let answered = gateway.post(CHAT, &body).await;
        refusal(&answered, 503, "all_upstreams_failed");
        assert!(
            answered.trail().last().unwrap().ends_with(":deadline"),
            "{:?}",
            answered.trail()
        );
    }
    let counts = [&first, &second, &third].map(Simulator::received_count);
    assert!(counts.iter().sum::<usize>() <= 6, "{counts:?}");
}

/// Without us the client would have received this error, and could act on it.
#[tokio::test]
async fn the_first_choices_rejection_is_returned_even_if_fallbacks_fail() {
    let first = Simulator::start("first", unsupported()).await.unwrap();
    let second = Simulator::start("second", rate_limited(30)).await.unwrap();
    let gateway = TestGateway::before(&first, &second, "").await;
    for trail in [
        &["first:unsupported", "second:rate_limited"][..],
        &["first:unsupported"],
    ] {
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.trail(), trail);
        assert_eq!((answered.status, answered.upstream()), (400, "first"));
        assert_eq!(answered.json()["error"]["message"], "no such field");
    }
    // The error of a fallback is not definite: the first one may do better when it is back.
    let (gateway, first, second) = both(rate_limited(30)).await;
    second.play(unsupported()).await;
    for trail in [
        &["first:rate_limited", "second:unsupported"][..],
        &["second:unsupported"],
    ] {
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.trail(), trail);
        let error = refusal(&answered, 503, "all_upstreams_failed");
        // A retry gets the same error from the second one, so only the first one's pause counts.
        assert!((10..=30).contains(&retry_after(&answered)), "{error}");
        let attempts = error["attempts"].as_array().unwrap();
        assert_eq!(attempts.last().unwrap()["detail"], "no such field");
    }
    assert_eq!(first.received_count(), 1);
}

/// Whether the doubt is about our translation, or about a model that suddenly rejects everything: the first choice's
/// rejection is what is known best, and nobody waits for those that are down.
#[tokio::test]
async fn a_doubted_rejection_is_the_answer_if_nobody_else_answers() {
    let rejecting = |message: &str| {
        let body = json!({"type": "error", "error":
            {"type": "invalid_request_error", "message": message, "code": null}});
        Script::fault(Fault::Status {
            code: 400,
            headers: Vec::new(),
            body: Some(body.to_string()),
        })
    };
    let claude = "provider: anthropic, api_key: k";
    let native = "provider: openai-compatible, api_key: k";
    for (provider, standby) in [
        (native, Script::status(500)),
        (native, Script::fault(Fault::Refuse)),
        (claude, Script::status(500)),
        (claude, rate_limited(5)),
        (claude, rejecting("not for the second")),
    ] {
        let (first, second) = simulators().await;
        let gateway = Setup::new()
            .upstream_as(&first, provider)
            .upstream_as(&second, claude)
            .start()
            .await;
        for _ in 0..20 {
            assert_eq!(gateway.post(CHAT, &chat()).await.upstream(), "first");
        }
        first.play(rejecting("not for the first")).await;
        second.play(standby.clone()).await;
        let mut is_doubted = false;
        for body in [chat(), chat_stream()].iter().cycle().take(8) {
            let answered = gateway.post(CHAT, body).await;
            let text = answered.text();
            assert_eq!((answered.status, answered.upstream()), (400, "first"));
            assert!(text.contains("not for the first"), "{text}");
            is_doubted |= answered.trail().len() > 1;
        }
        assert!(is_doubted, "{provider} {standby:?}");
    }
}

#[tokio::test]
async fn a_fallbacks_rejection_of_a_translation_is_returned_without_our_key() {
    let first = Simulator::start("first", Script::status(503))
        .await
        .unwrap();
    let reason = |end: &str| format!("messages.0: not for {end}");
    let said = json!({"type": "error", "error": {
        "type": "invalid_request_error", "message": reason(&format!("second-key{}", "é".repeat(300)))}});
    let script = Script::fault(Fault::Status {
        code: 400,
        headers: Vec::new(),
        body: Some(said.to_string()),
    });
    let second = Simulator::start("second", script).await.unwrap();
    let gateway = Setup::new()
        .upstream(&first)
        .upstream_as(&second, "provider: anthropic, api_key: second-key")
        .start()
        .await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(answered.trail(), ["first:overloaded", "second:rejected"]);
    let error = refusal(&answered, 503, "all_upstreams_failed");
    let told = error["attempts"][1]["detail"].as_str().unwrap();
    let begins = reason("***é");
    assert!(told.starts_with(&begins) && told.ends_with("é…"), "{told}");
    assert_eq!(told.chars().count(), 301);
    assert!(error["message"].as_str().unwrap().contains(told));

    // Metrics contain no text of upstreams.
    let metrics = gateway.admin("/metrics").await.text();
    assert!(!metrics.contains("messages.0"), "{metrics}");
}

#[tokio::test]
async fn an_error_in_other_words_is_json_and_one_in_its_own_stays_as_it_came() {
    for (provider, form) in [
        ("anthropic", "application/json"),
        ("openai-compatible", "text/plain"),
    ] {
        let error = json!({"type": "invalid_request_error", "message": "no"});
        let said = json!({"type": "error", "error": error}).to_string();
        let length = said.len();
        let url = raw(format!(
            "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n{said}"
        ));
        let keys = format!("provider: {provider}, api_key: k");
        let gateway = Setup::new()
            .upstream_at("raw", &url.await, &keys)
            .start()
            .await;
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.status, 400, "{provider}");
        assert_eq!(answered.header("content-type"), form, "{provider}");
        assert_eq!(answered.json()["error"]["message"], "no", "{provider}");
    }
}

#[tokio::test]
async fn what_went_wrong_within_a_stream_is_told_in_the_upstreams_words() {
    let events = [
        json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hello"}}]}),
        json!({"error": {"message": "the call is malformed", "type": "invalid_request_error",
            "code": "tool_use_failed", "failed_generation": "{\"name\": \"f\"}"}}),
    ];
    let text = events.map(|event| format!("data: {event}\n\n")).concat();
    let upstream = Simulator::start("upstream", Script::fault(Fault::Raw(text)))
        .await
        .unwrap();
    let gateway = Setup::new().upstream(&upstream).start().await;
    let answered = gateway.post(CHAT, &chat_stream()).await.text();
    let last = answered.trim_end().rsplit("data: ").next().unwrap();
    let error: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(error["error"]["code"], "tool_use_failed", "{answered}");
    assert_eq!(error["error"]["failed_generation"], "{\"name\": \"f\"}");
    assert_eq!(error["error"]["message"], "the call is malformed");
}

#[tokio::test]
async fn what_a_model_wrote_in_vain_goes_to_the_client_if_nobody_says_more() {
    let error = json!({"error": {"message": "Tool call validation failed", "type": "invalid_request_error",
        "code": "tool_use_failed", "failed_generation": "{\"name\": \"f\"}"}});
    let failed = Script::fault(Fault::Status {
        code: 400,
        headers: Vec::new(),
        body: Some(error.to_string()),
    });
    for body in [chat(), chat_stream()] {
        let (gateway, first, second) = both(failed.clone()).await;
        let answered = gateway.post(CHAT, &body).await;
        assert_eq!((answered.status, answered.json()), (400, error.clone()));
        let count = first.received_count() + second.received_count();
        assert!((2..9).contains(&count), "{count}");

        second.play(Script::healthy()).await;
        let answered = gateway.post(CHAT, &body).await;
        assert_eq!((answered.status, answered.upstream()), (200, "second"));
        // It is no failure of the upstream.
        assert_eq!(answered.trail()[0], "first:failed_generation");
    }
}
