//! JSON that one parser accepts and another rejects: it reaches an upstream unchanged, or is rejected with a reason.

use backstop::simulator::{Fault, Script, Simulator};
use http::Method;

use crate::harness::{Answered, TestGateway, refusal};

/// Every endpoint that is understood: its path, and a request with a placeholder for a value and one for a text.
const REQUESTS: [(&str, &str); 6] = [
    (
        "/v1/chat/completions",
        r#"{"model":"MODEL","messages":[{"role":"user","content":"TEXT","x":VALUE}]}"#,
    ),
    (
        "/v1/messages",
        r#"{"model":"MODEL","max_tokens":9,"messages":[{"role":"user","content":"TEXT","x":VALUE}]}"#,
    ),
    (
        "/v1/responses",
        r#"{"model":"MODEL","input":[{"role":"user","content":"TEXT","x":VALUE}]}"#,
    ),
    (
        "/v1/completions",
        r#"{"model":"MODEL","prompt":"TEXT","x":VALUE}"#,
    ),
    (
        "/v1/embeddings",
        r#"{"model":"MODEL","input":"TEXT","x":VALUE}"#,
    ),
    (
        "/v1/messages/count_tokens",
        r#"{"model":"MODEL","messages":[{"role":"user","content":"TEXT","x":VALUE}]}"#,
    ),
];

/// An upstream with OpenAI's API, one without `/responses`, and one with Anthropic's API.
const MODELS: [&str; 3] = ["whole", "chats", "claude"];

async fn gateway() -> (TestGateway, Simulator) {
    let upstream = Simulator::start("only", Script::healthy()).await.unwrap();
    let url = upstream.base_url();
    let yaml = format!(
        "upstreams:\n\
         \x20 whole: {{provider: openai-compatible, base_url: \"{url}\", responses: true}}\n\
         \x20 chats: {{provider: openai-compatible, base_url: \"{url}\", responses: false}}\n\
         \x20 claude: {{provider: anthropic, base_url: \"{url}\", api_key: k}}\n\
         routes:\n\
         \x20 - {{models: [whole], candidates: [{{upstream: whole}}]}}\n\
         \x20 - {{models: [chats], candidates: [{{upstream: chats}}]}}\n\
         \x20 - {{models: [claude], candidates: [{{upstream: claude}}]}}\n"
    );
    (TestGateway::start(&yaml).await, upstream)
}

/// Whether this upstream gets a request at this path as the client wrote it.
fn is_passed(path: &str, model: &str) -> bool {
    let is_anthropic = path.starts_with("/v1/messages");
    match model {
        "claude" => is_anthropic,
        "chats" => !is_anthropic && path != "/v1/responses",
        _ => !is_anthropic,
    }
}

/// Whether this upstream can be asked at all.
fn is_served(path: &str, model: &str) -> bool {
    match path {
        "/v1/completions" | "/v1/embeddings" => model != "claude",
        _ => true,
    }
}

async fn post(gateway: &TestGateway, path: &str, body: &[u8]) -> Answered {
    let headers = [("content-type", "application/json")];
    gateway
        .send(Method::POST, path, &headers, body.to_vec())
        .await
}

/// All requests with this text and this value, each at every upstream that can be asked.
fn requests(text: &[u8], value: &[u8]) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let put = |template: &str, model: &str| {
        let mut body = Vec::new();
        let template = template.replace("MODEL", model);
        let (before, rest) = template.split_once("TEXT").unwrap();
        let (between, after) = rest.split_once("VALUE").unwrap();
        for piece in [
            before.as_bytes(),
            text,
            between.as_bytes(),
            value,
            after.as_bytes(),
        ] {
            body.extend_from_slice(piece);
        }
        body
    };
    let of_path = |(path, template)| MODELS.map(|model| (path, model, put(template, model)));
    let all = REQUESTS.into_iter().flat_map(of_path);
    all.filter(|(path, model, _)| is_served(path, model))
        .collect()
}

/// It is passed unchanged, or rejected with a reason that names the place.
async fn passes_or_is_refused(text: &[u8], value: &[u8], reason: &str) {
    let (gateway, upstream) = gateway().await;
    for (path, model, body) in requests(text, value) {
        let before = upstream.received_count();
        let answered = post(&gateway, path, &body).await;
        let case = format!("{path} at {model}: {:?}", answered.body);
        if is_passed(path, model) {
            assert_eq!(answered.status, 200, "{case}");
            assert_eq!(upstream.received()[before].body, body, "{case}");
        } else {
            assert_eq!(answered.status, 400, "{case}");
            let error = answered.json()["error"].take();
            assert_eq!(error["type"], "invalid_request_error", "{case}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(reason), "{case}");
            assert!(message.contains("(byte "), "{case}");
            assert_eq!(upstream.received_count(), before, "{case}");
        }
    }
}

/// Tokens that no upstream counts are estimated here.
const COUNT: &str = "/v1/messages/count_tokens";

#[tokio::test]
async fn deep_nesting_passes_or_is_refused() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    passes_or_is_refused(b"hi", deep.as_bytes(), "recursion limit exceeded at ").await;
}

#[tokio::test]
async fn numbers_that_no_computer_has_pass_or_are_refused() {
    passes_or_is_refused(b"hi", b"1e999999", "number out of range at ").await;
    passes_or_is_refused(b"hi", b"[-1e400]", "number out of range at ").await;
}

#[tokio::test]
async fn what_is_no_unicode_passes_or_is_refused() {
    let (gateway, upstream) = gateway().await;
    for (path, model, body) in requests(b"a\xffb", b"1") {
        let before = upstream.received_count();
        let answered = post(&gateway, path, &body).await;
        // `input` is parsed, so it must be a text.
        let is_looked_into = matches!(path, "/v1/responses" | "/v1/embeddings");
        if is_passed(path, model) && !is_looked_into {
            assert_eq!(answered.status, 200, "{path} at {model}: {answered:?}");
            assert_eq!(upstream.received()[before].body, body);
        } else {
            assert_eq!(answered.status, 400, "{path} at {model}: {answered:?}");
            let text = answered.text();
            assert!(text.contains("invalid unicode code point at "), "{text}");
            assert_eq!(upstream.received_count(), before);
        }
    }
}

#[tokio::test]
async fn what_every_reader_takes_is_served_everywhere() {
    let (gateway, upstream) = gateway().await;
    for (text, value) in [
        (r"a\u0000b", "1"),
        ("hi", "340282366920938463463374607431768211456"),
        ("hi", "1e-999999"),
        ("hi", "-0.0"),
        ("hi", r#"{"a":1,"a":2}"#),
        (r"\ud83d\ude00", "1"),
    ] {
        for (path, model, body) in requests(text.as_bytes(), value.as_bytes()) {
            let before = upstream.received_count();
            let answered = post(&gateway, path, &body).await;
            assert_eq!(answered.status, 200, "{path} at {model}: {answered:?}");
            if is_passed(path, model) {
                assert_eq!(upstream.received()[before].body, body);
            }
        }
    }
}

/// JavaScript writes it where a text was cut inside an emoji.
#[tokio::test]
async fn half_an_emoji_passes_or_becomes_a_replacement() {
    let (gateway, upstream) = gateway().await;
    for (path, model, body) in requests(br"cut \ud83d", b"1") {
        let before = upstream.received_count();
        let answered = post(&gateway, path, &body).await;
        let case = format!("{path} at {model}: {:?}", answered.body);
        assert_eq!(answered.status, 200, "{case}");
        if path == COUNT && model != "claude" {
            let tokens = answered.json()["input_tokens"].as_u64().unwrap();
            assert!(tokens > 4, "{case}");
            continue;
        }
        let received = &upstream.received()[before];
        if is_passed(path, model) {
            assert_eq!(received.body, body, "{case}");
        } else {
            let sent = received.json().to_string();
            assert!(sent.contains("\"cut \u{fffd}\""), "{case}: {sent}");
        }
    }
}

#[tokio::test]
async fn what_no_reader_takes_is_refused_everywhere() {
    let (gateway, upstream) = gateway().await;
    for (path, _, body) in requests(b"hi", b"1") {
        for wrong in [
            [b"\xef\xbb\xbf", &*body].concat(),
            [&*body, b" x"].concat(),
            [b"[", &*body, b"]"].concat(),
            body[..body.len() - 1].to_vec(),
            Vec::new(),
        ] {
            let answered = post(&gateway, path, &wrong).await;
            if path.starts_with("/v1/messages") {
                assert_eq!(answered.status, 400, "{answered:?}");
                assert_eq!(answered.json()["error"]["type"], "invalid_request_error");
            } else {
                refusal(&answered, 400, "invalid_json");
            }
        }
    }
    assert_eq!(upstream.received_count(), 0);
}

/// A tree of values has none of these numbers.
#[tokio::test]
async fn the_numbers_of_a_call_stay_as_they_were_written() {
    let input = r#"{"wei":25000000000000000000,"price":1.10,"far":1e400}"#;
    let written = serde_json::Value::from(input);
    let (gateway, upstream) = gateway().await;
    upstream
        .play(Script::fault(Fault::Status {
            code: 200,
            headers: Vec::new(),
            body: Some(format!(
                r#"{{"id":"c","choices":[{{"message":{{"tool_calls":[{{"id":"b","function":{{"name":"f","arguments":{written}}}}}]}},"finish_reason":"tool_calls"}}]}}"#
            )),
        }))
        .await;
    let body = format!(
        r#"{{"model":"chats","max_tokens":9,"messages":[{{"role":"user","content":"pay"}},
        {{"role":"assistant","content":[{{"type":"tool_use","id":"a","name":"f","input":{input}}}]}},
        {{"role":"user","content":[{{"type":"tool_result","tool_use_id":"a","content":"done"}}]}}]}}"#
    );
    let answered = post(&gateway, "/v1/messages", body.as_bytes()).await;
    assert_eq!(answered.status, 200, "{answered:?}");
    let text = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap();
    let (sent, told) = (text(&upstream.received()[0].body), text(&answered.body));
    assert!(sent.contains(&format!("\"arguments\":{written}")), "{sent}");
    assert!(told.contains(&format!("\"input\":{input}")), "{told}");
}

/// JavaScript cuts a text of a stream wherever it likes.
#[tokio::test]
async fn an_emoji_that_comes_in_two_events_is_whole() {
    let (gateway, upstream) = gateway().await;
    let chunk = |text: &str| {
        format!("data: {{\"id\":\"c\",\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    };
    let events = [
        chunk("so \\ud83d"),
        chunk("\\ude00 it is"),
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
            .to_owned(),
    ];
    upstream
        .play(Script::fault(Fault::Raw(events.concat())))
        .await;
    for (path, body) in [
        (
            "/v1/messages",
            r#"{"model":"chats","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#,
        ),
        (
            "/v1/responses",
            r#"{"model":"chats","stream":true,"input":"hi"}"#,
        ),
    ] {
        let answered = post(&gateway, path, body.as_bytes()).await;
        let told = String::from_utf8(answered.body.to_vec()).unwrap();
        assert!(
            told.contains("\"\u{1f600} it is\"") && !told.contains('\u{fffd}'),
            "{told}"
        );
    }
}
