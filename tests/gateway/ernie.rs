//! Ernie (Baidu Qianfan v2): chats, streams, and the errors that its documentation lists.

use backstop::simulator::{Fault, Script, Simulator};
use serde_json::{Value, json};

use crate::harness::{Setup, TestGateway, chat, chat_stream, chat_text, stream_text};

const CHAT: &str = "/v1/chat/completions";

async fn gateway(ernie: &Simulator, other: &Simulator) -> TestGateway {
    Setup::new()
        .upstream_as(ernie, "provider: ernie, api_key: bce-v3-key")
        .upstream(other)
        .route(&["*"], &["ernie, model: ernie-4.5-turbo-128k", "other"])
        .start()
        .await
}

async fn simulators() -> (Simulator, Simulator) {
    let ernie = Simulator::start("ernie", Script::healthy()).await.unwrap();
    let other = Simulator::start("other", Script::healthy()).await.unwrap();
    (ernie, other)
}

#[tokio::test]
async fn ernie_answers_chats_and_streams() {
    let (ernie, other) = simulators().await;
    let gateway = gateway(&ernie, &other).await;
    assert_eq!(
        chat_text(&gateway.post(CHAT, &chat()).await),
        "Hello from ernie."
    );
    let answered = gateway.post(CHAT, &chat_stream()).await;
    assert_eq!(
        stream_text(&answered.text()),
        ("Hello from ernie.".to_owned(), true)
    );
    let asked = &ernie.received()[0];
    assert_eq!(asked.header("authorization"), Some("Bearer bce-v3-key"));
    assert_eq!(asked.json()["model"], "ernie-4.5-turbo-128k");
    assert_eq!(other.received_count(), 0);
}

/// Status, code, type, whether the fields are at the top level, and the meaning.
const ERRORS: [(u16, &str, &str, bool, &str); 12] = [
    (
        429,
        "rpm_rate_limit_exceeded",
        "rate_limit_exceeded",
        false,
        "rate_limited",
    ),
    (
        429,
        "tpm_rate_limit_exceeded",
        "rate_limit_exceeded",
        false,
        "rate_limited",
    ),
    (
        401,
        "invalid_model",
        "invalid_request_error",
        false,
        "model_unavailable",
    ),
    (
        401,
        "invalid_iam_token",
        "invalid_request_error",
        false,
        "unauthorized",
    ),
    (401, "access_denied", "access_denied", false, "unauthorized"),
    (
        404,
        "model_not_found",
        "invalid_request_error",
        false,
        "model_unavailable",
    ),
    (
        500,
        "internal_error",
        "internal_error",
        false,
        "server_error",
    ),
    (
        500,
        "dispatch_internal_error",
        "internal_error",
        false,
        "server_error",
    ),
    (
        503,
        "server_overloaded",
        "server_error",
        false,
        "overloaded",
    ),
    (200, "rpm_rate_limit_exceeded", "", true, "rate_limited"),
    (200, "internal_error", "", true, "server_error"),
    (
        200,
        "tpm_rate_limit_exceeded",
        "rate_limit_exceeded",
        false,
        "rate_limited",
    ),
];

fn body(code: &str, kind: &str, is_on_top: bool) -> Value {
    if is_on_top {
        return json!({"id": "as-1", "code": code, "message": "m", "choices": null});
    }
    json!({"error": {"code": code, "message": "m", "type": kind}, "id": "as-1"})
}

fn reply(code: u16, body: &Value) -> Script {
    Script::fault(Fault::Status {
        code,
        headers: Vec::new(),
        body: Some(body.to_string()),
    })
}

#[tokio::test]
async fn each_error_of_qianfan_is_distinguished() {
    for (status, code, kind, is_on_top, outcome) in ERRORS {
        let (ernie, other) = simulators().await;
        ernie
            .play(reply(status, &body(code, kind, is_on_top)))
            .await;
        let gateway = gateway(&ernie, &other).await;
        let answered = gateway.post(CHAT, &chat()).await;
        let trail = [format!("ernie:{outcome}"), "other:ok".to_owned()];
        assert_eq!(answered.trail(), trail, "{status} {code}");
    }
}

#[tokio::test]
async fn invalid_requests_and_refused_content_do_not_fail_over() {
    for (status, code) in [
        (400, "malformed_json"),
        (403, "input_unsafe"),
        (403, "output_unsafe"),
    ] {
        let (ernie, other) = simulators().await;
        ernie
            .play(reply(status, &body(code, "invalid_request_error", false)))
            .await;
        let gateway = gateway(&ernie, &other).await;
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(
            (answered.status, answered.upstream()),
            (status, "ernie"),
            "{code}"
        );
        assert_eq!(other.received_count(), 0);
    }
}
