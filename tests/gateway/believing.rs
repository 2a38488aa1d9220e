//! What upstreams' errors lead to: only an error in an API's own shape is a fact about a key, an account or a model.

use std::time::Duration;

use backstop::simulator::{Fault, Script};
use serde_json::{Value, json};

use crate::harness::{
    Setup, TestGateway, chat, chat_stream, chat_text, refusal, simulators, stream_text,
};

const CHAT: &str = "/v1/chat/completions";

fn error(code: u16, body: &str) -> Script {
    Script::fault(Fault::Status {
        code,
        headers: Vec::new(),
        body: Some(body.to_owned()),
    })
}

/// Pages of an ingress, a firewall, a web server and a proxy, and what frameworks say without knowing the API.
const PAGES: [(u16, &str); 8] = [
    (404, "404 page not found\n"),
    (404, "default backend - 404"),
    (
        403,
        "<html><head><title>Attention Required!</title></head></html>",
    ),
    (
        401,
        "<html><title>401 Authorization Required</title></html>",
    ),
    (
        400,
        "<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>",
    ),
    (
        413,
        "<html><title>413 Request Entity Too Large</title></html>",
    ),
    (403, "RBAC: access denied"),
    (404, r#"{"message":"no Route matched with those values"}"#),
];

#[tokio::test]
async fn a_page_fails_over_and_closes_neither_key_nor_model() {
    for (status, page) in PAGES {
        let (first, second) = simulators().await;
        let gateway = TestGateway::before(&first, &second, "").await;
        first.play(error(status, page)).await;
        for _ in 0..2 {
            let answered = gateway.post(CHAT, &chat()).await;
            assert_eq!(answered.trail(), ["first:foreign_error", "second:ok"]);
        }
        // It is asked again at once, and believed as soon as it answers.
        first.play(Script::answer("first")).await;
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(chat_text(&answered), "first", "{status} {page}");
        assert_eq!(first.received_count(), 3);
    }
}

#[tokio::test]
async fn a_page_of_the_only_upstream_is_told_and_forgotten() {
    for (status, page) in PAGES {
        let (only, _) = simulators().await;
        let gateway = Setup::new().upstream(&only).start().await;
        only.play(error(status, page)).await;
        let answered = gateway.post(CHAT, &chat()).await;
        // A retry of the same bytes would be refused again, unless the page is about something else.
        let error = match status {
            400 | 413 => refusal(&answered, status, "refused_on_the_way"),
            _ => refusal(&answered, 503, "all_upstreams_failed"),
        };
        assert_eq!(error["attempts"][0]["outcome"], "foreign_error");
        if let Some((_, title)) = page.split_once("<title>") {
            let title = title.split('<').next().unwrap();
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(title), "{message}");
        }
        only.play(Script::answer("only")).await;
        assert_eq!(chat_text(&gateway.post(CHAT, &chat()).await), "only");
    }
}

/// One prompt that a firewall dislikes is sent again and again.
#[tokio::test]
async fn a_firewall_that_dislikes_one_prompt_does_not_close_the_upstream_for_others() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    for _ in 0..5 {
        first.play(error(403, "<html>blocked</html>")).await;
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.trail(), ["first:foreign_error", "second:ok"]);
        first.play(Script::answer("first")).await;
        for _ in 0..5 {
            assert_eq!(chat_text(&gateway.post(CHAT, &chat()).await), "first");
        }
    }
}

/// A prompt that always fails where everybody else is answered.
#[tokio::test]
async fn a_request_that_fails_while_others_are_answered_does_not_wait() {
    let mut poison = chat();
    poison["messages"] = json!([{"role": "user", "content": "poison"}]);
    for fault in [
        error(500, r#"{"error":{"message":"m","type":"server_error"}}"#),
        error(403, "<html>blocked</html>"),
        Script::fault(Fault::Reset),
    ] {
        let (only, _) = simulators().await;
        only.play(fault.with_only_body("poison")).await;
        let gateway = Setup::new().upstream(&only).start().await;
        let others = async {
            loop {
                assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
            }
        };
        let answered = tokio::select! {
            answered = gateway.post(CHAT, &poison) => answered,
            () = others => unreachable!(),
        };
        refusal(&answered, 503, "all_upstreams_failed");
        let asked = only.received();
        let poisoned = asked.iter().filter(|asked| asked.json() == poison);
        let calls = poisoned.count();
        assert!((2..=7).contains(&calls), "{calls} calls");
    }
}

#[tokio::test]
async fn failures_of_others_fail_over_whatever_their_status() {
    for status in [
        407, 409, 412, 417, 418, 421, 423, 424, 425, 444, 460, 498, 499,
    ] {
        let (first, second) = simulators().await;
        let gateway = TestGateway::before(&first, &second, "").await;
        let body = json!({"error": {"message": "m", "type": "t", "code": null}});
        first.play(error(status, &body.to_string())).await;
        for body in [chat(), chat_stream()] {
            let answered = gateway.post(CHAT, &body).await;
            assert_eq!(answered.status, 200, "{status}");
            assert_eq!(answered.upstream(), "second");
        }
        assert_eq!(first.received_count(), 2, "{status}");
    }
}

#[tokio::test]
async fn refusals_of_an_account_a_region_or_a_model_fail_over_whatever_their_status() {
    for (status, body, outcome, comes_back) in [
        (
            400,
            r#"{"error":{"code":"Arrearage","message":"Access denied, please make sure your account is in good standing.","type":"Arrearage"}}"#,
            "quota_exhausted",
            false,
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}]"#,
            "unauthorized",
            false,
        ),
        (
            400,
            r#"{"error":{"message":"The model `x` has been decommissioned","code":"model_decommissioned"}}"#,
            "model_unavailable",
            true,
        ),
        (
            400,
            r#"{"error":{"message":"Model Not Exist","code":"invalid_request_error"}}"#,
            "model_unavailable",
            true,
        ),
        (
            412,
            r#"{"error":{"message":"Account x is suspended, possibly due to reaching the monthly spending limit"}}"#,
            "quota_exhausted",
            false,
        ),
        (
            400,
            r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***st"}"#,
            "unauthorized",
            false,
        ),
    ] {
        let (first, second) = simulators().await;
        let gateway = TestGateway::before(&first, &second, "").await;
        first.play(error(status, body)).await;
        let trail = [format!("first:{outcome}"), "second:ok".to_owned()];
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.trail(), trail, "{body}");
        let attempts = answered.header("x-backstop-attempts");
        let its_own = format!("first;outcome={outcome};status={status};");
        assert!(attempts.starts_with(&its_own), "{attempts}");
        // What is about the account is left alone for a while; behind `*` there are other models.
        let again = gateway.post(CHAT, &chat()).await;
        if !comes_back {
            assert_eq!(again.trail(), ["second:ok"], "{body}");
        }
        assert_eq!(again.status, 200);
    }
}

/// The configuration wrote the model's name, so the client cannot be at fault.
#[tokio::test]
async fn an_unknown_name_that_the_configuration_wrote_fails_over() {
    let body = r#"{"error":{"message":"llama-9 is not available on your plan","type":"invalid_request_error"}}"#;
    for (candidate, trail) in [
        (
            "first, model: llama-9",
            &["first:model_unavailable", "second:ok"][..],
        ),
        ("first", &["first:rejected"]),
    ] {
        let (first, second) = simulators().await;
        first.play(error(400, body)).await;
        let gateway = Setup::new()
            .upstream(&first)
            .upstream(&second)
            .route(&["gpt-4o"], &[candidate, "second"])
            .start()
            .await;
        assert_eq!(gateway.post(CHAT, &chat()).await.trail(), trail);
    }
}

const RULES: &str = "errors: [{status: 400, code: E1042, outcome: quota_exhausted}, \
    {words: tenant is asleep, outcome: overloaded}, {status: 418, outcome: rejected}]";

async fn ruled() -> (TestGateway, [backstop::simulator::Simulator; 2]) {
    let (first, second) = simulators().await;
    let keys = format!("provider: openai-compatible, api_key: first-key, {RULES}");
    let gateway = Setup::new()
        .upstream_as(&first, &keys)
        .upstream(&second)
        .start()
        .await;
    (gateway, [first, second])
}

#[tokio::test]
async fn the_configuration_says_what_an_upstreams_errors_mean() {
    for (status, body, trail) in [
        (
            400,
            r#"{"error":{"code":"E1042","message":"m"}}"#,
            &["first:quota_exhausted", "second:ok"][..],
        ),
        (
            403,
            r#"{"error":{"code":"x","message":"Your Tenant is asleep."}}"#,
            &["first:overloaded", "second:ok"],
        ),
        (
            403,
            "<html>the tenant is asleep</html>",
            &["first:overloaded", "second:ok"],
        ),
        (418, "{}", &["first:rejected"]),
        (
            400,
            r#"{"error":{"code":"E1043","message":"m"}}"#,
            &["first:rejected"],
        ),
    ] {
        for request in [chat(), chat_stream()] {
            let (gateway, [first, _second]) = ruled().await;
            first.play(error(status, body)).await;
            let answered = gateway.post(CHAT, &request).await;
            assert_eq!(answered.trail(), trail, "{status} {body}");
        }
    }
}

#[tokio::test]
async fn the_configuration_is_asked_about_errors_inside_a_200_too() {
    let event = "data: {\"error\":{\"code\":\"E1042\",\"message\":\"m\"}}\n\n";
    let (gateway, [first, _second]) = ruled().await;
    first
        .play(Script::fault(Fault::Raw(event.to_owned())))
        .await;
    let answered = gateway.post(CHAT, &chat_stream()).await;
    let (_, is_whole) = stream_text(&answered.text());
    assert!(is_whole);
    assert_eq!(answered.upstream(), "second");
    let next = gateway.post(CHAT, &chat()).await;
    assert_eq!(next.trail(), ["second:ok"], "its account is left alone");
}

#[tokio::test]
async fn a_429_asks_for_the_wait_that_its_words_name() {
    let azure = json!({"error": {"code": "429", "message": "Requests have exceeded call rate limit. Please retry after 26 seconds."}});
    let gemini = json!([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Please retry in 25.2s.",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "25s"}]}}]);
    for body in [azure, gemini] {
        let (only, _) = simulators().await;
        only.play(error(429, &body.to_string())).await;
        let gateway = Setup::new().upstream(&only).start().await;
        let answered = gateway.post(CHAT, &chat()).await;
        refusal(&answered, 429, "rate_limit_exceeded");
        let wait: u64 = answered.header("retry-after").parse().unwrap();
        assert!((20..=26).contains(&wait), "{wait}: {body}");
    }
}

#[tokio::test]
async fn a_429_with_a_full_bucket_ahead_is_tried_again_soon() {
    let (only, _) = simulators().await;
    let headers = [
        ("x-ratelimit-limit-requests", "500"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "59.9s"),
    ];
    only.play(Script::fault(Fault::Status {
        code: 429,
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        body: None,
    }))
    .await;
    let gateway = Setup::new().upstream(&only).start().await;
    let answered = gateway.post(CHAT, &chat()).await;
    refusal(&answered, 429, "rate_limit_exceeded");
    assert_eq!(answered.header("retry-after"), "1");
    only.play(Script::answer("only")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(chat_text(&gateway.post(CHAT, &chat()).await), "only");
}

/// The words of an upstream are told, but no key, and not more than a few of them.
#[tokio::test]
async fn the_upstreams_own_words_reach_the_client() {
    for (status, code) in [
        (401, "upstream_key_refused"),
        (403, "upstream_key_refused"),
        (429, "rate_limit_exceeded"),
        (500, "all_upstreams_failed"),
        (503, "all_upstreams_failed"),
    ] {
        let (only, _) = simulators().await;
        let words = format!("It is only-key, sk-ab****yz, and {}", "x".repeat(900));
        let body = json!({"error": {"message": words, "type": "t", "code": null}});
        only.play(error(status, &body.to_string())).await;
        let gateway = Setup::new()
            .upstream_as(&only, "provider: openai-compatible, api_key: only-key")
            .start()
            .await;
        for request in [chat(), chat_stream()] {
            let answered = gateway.post(CHAT, &request).await;
            let error = answered.json()["error"].take();
            assert_eq!(error["code"], code, "{error}");
            let Some(detail) = error["attempts"][0]["detail"].as_str() else {
                continue;
            };
            assert!(detail.starts_with("It is ***, ***"), "{detail}");
            assert!(detail.len() < 310, "{detail}");
        }
        let told: Value = gateway.post(CHAT, &chat()).await.json();
        assert!(!told.to_string().contains("only-key"));
    }
}
