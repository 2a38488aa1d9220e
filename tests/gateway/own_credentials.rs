//! People with a plan of their own: their credential goes to the upstreams that take it, and to nobody else.

use backstop::simulator::{Fault, Script, Simulator};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answered, Setup, TestGateway, chat, chat_text, refusal, simulators};

const CHAT: &str = "/v1/chat/completions";
const OWN: &str = "sk-own-token-of-a-client";

async fn gateway(first: &Simulator, second: &Simulator, more: &str) -> TestGateway {
    Setup::new()
        .upstream_as(first, "provider: openai-compatible, credential: client")
        .upstream(second)
        .lines(more)
        .start()
        .await
}

async fn ask(gateway: &TestGateway, headers: &[(&str, &str)], body: &Value) -> Answered {
    let json = [("content-type", "application/json")];
    let headers: Vec<_> = json.iter().chain(headers).copied().collect();
    let body = body.to_string();
    gateway.send(Method::POST, CHAT, &headers, body).await
}

/// What an upstream received that identifies somebody.
fn credentials(simulator: &Simulator) -> Vec<String> {
    let names = [
        "authorization",
        "x-api-key",
        "api-key",
        "x-backstop-key",
        "chatgpt-account-id",
    ];
    let received = simulator.received();
    let all = received.iter().map(|request| {
        let found = names.iter().filter_map(|name| {
            let value = request.header(name)?;
            Some(format!("{name}: {value}"))
        });
        found.collect::<Vec<_>>().join(", ")
    });
    all.collect()
}

#[tokio::test]
async fn a_clients_credential_goes_to_the_upstream_that_takes_it_and_to_no_fallback() {
    let (first, second) = simulators().await;
    let gateway = gateway(&first, &second, "").await;
    let bearer = format!("Bearer {OWN}");
    let own = [("authorization", &*bearer), ("chatgpt-account-id", "acc-1")];
    assert_eq!(ask(&gateway, &own, &chat()).await.trail(), ["first:ok"]);
    first.play(Script::status(500)).await;
    let answered = ask(&gateway, &own, &chat()).await;
    assert_eq!(answered.upstream(), "second");
    let sent = format!("authorization: {bearer}, chatgpt-account-id: acc-1");
    assert!(credentials(&first).iter().all(|seen| *seen == sent));
    assert_eq!(credentials(&second), ["authorization: Bearer second-key"]);
}

#[tokio::test]
async fn a_request_without_one_is_for_the_others() {
    let (first, second) = simulators().await;
    let gateway = gateway(&first, &second, "").await;
    let answered = ask(&gateway, &[], &chat()).await;
    assert_eq!(chat_text(&answered), "Hello from second.");
    assert_eq!(first.received_count(), 0);

    let alone = Setup::new()
        .upstream_as(&first, "provider: openai-compatible, credential: client")
        .start()
        .await;
    let answered = ask(&alone, &[], &chat()).await;
    let error = refusal(&answered, 401, "invalid_api_key");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("your own account")
    );
    assert_eq!(alone.get("/v1/files").await.status, 503);
    assert_eq!(first.received_count(), 0);
}

/// What upstreams say about an account: with this status, and the status that the client gets.
fn about_accounts() -> Vec<(u16, u16, Value)> {
    let message = format!("Not good: {OWN}");
    let coded = |code: &str| json!({"error": {"message": message, "code": code}});
    let mut all: Vec<_> = [401, 402, 403, 429]
        .map(|status| (status, status, coded("x")))
        .into();
    let gemini = json!({"error": {"code": 400, "message": format!("API key not valid. {message}"),
        "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}});
    all.extend([
        (404, 404, coded("model_not_found")),
        (400, 400, gemini),
        (400, 400, coded("Arrearage")),
        (400, 400, coded("model_not_found")),
        (200, 401, coded("invalid_api_key")),
    ]);
    all
}

#[tokio::test]
async fn what_is_said_of_one_clients_account_is_not_about_the_next_client() {
    for (status, told, body) in about_accounts() {
        let (first, second) = simulators().await;
        let refusing = Fault::Status {
            code: status,
            headers: vec![("retry-after".to_owned(), "60".to_owned())],
            body: Some(body.to_string()),
        };
        first.play(Script::fault(refusing).with_only_key(OWN)).await;
        let gateway = gateway(&first, &second, "").await;
        let own = |key: &str| format!("Bearer {key}");
        let refused = ask(&gateway, &[("authorization", &own(OWN))], &chat()).await;
        let trail = ["first:rejected", "second:ok"];
        assert_eq!(refused.trail(), trail, "{status} {body}");
        let other = ask(
            &gateway,
            &[("authorization", &own("sk-of-another"))],
            &chat(),
        )
        .await;
        assert_eq!(other.trail(), ["first:ok"], "{status}");

        // If nobody else answers, the client learns what is wrong with its account.
        let alone = Setup::new()
            .upstream_as(&first, "provider: openai-compatible, credential: client")
            .start()
            .await;
        let refused = ask(&alone, &[("authorization", &own(OWN))], &chat()).await;
        let text = refused.text();
        assert_eq!(refused.status, told, "{text}");
        assert!(text.contains("Not good: ***"), "{text}");
        let details = format!("{:?}", alone.events.all());
        assert!(!details.contains(OWN), "{details}");
    }
}

#[tokio::test]
async fn a_client_learns_what_is_wrong_with_its_account_while_the_others_are_down() {
    for (status, told, body) in about_accounts() {
        let (first, second) = simulators().await;
        let refusing = Fault::Status {
            code: status,
            headers: Vec::new(),
            body: Some(body.to_string()),
        };
        first.play(Script::fault(refusing)).await;
        second.play(Script::status(500)).await;
        let gateway = gateway(&first, &second, "").await;
        let bearer = format!("Bearer {OWN}");
        let answered = ask(&gateway, &[("authorization", &bearer)], &chat()).await;
        let text = answered.text();
        assert_eq!((answered.status, answered.upstream()), (told, "first"));
        assert!(text.contains("Not good: ***"), "{text}");
        assert!(second.received_count() > 0);
    }
}

#[tokio::test]
async fn a_page_that_repeats_a_clients_credential_tells_it_nobody() {
    let (first, second) = simulators().await;
    first
        .play(Script::fault(Fault::Status {
            code: 401,
            headers: Vec::new(),
            body: Some(format!("invalid token: {OWN}")),
        }))
        .await;
    let gateway = gateway(&first, &second, "").await;
    let own = format!("Bearer {OWN}");
    let answered = ask(&gateway, &[("authorization", &own)], &chat()).await;
    assert_eq!(answered.trail(), ["first:foreign_error", "second:ok"]);
    let events = format!("{:?}", gateway.events.all());
    assert!(events.contains("invalid token: ***"), "{events}");
    assert!(!events.contains(OWN), "{events}");
}

#[tokio::test]
async fn with_clients_our_key_comes_in_a_header_of_its_own_and_goes_nowhere() {
    let (first, second) = simulators().await;
    let clients = "clients: [{name: laptop, key: our-key-for-laptop}]\n";
    let gateway = gateway(&first, &second, clients).await;
    let bearer = format!("Bearer {OWN}");
    let both = [
        ("authorization", &*bearer),
        ("x-backstop-key", "our-key-for-laptop"),
    ];
    assert_eq!(ask(&gateway, &both, &chat()).await.trail(), ["first:ok"]);
    assert_eq!(credentials(&first), [format!("authorization: {bearer}")]);

    // Our key is no credential for an upstream, whichever header it comes in.
    let ours = [("authorization", "Bearer our-key-for-laptop")];
    assert_eq!(ask(&gateway, &ours, &chat()).await.trail(), ["second:ok"]);
    let none = [("authorization", &*bearer)];
    refusal(&ask(&gateway, &none, &chat()).await, 401, "invalid_api_key");
    assert_eq!(first.received_count(), 1);
    assert_eq!(credentials(&second), ["authorization: Bearer second-key"]);
}

/// Only some statuses can be about an account.
#[tokio::test]
async fn what_is_wrong_with_the_request_itself_is_asked_of_nobody_else() {
    let (first, second) = simulators().await;
    first.play(Script::status(415)).await;
    let gateway = gateway(&first, &second, "").await;
    let own = format!("Bearer {OWN}");
    let answered = ask(&gateway, &[("authorization", &own)], &chat()).await;
    assert_eq!((answered.status, answered.upstream()), (415, "first"));
    assert_eq!((first.received_count(), second.received_count()), (1, 0));
}
