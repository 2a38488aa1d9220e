//! Webhooks: what is told of an outage, how often, and that nobody waits for a receiver.

use std::time::Duration;

use backstop::event::Event;
use backstop::simulator::{Fault, Script, Simulator};
use serde_json::Value;

use crate::harness::{Setup, TestGateway, chat, pass, simulators, within};

const CHAT: &str = "/v1/chat/completions";
/// What stands in the URL of a webhook, and nowhere else.
const TOKEN: &str = "T0KEN-9b1c";

/// A receiver: any server that answers a POST.
async fn receiver() -> Simulator {
    Simulator::start("receiver", Script::healthy())
        .await
        .unwrap()
}

fn hook(receiver: &Simulator, more: &str) -> String {
    let url = format!("{}/chat/completions?token={TOKEN}", receiver.base_url());
    format!("notify: [{{url: \"{url}\"{more}}}]")
}

/// Two upstreams that are known to be well, and a receiver.
async fn gateway(more: &str) -> (TestGateway, [Simulator; 3]) {
    let ((first, second), receiver) = (simulators().await, receiver().await);
    let setup = Setup::new().upstream(&first).upstream(&second);
    let gateway = setup.lines(&hook(&receiver, more)).start().await;
    (gateway, [first, second, receiver])
}

/// The events of all messages so far.
fn events(receiver: &Simulator) -> Vec<Value> {
    let messages = receiver
        .received()
        .into_iter()
        .map(|received| received.json());
    messages
        .flat_map(|message| message["events"].as_array().cloned().unwrap_or_default())
        .collect()
}

fn kinds(receiver: &Simulator) -> Vec<String> {
    let events = events(receiver).into_iter();
    events
        .map(|event| event["kind"].as_str().unwrap().to_owned())
        .collect()
}

/// Asks until the first upstream has healed.
async fn heal(gateway: &TestGateway, first: &Simulator) {
    first.play(Script::healthy()).await;
    for _ in 0..2000 {
        gateway.post(CHAT, &chat()).await;
        let is_healed = |event: &Event| {
            matches!(event, Event::HealthChanged(change)
                if matches!(change, backstop::event::HealthChange::Healed { .. }))
        };
        if gateway.events.all().iter().any(is_healed) {
            return;
        }
        pass(Duration::from_millis(500)).await;
    }
    panic!("it did not heal");
}

async fn notified(gateway: &TestGateway, is_sent: bool) -> String {
    let sent = gateway.events.wait_for(|event| match event {
        Event::Notified { place, failure } if failure.is_none() == is_sent => {
            Some(failure.clone().unwrap_or_else(|| place.to_string()))
        }
        _ => None,
    });
    sent.await
}

#[tokio::test]
async fn an_outage_is_one_message_when_it_begins_and_one_when_it_is_over() {
    let (gateway, [first, _second, receiver]) = gateway("").await;
    first.play(Script::status(503)).await;
    gateway.ask_until_out(&chat()).await;
    within(receiver.wait_received(1)).await;
    // Requests and half-open probes go on failing.
    for _ in 0..20 {
        assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
        pass(Duration::from_secs(2)).await;
    }
    heal(&gateway, &first).await;
    within(receiver.wait_received(2)).await;
    pass(Duration::from_secs(5)).await;
    assert_eq!(kinds(&receiver), ["outage_began", "outage_over"]);
    let began = events(&receiver)[0].clone();
    assert_eq!(began["upstream"], "first");
    assert_eq!(began["cause"], "overloaded");
    let text = began["text"].as_str().unwrap();
    assert!(text.contains("is out of rotation (overloaded)"), "{text}");
    assert_eq!(
        receiver.received()[0].header("content-type"),
        Some("application/json")
    );
    let metrics = gateway.admin("/metrics").await.text();
    let sent = "backstop_notifications_total{place=\"notify[0]\",result=\"sent\"} 2";
    assert!(metrics.contains(sent), "{metrics}");
    assert!(!metrics.contains(TOKEN));
}

#[tokio::test]
async fn clients_errors_are_told_when_they_begin_and_when_they_are_over() {
    let (gateway, [first, second, receiver]) = gateway(", on: [clients], format: slack").await;
    for upstream in [&first, &second] {
        upstream.play(Script::status(503)).await;
    }
    for _ in 0..5 {
        assert_eq!(gateway.post(CHAT, &chat()).await.status, 503);
    }
    within(receiver.wait_received(1)).await;
    let text = receiver.received()[0].json()["text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        text,
        ":red_circle: clients get errors: 3 requests of route * failed within a minute (failed by first, second)."
    );
    first.play(Script::healthy()).await;
    second.play(Script::healthy()).await;
    for _ in 0..200 {
        gateway.post(CHAT, &chat()).await;
        pass(Duration::from_secs(1)).await;
        if receiver.received_count() > 1 {
            break;
        }
    }
    let text = receiver.received()[1].json()["text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        text.starts_with(":large_green_circle: clients of route * get answers again; "),
        "{text}"
    );
    assert_eq!(receiver.received_count(), 2);
}

#[tokio::test]
async fn a_refused_key_is_told_once() {
    let (gateway, [first, _second, receiver]) = gateway("").await;
    first.play(Script::status(401)).await;
    for _ in 0..5 {
        assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
    }
    within(receiver.wait_received(1)).await;
    let event = events(&receiver)[0].clone();
    assert_eq!(event["kind"], "account_trouble_began");
    assert_eq!(
        (event["upstream"].as_str(), event["key"].as_u64()),
        (Some("first"), Some(1))
    );
    let text = event["text"].as_str().unwrap();
    assert_eq!(
        text,
        "first refuses key 1: replace it, or allow it to be used."
    );
    assert_eq!(kinds(&receiver).len(), 1);
}

/// Requests are answered meanwhile, the message is tried again, and in the end it is lost, counted and logged.
#[tokio::test]
async fn a_receiver_that_does_not_take_messages_disturbs_nobody() {
    for (fault, reason, tries) in [
        (Fault::Hang, "it does not answer", 5),
        (Fault::Refuse, "it cannot be reached", 0),
        (Fault::status(500), "it answers 500", 5),
        (Fault::status(404), "it answers 404", 1),
        (
            Fault::Redirect {
                to: "http://127.0.0.1:1/".to_owned(),
            },
            "it answers 302, a redirect, which is not followed",
            1,
        ),
    ] {
        let (gateway, [first, _second, receiver]) = gateway("").await;
        receiver.play(Script::fault(fault)).await;
        first.play(Script::status(401)).await;
        for _ in 0..3 {
            assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
        }
        // All tries, with their pauses.
        pass(Duration::from_secs(140)).await;
        let failure = notified(&gateway, false).await;
        assert_eq!(failure, reason);
        assert_eq!(receiver.received_count(), tries, "{reason}");
        assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
        let metrics = gateway.admin("/metrics").await.text();
        let lost = "backstop_notifications_total{place=\"notify[0]\",result=\"lost\"} 1";
        assert!(metrics.contains(lost), "{metrics}");
        for secret in [TOKEN, "chat/completions?"] {
            assert!(!format!("{:?}", gateway.events.all()).contains(secret));
        }
    }
}

#[tokio::test]
async fn a_reload_decides_who_is_told() {
    let ((first, second), [old, new]) = (simulators().await, [receiver().await, receiver().await]);
    let setup = || Setup::new().upstream(&first).upstream(&second);
    let gateway = setup().lines(&hook(&old, "")).start().await;
    let ports = "listen: 127.0.0.1:0\nadmin: {listen: \"127.0.0.1:0\"}";
    let next = setup().lines(ports).lines(&hook(&new, ""));
    first.play(Script::status(401)).await;
    gateway.post(CHAT, &chat()).await;
    within(old.wait_received(1)).await;
    assert!(gateway.gateway.reload(next.config()).await.is_ok());
    first.play(Script::healthy()).await;
    // What has begun before is over for those who are told now.
    for _ in 0..400 {
        gateway.post(CHAT, &chat()).await;
        pass(Duration::from_secs(1)).await;
        if new.received_count() > 0 {
            break;
        }
    }
    assert_eq!(kinds(&new), ["account_trouble_over"]);
    assert_eq!(old.received_count(), 1);
}

/// With another key an upstream begins anew, without an event.
#[tokio::test]
async fn what_a_reload_ends_is_over_and_told_when_it_begins_again() {
    let (gateway, [first, second, receiver]) = gateway("").await;
    first.play(Script::status(503)).await;
    gateway.ask_until_out(&chat()).await;
    within(receiver.wait_received(1)).await;
    let ports = "listen: 127.0.0.1:0\nadmin: {listen: \"127.0.0.1:0\"}";
    let next = Setup::new()
        .upstream_as(&first, "provider: openai-compatible, api_key: another-key")
        .upstream(&second)
        .lines(ports)
        .lines(&hook(&receiver, ""));
    assert!(gateway.gateway.reload(next.config()).await.is_ok());
    pass(Duration::from_secs(15)).await;
    within(receiver.wait_received(2)).await;
    for _ in 0..50 {
        gateway.post(CHAT, &chat()).await;
    }
    pass(Duration::from_secs(2)).await;
    within(receiver.wait_received(3)).await;
    let expected = ["outage_began", "outage_over", "outage_began"];
    assert_eq!(kinds(&receiver), expected);
}

/// The URL is no part of what is said about a mistake, or of what `backstop check` prints.
#[test]
fn a_mistake_is_told_without_the_url() {
    let mistaken = |url: &str, more: &str| {
        let yaml = format!(
            "upstreams: {{a: {{provider: ollama}}}}\nroutes: [{{models: [\"*\"], candidates: [{{upstream: a}}]}}]\n\
             notify: [{{url: \"{url}\"{more}}}]\n"
        );
        let config = backstop::config::Config::parse("test", &yaml, &|_| None);
        config.unwrap_err().to_string()
    };
    for (url, more, problem) in [
        ("", "", "write for example"),
        (
            "hooks.slack.com/T0KEN-9b1c",
            "",
            "is not a URL, which begins with https://",
        ),
        (
            "ftp://hooks/T0KEN-9b1c",
            "",
            "is not a URL, which begins with https://",
        ),
        ("https://user:T0KEN-9b1c@hooks/", "", "must not hold a user"),
        ("http://T0KEN-9b1c {}", "", "is not a URL, which"),
        ("https://hooks/T0KEN-9b1c", ", on: []", "is empty"),
        ("https://hooks/T0KEN-9b1c", ", on: [upstream]", "upstreams"),
        ("https://hooks/T0KEN-9b1c", ", format: slak", "slack"),
    ] {
        let text = mistaken(url, more);
        assert!(text.contains(problem), "{text}");
        assert!(!text.contains(TOKEN), "{text}");
    }
}
