//! Requests that the gateway does not understand are forwarded unchanged; in those that it understands, only one place
//! changes.

use std::time::Duration;

use backstop::event::Event;
use backstop::simulator::{Fault, Received, Script, Simulator};
use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::harness::{Setup, TestGateway, chat_text, refusal};

const CHAT: &str = "/v1/chat/completions";
const JSON: (&str, &str) = ("content-type", "application/json");

/// Three upstreams: the first one of the file, one with a route of its own, and one for all models.
struct Three {
    first: Simulator,
    special: Simulator,
    general: Simulator,
}

impl Three {
    async fn start() -> Self {
        let simulator = async |name| Simulator::start(name, Script::healthy()).await.unwrap();
        Self {
            first: simulator("first").await,
            special: simulator("special").await,
            general: simulator("general").await,
        }
    }

    fn setup(&self, routes: &[Route]) -> Setup {
        let upstreams = Setup::new()
            .upstream(&self.first)
            .upstream(&self.special)
            .upstream(&self.general);
        let add = |setup: Setup, route: &Route| setup.route(route.0, route.1);
        routes.iter().fold(upstreams, add)
    }

    async fn gateway(&self, routes: &[Route]) -> TestGateway {
        self.setup(routes).start().await
    }

    /// How many requests each has received.
    fn counts(&self) -> [usize; 3] {
        [&self.first, &self.special, &self.general].map(Simulator::received_count)
    }
}

/// Models, and which upstreams serve them.
type Route = (&'static [&'static str], &'static [&'static str]);

const SPECIAL: Route = (&["dall-e-3", "whisper-*"], &["special"]);
const GENERAL: Route = (&["*"], &["general"]);
const BOTH: Route = (&["*"], &["general", "special, model: theirs"]);

/// A form with a binary file, and then the model.
fn form(model: &str) -> Vec<u8> {
    let mut body =
        b"--xx\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n"
            .to_vec();
    body.extend(0..=u8::MAX);
    let field = format!(
        "\r\n--xx\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--xx--\r\n"
    );
    body.extend(field.into_bytes());
    body
}

const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=xx");

#[tokio::test]
async fn the_model_of_a_request_decides_where_it_is_forwarded() {
    let three = Three::start().await;
    let gateway = three.gateway(&[SPECIAL, GENERAL]).await;
    let post = async |path, header, body: Vec<u8>| {
        let answered = gateway.send(Method::POST, path, &[header], body).await;
        assert_eq!(answered.status, 200, "{path}");
    };
    let image = json!({"prompt": "a cat", "model": "dall-e-3"}).to_string();
    post("/v1/images/generations", JSON, image.into_bytes()).await;
    assert_eq!(three.counts(), [0, 1, 0]);
    post("/v1/audio/transcriptions", FORM, form("whisper-1")).await;
    assert_eq!(three.counts(), [0, 2, 0]);

    let image = json!({"prompt": "a cat", "model": "imagen"}).to_string();
    post("/v1/images/generations", JSON, image.into_bytes()).await;
    post("/v1/audio/transcriptions", FORM, form("parakeet")).await;
    post("/v1/batches", JSON, b"{}".to_vec()).await;
    post("/v1/unheard-of", JSON, b"no json at all".to_vec()).await;
    assert_eq!(three.counts(), [0, 2, 4]);
    assert_eq!(gateway.get("/v1/files").await.status, 200);
    assert_eq!(three.counts(), [0, 2, 5]);
}

#[tokio::test]
async fn without_a_route_for_all_models_the_first_upstream_of_the_file_is_asked() {
    let three = Three::start().await;
    let gateway = three.gateway(&[SPECIAL]).await;
    assert_eq!(gateway.get("/v1/files").await.upstream(), "first");
    let answered = gateway
        .post("/v1/moderations", &json!({"model": "omni-moderation"}))
        .await;
    assert_eq!(answered.upstream(), "first");
    assert_eq!(three.counts(), [2, 0, 0]);
    // An understood request needs a route.
    let answered = gateway.post(CHAT, &json!({"model": "gpt-4o"})).await;
    refusal(&answered, 404, "model_not_found");
    assert_eq!(three.counts(), [2, 0, 0]);
}

/// A prompt that is stored at the upstream may select the model.
#[tokio::test]
async fn a_response_may_be_asked_for_without_a_model() {
    let three = Three::start().await;
    let gateway = three.gateway(&[SPECIAL, GENERAL]).await;
    let body = json!({"prompt": {"id": "pmpt_1"}, "stream": true});
    let answered = gateway.post("/v1/responses", &body).await;
    assert_eq!(answered.status, 200, "{:?}", answered.body);
    assert!(answered.text().contains("Hello from general."));
    assert_eq!(three.general.received()[0].body, body.to_string());

    let gateway = three.gateway(&[SPECIAL]).await;
    let answered = gateway.post("/v1/responses", &body).await;
    assert_eq!(answered.upstream(), "first");
    assert_eq!(three.counts(), [1, 0, 1]);
}

#[tokio::test]
async fn method_path_body_and_headers_go_on_unchanged() {
    let three = Three::start().await;
    let gateway = three.gateway(&[GENERAL]).await;
    let binary: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
    let octets = ("content-type", "application/octet-stream");
    let cases = [
        (Method::GET, "/v1/files?limit=3&after=a%2Fb", JSON, vec![]),
        (Method::DELETE, "/v1/models/ft%3Amine", JSON, vec![]),
        (Method::POST, "/v1/batches/batch_1/cancel", JSON, vec![]),
        (Method::PUT, "/v1/some/object", octets, binary.clone()),
        (Method::PATCH, "/v1/some/object", JSON, b"{ }".to_vec()),
        (Method::POST, "/v1/uploads/u1/parts", octets, binary),
        (Method::POST, "/v1/audio/transcriptions", FORM, form("w")),
        (
            Method::POST,
            "/v1/images/generations",
            JSON,
            b"{ \"model\" :\t\"m\\u00fc\", \"n\":1.0 }\n".to_vec(),
        ),
    ];
    for (count, (method, path, header, body)) in cases.into_iter().enumerate() {
        let headers = [
            header,
            ("accept", "text/x-whatever"),
            ("accept-encoding", "gzip, br"),
            ("user-agent", "OpenAI/Python 1.2.3"),
            ("x-unheard-of", "one"),
            ("x-unheard-of", "two"),
            ("connection", "x-for-this-connection-only"),
            ("x-for-this-connection-only", "1"),
        ];
        let answered = gateway
            .send(method.clone(), path, &headers, body.clone())
            .await;
        assert_eq!(answered.status, 200, "{path}");
        let received = &three.general.received()[count];
        assert_eq!(received.method, method, "{path}");
        assert_eq!(received.path, path);
        assert!(received.body == body, "{path}: {:?}", received.body);
        // An empty body has a length, too, where there may be one.
        let may_be_there = !matches!(method, Method::GET | Method::DELETE);
        let length = may_be_there.then(|| body.len().to_string());
        assert_eq!(
            received.header("content-length"),
            length.as_deref(),
            "{path}"
        );
        for (name, value) in [headers[0], headers[1], headers[3]] {
            assert_eq!(received.header(name), Some(value), "{path}: {name}");
        }
        // The ids in an answer could not be read.
        assert_eq!(
            received.header("accept-encoding"),
            Some("identity"),
            "{path}"
        );
        let doubled: Vec<_> = received.headers.get_all("x-unheard-of").iter().collect();
        assert_eq!(doubled, ["one", "two"], "{path}");
        assert_eq!(received.header("x-for-this-connection-only"), None);
    }
    assert_eq!(three.counts(), [0, 0, 8]);
}

#[tokio::test]
async fn a_binary_answer_comes_back_byte_for_byte() {
    let three = Three::start().await;
    let healthy = Script::healthy().with_header("content-disposition", "attachment");
    three.general.play(healthy).await;
    let gateway = three.gateway(&[GENERAL]).await;
    let answered = gateway.get("/v1/files/x/content").await;
    assert_eq!(answered.status, 200);
    assert_eq!(answered.body, (0..=u8::MAX).collect::<Bytes>());
    assert_eq!(answered.header("content-type"), "application/octet-stream");
    assert_eq!(answered.header("content-length"), "256");
    assert_eq!(answered.header("content-disposition"), "attachment");
    assert_eq!(answered.trail(), ["general:ok"]);
}

#[tokio::test]
async fn whatever_status_a_forwarded_request_gets_is_passed_on_after_one_call() {
    let three = Three::start().await;
    let gateway = three.gateway(&[(&["*"], &["general", "special"])]).await;
    let statuses = [
        (409, "rejected"),
        (410, "rejected"),
        (500, "overloaded"),
        (503, "overloaded"),
        (429, "rate_limited"),
        (401, "unauthorized"),
        (302, "ok"),
        (202, "ok"),
        (400, "rejected"),
    ];
    for (count, (status, outcome)) in statuses.into_iter().enumerate() {
        let body = format!("{{\"status\": {status} }}");
        let script = Script::fault(Fault::Status {
            code: status,
            headers: vec![("retry-after".to_owned(), "7".to_owned())],
            body: Some(body.clone()),
        });
        three.general.play(script).await;
        let answered = gateway.get("/v1/files/none").await;
        assert_eq!(answered.status, status);
        assert_eq!(answered.text(), body);
        assert_eq!(answered.header("retry-after"), "7");
        assert_eq!(answered.trail(), [format!("general:{outcome}")]);
        assert_eq!(three.counts(), [0, 0, count + 1]);
        let of_its_kind = |(_, other): &&(u16, &str)| *other == outcome;
        let counted = statuses[..=count].iter().filter(of_its_kind).count();
        let metrics = gateway.admin("/metrics").await.text();
        let attempts = format!(
            "backstop_attempts_total{{outcome=\"{outcome}\",phase=\"normal\",upstream=\"general\"}} {counted}\n"
        );
        assert!(metrics.contains(&attempts), "{attempts}: {metrics}");
        let result = match outcome {
            "ok" => "answered",
            "rejected" => "rejected",
            _ => "failed",
        };
        let requests = format!("result=\"{result}\",route=\"*\",status=\"{status}\"}} 1\n");
        assert!(metrics.contains(&requests), "{requests}: {metrics}");
    }
    // None of it counts against the models there.
    three.general.play(Script::healthy()).await;
    let answered = gateway.post(CHAT, &json!({"model": "gpt-4o"})).await;
    assert_eq!(answered.trail(), ["general:ok"]);
}

/// A body that is empty, or as long as announced, is not polled further.
#[tokio::test]
async fn replies_without_a_body_are_whole() {
    let three = Three::start().await;
    let gateway = three.gateway(&[GENERAL]).await;
    let empty = |code| Fault::Status {
        code,
        headers: Vec::new(),
        body: Some(String::new()),
    };
    for (method, code, outcome, result) in [
        (Method::DELETE, 204, "ok", "answered"),
        (Method::GET, 304, "ok", "answered"),
        (Method::GET, 200, "ok", "answered"),
        (Method::HEAD, 202, "ok", "answered"),
        (Method::GET, 404, "rejected", "rejected"),
        (Method::HEAD, 502, "server_error", "failed"),
    ] {
        three.general.play(Script::fault(empty(code))).await;
        let answered = gateway.send(method, "/v1/files/one", &[], "").await;
        assert_eq!(answered.status, code);
        assert_eq!(answered.trail(), [format!("general:{outcome}")]);
        let metrics = gateway.admin("/metrics").await.text();
        let requests = format!("result=\"{result}\",route=\"*\",status=\"{code}\"}} 1\n");
        assert!(metrics.contains(&requests), "{requests}: {metrics}");
        let mut gone = metrics.lines().filter(|line| line.contains("client_gone"));
        assert!(gone.all(|line| line.ends_with(" 0")), "{metrics}");
    }
}

#[tokio::test]
async fn a_forwarded_request_is_not_sent_twice() {
    for fault in [Fault::Reset, Fault::Close] {
        let three = Three::start().await;
        three.general.play(Script::fault(fault.clone())).await;
        let gateway = three.gateway(&[BOTH]).await;
        let answered = gateway.post("/v1/files", &json!({})).await;
        refusal(&answered, 503, "all_upstreams_failed");
        assert_eq!(answered.trail().len(), 1, "{fault:?}");
        assert_eq!(three.counts(), [0, 0, 1], "{fault:?}");
    }
    // If nothing was sent, the next one gets it for the first time.
    let three = Three::start().await;
    three.general.play(Script::fault(Fault::Refuse)).await;
    let gateway = three.gateway(&[BOTH]).await;
    let answered = gateway.post("/v1/files", &json!({})).await;
    assert_eq!(answered.trail(), ["general:connect_refused", "special:ok"]);
    assert_eq!(three.counts(), [0, 1, 0]);
}

/// A first upstream with several keys, of which only `valid` is good, and a second one.
async fn with_keys(three: &Three, keys: &str) -> TestGateway {
    let keys = format!("provider: openai-compatible, api_keys: [{keys}]");
    Setup::new()
        .upstream_as(&three.general, &keys)
        .upstream(&three.special)
        .route(BOTH.0, BOTH.1)
        .start()
        .await
}

/// A client whose request failed because of our key has done nothing wrong.
#[tokio::test]
async fn a_refused_key_is_followed_by_another_key_of_the_same_upstream() {
    let three = Three::start().await;
    let gateway = with_keys(&three, "revoked, valid").await;
    for status in [401, 402, 403, 429] {
        let refused = Script::status(status).with_only_key("revoked");
        three.general.play(refused).await;
        let before = three.general.received_count();
        for _ in 0..2 {
            let answered = gateway.post("/v1/files", &json!({})).await;
            assert_eq!(answered.status, 200, "{status}");
        }
        let received = three.general.received().split_off(before);
        let uses = |key| {
            let with_key = |request: &&Received| request.header("authorization") == Some(key);
            received.iter().filter(with_key).count()
        };
        // The valid one once more, where the revoked one was first.
        let counts = (uses("Bearer revoked"), uses("Bearer valid"));
        assert_eq!(counts, (1, 2), "{status}");
    }
    // If all keys are rejected, the client gets the upstream's error, and no other upstream is asked to store a file.
    three.general.play(Script::status(401)).await;
    let before = three.general.received_count();
    let answered = gateway.post("/v1/files", &json!({})).await;
    assert_eq!(answered.status, 401);
    assert_eq!(answered.trail(), ["general:unauthorized"; 2]);
    assert_eq!(three.counts(), [0, 0, before + 2]);
}

/// What an upstream reports about our key is not for its client, who has another key.
#[tokio::test]
async fn an_error_that_repeats_our_key_comes_without_it() {
    let three = Three::start().await;
    let gateway = with_keys(&three, "sk-general-SECRET").await;
    for (status, result) in [(401, "failed"), (500, "failed"), (400, "rejected")] {
        let said = "{ \"error\":\t\"KEY is wrong, as in Bearer KEY; sk-general-\u{fc}\" }\n";
        let body = Some(said.replace("KEY", "sk-general-SECRET"));
        let headers = [("x-theirs", "1"), ("content-encoding", "identity")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let fault = Fault::Status {
            code: status,
            headers: headers.into(),
            body,
        };
        three.general.play(Script::fault(fault)).await;
        let answered = gateway.get("/v1/files").await;
        let told = said.replace("KEY", "***");
        assert_eq!((answered.status, answered.text()), (status, told.clone()));
        let length = told.len().to_string();
        assert_eq!(answered.header("content-length"), length);
        assert_eq!(answered.header("x-theirs"), "1");
        let metrics = gateway.admin("/metrics").await.text();
        let requests = format!("result=\"{result}\",route=\"*\",status=\"{status}\"}} 1\n");
        assert!(metrics.contains(&requests), "{requests}: {metrics}");
    }
    // The rejection of an understood request is returned as well.
    let said = json!({"error": {"message": "sk-general-SECRET may not", "code": null}});
    let in_stream = format!("data: {said}\n\n").replace("null", "400");
    let (whole, streamed) = (json!({"model": "m"}), json!({"model": "m", "stream": true}));
    for (body, reply) in [
        (
            whole,
            Script::fault(Fault::Status {
                code: 400,
                headers: Vec::new(),
                body: Some(said.to_string()),
            }),
        ),
        (streamed, Script::fault(Fault::Raw(in_stream))),
    ] {
        three.general.play(reply).await;
        let answered = gateway.post(CHAT, &body).await;
        assert_eq!(answered.status, 400, "{}", answered.text());
        assert_eq!(answered.json()["error"]["message"], "*** may not");
    }
}

/// An upstream that sends these bytes on every connection and then closes it.
pub(crate) async fn raw(reply: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = connection.read(&mut request).await;
            let _ = connection.write_all(reply.as_bytes()).await;
        }
    });
    format!("http://{address}/v1")
}

/// The rest of it is unknown.
#[tokio::test]
async fn an_error_that_is_not_whole_is_none() {
    let cut = "content-length: 99\r\n\r\n{\"error\":".to_owned();
    let endless = format!("connection: close\r\n\r\n{}", "x".repeat((1 << 20) + 1));
    for (rest, outcome) in [(cut, "connection_lost"), (endless, "reply_too_large")] {
        let url = raw(format!("HTTP/1.1 404 Not Found\r\n{rest}")).await;
        let gateway = Setup::new()
            .upstream_at("raw", &url, "provider: openai-compatible")
            .start()
            .await;
        let answered = gateway.get("/v1/files/none").await;
        refusal(&answered, 503, "all_upstreams_failed");
        assert_eq!(answered.trail(), [format!("raw:{outcome}")]);
    }
}

/// Between two events an error may be the end; within one, only a cut connection shows that it is not whole.
#[tokio::test]
async fn a_forwarded_stream_that_breaks_between_events_ends_with_an_error() {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let event = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"hi\"}\n\n";
    for (rest, is_told) in [("", true), (&event[..20], false)] {
        let sent = &format!("{event}{rest}");
        let url = raw(format!("{head}{:x}\r\n{sent}\r\n", sent.len())).await;
        let gateway = Setup::new()
            .upstream_at("raw", &url, "provider: openai-compatible")
            .start()
            .await;
        let path = "/v1/audio/transcriptions";
        let answer = gateway.open(Method::POST, path, &[], "{}").await;
        let body = answer.into_body().collect().await;
        let report = gateway.events.finished(0).await;
        assert_eq!(report.failed_by, ["raw".into()]);
        let Ok(body) = body else {
            assert!(!is_told, "{sent}");
            continue;
        };
        let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
        let error = text.strip_prefix(sent.as_str()).unwrap();
        assert!(
            is_told && error.starts_with("event: error\ndata: {\"type\":\"error\",\"error\":{"),
            "{text}"
        );
        assert!(error.contains("\"code\":\"stream_interrupted\""), "{text}");
    }
}

/// Nobody sees what it is about: a picture takes longer than the next word of a text.
#[tokio::test]
async fn a_forwarded_stream_of_events_may_be_silent_for_as_long_as_a_model_thinks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let events = [
        "data: {\"type\":\"image_generation.partial_image\"}\n\n",
        "data: {\"type\":\"image_generation.completed\"}\n\n",
    ];
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let _ = connection.read(&mut [0; 4096]).await;
        for said in [head, events[0]] {
            let _ = connection.write_all(said.as_bytes()).await;
        }
        sleep(Duration::from_secs(60)).await;
        let _ = connection.write_all(events[1].as_bytes()).await;
    });
    let gateway = Setup::new()
        .upstream_at("slow", &url, "provider: openai-compatible")
        .start()
        .await;
    let path = "/v1/images/generations";
    let answer = gateway.open(Method::POST, path, &[], "{}").await;
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, events.concat());
}

#[tokio::test]
async fn many_refused_keys_are_not_in_the_way_of_another_upstream() {
    let three = Three::start().await;
    let gateway = with_keys(&three, "a, b, c, d").await;
    three.general.play(Script::status(401)).await;
    let image = json!({"model": "dall-e-3"});
    let answered = gateway.post("/v1/images/generations", &image).await;
    let refused = "general:unauthorized";
    assert_eq!(
        answered.trail(),
        [refused, refused, refused, refused, "special:ok"]
    );
}

/// An answer after the deadline would not be awaited.
#[tokio::test]
async fn nobody_is_asked_after_the_deadline() {
    let three = Three::start().await;
    three.general.play(Script::fault(Fault::Hang)).await;
    let timeouts = "timeouts: {total: 300ms, first_token: 300ms, answer: 300ms}";
    let gateway = three.setup(&[BOTH]).lines(timeouts).start().await;
    let image = json!({"model": "dall-e-3"});
    let answered = gateway.post("/v1/images/generations", &image).await;
    assert_eq!(answered.trail(), ["general:deadline"]);
    assert_eq!(three.counts(), [0, 0, 1]);
}

/// Path, content type, body, and the body with another name for the model.
type Forwarded = (&'static str, (&'static str, &'static str), Vec<u8>, Vec<u8>);

/// Requests that leave nothing behind.
fn kept_nowhere() -> [Forwarded; 4] {
    let json = |path, rest: &str| {
        let naming = |model: &str| format!("{{\"model\" : \"{model}\", {rest}}}").into_bytes();
        (path, JSON, naming("one"), naming("theirs"))
    };
    [
        json("/v1/images/generations?x=1", "\"n\":1.0"),
        json("/v1/responses/input_tokens", "\"input\":\"hi\""),
        json("/v1/rerank", "\"query\":\"hi\""),
        (
            "/v1/audio/transcriptions",
            FORM,
            form("whisper-1"),
            form("theirs"),
        ),
    ]
}

#[tokio::test]
async fn what_is_kept_nowhere_is_had_from_the_next_one() {
    for (path, header, sent, expected) in kept_nowhere() {
        for (fault, outcome) in [
            (Fault::status(500), "server_error"),
            (Fault::status(429), "rate_limited"),
            (Fault::status(401), "unauthorized"),
            (Fault::status(404), "model_unavailable"),
            (Fault::Reset, "connection_lost"),
            (Fault::Refuse, "connect_refused"),
            (Fault::Html, "wrong_content_type"),
            (Fault::Empty, "empty_reply"),
        ] {
            let three = Three::start().await;
            three.general.play(Script::fault(fault.clone())).await;
            let gateway = three.gateway(&[BOTH]).await;
            let answered = gateway
                .send(Method::POST, path, &[header], sent.clone())
                .await;
            assert_eq!(answered.status, 200, "{fault:?}");
            let first = format!("general:{outcome}");
            assert_eq!(answered.trail(), [first.as_str(), "special:ok"]);
            let told = gateway.events.all().into_iter().any(|event| {
                matches!(event, Event::FailedOver { from, to, .. }
                    if from.as_ref() == "general" && to.as_ref() == "special")
            });
            assert!(told, "{fault:?}");
            let received = &three.special.received()[0];
            assert!(received.body == expected, "{:?}", received.body);
            // None of it counts against the models there.
            three.general.play(Script::healthy()).await;
            let answered = gateway.post(CHAT, &json!({"model": "gpt-4o"})).await;
            assert_eq!(answered.trail(), ["general:ok"]);
        }
        // The client's own error is returned, and so is the last one's failure.
        let three = Three::start().await;
        let gateway = three.gateway(&[BOTH]).await;
        three.general.play(Script::status(400)).await;
        let post = async || {
            gateway
                .send(Method::POST, path, &[header], sent.clone())
                .await
        };
        assert_eq!(post().await.status, 400);
        assert_eq!(three.counts(), [0, 0, 1]);
        three.general.play(Script::status(500)).await;
        three.special.play(Script::status(502)).await;
        assert_eq!((post().await.status, three.counts()), (502, [0, 1, 2]));
    }
}

/// The answer repeats the ids of documents, which are the client's own.
#[tokio::test]
async fn what_is_kept_nowhere_belongs_to_nobody() {
    let three = Three::start().await;
    let gateway = three.gateway(&[BOTH]).await;
    let documents = json!([{"id": "doc-1234", "text": "a cat"}]);
    let ranked = Fault::Status {
        code: 200,
        headers: Vec::new(),
        body: Some(json!({"results": [{"document": documents[0]}]}).to_string()),
    };
    let request = json!({"model": "rerank", "query": "cats", "documents": documents});
    for (fault, trail) in [
        (ranked, &["general:ok"][..]),
        (
            Fault::status(500),
            &["general:server_error", "special:ok"][..],
        ),
    ] {
        three.general.play(Script::fault(fault)).await;
        let answered = gateway.post("/v1/rerank", &request).await;
        assert_eq!(answered.trail(), trail);
    }
}

/// What is wrong stands in the body, as for chats.
#[tokio::test]
async fn what_is_kept_nowhere_fails_over_by_what_an_error_says() {
    let three = Three::start().await;
    let gateway = three.gateway(&[BOTH]).await;
    for (code, body, outcome) in [
        (
            400,
            r#"{"error":{"code":"billing_hard_limit_reached"}}"#,
            "quota_exhausted",
        ),
        (
            400,
            r#"{"error":{"code":"model_not_found"}}"#,
            "model_unavailable",
        ),
        (403, "<html><title>Blocked</title></html>", "foreign_error"),
    ] {
        let fault = Fault::Status {
            code,
            headers: Vec::new(),
            body: Some(body.to_owned()),
        };
        three.general.play(Script::fault(fault)).await;
        let request = json!({"model": "dall-e-3", "prompt": "a cat"});
        let answered = gateway.post("/v1/images/generations", &request).await;
        assert_eq!(
            answered.trail(),
            [format!("general:{outcome}").as_str(), "special:ok"]
        );
    }
}

/// Of a login, or of whoever stands before an upstream.
#[tokio::test]
async fn a_page_is_no_answer_unless_it_is_a_file() {
    let three = Three::start().await;
    let gateway = three.gateway(&[BOTH]).await;
    three.general.play(Script::fault(Fault::Html)).await;
    for (method, path) in [
        (Method::POST, "/v1/files"),
        (Method::GET, "/v1/files?limit=9"),
    ] {
        let answered = gateway.send(method, path, &[], "").await;
        assert_eq!(answered.status, 503, "{path}");
        assert_eq!(answered.trail(), ["general:wrong_content_type"]);
    }
    let path = "/v1/files/file-1/content?x=1";
    let answered = gateway.send(Method::GET, path, &[], "").await;
    assert_eq!(answered.status, 200);
    assert_eq!(answered.header("content-type"), "text/html; charset=utf-8");
}

#[tokio::test]
async fn a_forwarded_answer_that_breaks_off_does_not_look_whole() {
    let three = Three::start().await;
    let gateway = three.gateway(&[GENERAL]).await;
    for fault in [Fault::CutAfter(1), Fault::ResetAfter(1)] {
        three.general.play(Script::fault(fault.clone())).await;
        let response = gateway
            .open(Method::GET, "/v1/files/x/content", &[], "")
            .await;
        assert_eq!(response.status(), 200);
        let body = BodyExt::collect(response.into_body());
        assert!(crate::harness::within(body).await.is_err(), "{fault:?}");
    }
}

#[tokio::test]
async fn what_is_to_be_understood_is_not_asked_for_in_compressed_form() {
    let three = Three::start().await;
    let gateway = three.gateway(&[GENERAL]).await;
    let headers = [JSON, ("accept-encoding", "gzip, br"), ("accept", "*/*")];
    let body = json!({"model": "gpt-4o"}).to_string();
    let answered = gateway.send(Method::POST, CHAT, &headers, body).await;
    assert_eq!(chat_text(&answered), "Hello from general.");
    let received = &three.general.received()[0];
    assert_eq!(received.header("accept-encoding"), Some("identity"));
    assert_eq!(received.header("accept"), Some("*/*"));
}

#[tokio::test]
async fn a_candidates_own_model_name_replaces_the_clients_and_nothing_else() {
    let three = Three::start().await;
    three.first.play(Script::status(500)).await;
    let gateway = three
        .gateway(&[(
            &["*"],
            &["first", "special, model: \"their/model \\\"x\\\"\""],
        )])
        .await;
    let body = |model: &str| {
        format!(
            "{{ \"nested\" : {{\"model\":\"inner\"}},\r\n\t\"model\" : {model} ,\"temperature\":1.0e0,\
             \"messages\":[{{\"role\":\"user\",\"content\":\"\\u00fc \\\"model\\\": \\\"gpt-4o\\\"\"}}],\
             \"big\": 12345678901234567890123 }}\n"
        )
    };
    let sent = body("\"gpt-4o\"");
    let answered = gateway
        .send(Method::POST, CHAT, &[JSON], sent.clone())
        .await;
    assert_eq!(chat_text(&answered), "Hello from special.");
    assert_eq!(three.first.received()[0].body, sent);
    let expected = body("\"their/model \\\"x\\\"\"");
    assert_eq!(three.special.received()[0].body, expected);
    let length = expected.len().to_string();
    let received = &three.special.received()[0];
    assert_eq!(received.header("content-length"), Some(length.as_str()));
}

#[tokio::test]
async fn a_model_that_has_the_right_name_already_leaves_the_body_as_it_is() {
    let three = Three::start().await;
    let gateway = three
        .gateway(&[(&["*"], &["general, model: gpt-4o"])])
        .await;
    // Another way to write the same name.
    for model in ["\"gpt-4o\"", "\"gpt\\u002d4o\""] {
        let sent = format!("{{\"model\":  {model}, \"messages\": [ ]}}");
        let answered = gateway
            .send(Method::POST, CHAT, &[JSON], sent.clone())
            .await;
        assert_eq!(chat_text(&answered), "Hello from general.");
        assert_eq!(three.general.received().pop().unwrap().body, sent);
    }
}

#[tokio::test]
async fn clients_of_anthropics_api_are_forwarded_to_whoever_speaks_it() {
    let openai = Simulator::start("openai", Script::healthy()).await.unwrap();
    let claude = Simulator::start("claude", Script::healthy()).await.unwrap();
    for routes in [
        "[{models: [\"*\"], candidates: [{upstream: openai}, {upstream: claude}]}]",
        "[{models: [\"*\"], candidates: [{upstream: openai}]}, {models: [\"claude-*\"], candidates: [{upstream: claude}]}]",
    ] {
        let gateway = TestGateway::start(&format!(
            "upstreams:\n  openai: {{provider: openai, api_key: a, base_url: \"{}\"}}\n\
             \x20 claude: {{provider: anthropic, api_key: b, base_url: \"{}\"}}\nroutes: {routes}\n",
            openai.base_url(),
            claude.base_url(),
        ))
        .await;
        let version = ("anthropic-version", "2023-06-01");
        let files = gateway.send(Method::GET, "/v1/files", &[version], "").await;
        assert_eq!(files.upstream(), "claude", "{routes}");
        assert_eq!(gateway.get("/v1/files").await.upstream(), "openai");
    }
}

/// Otherwise SDKs would send the client's key past the proxy.
#[tokio::test]
async fn the_results_of_a_batch_are_got_through_the_gateway() {
    let claude = Simulator::start("claude", Script::healthy()).await.unwrap();
    let url = format!("{}/messages/batches/msgbatch_1/results", claude.base_url());
    let batch = json!({"id": "msgbatch_1", "results_url": url});
    claude
        .play(Script::fault(Fault::Status {
            code: 200,
            headers: Vec::new(),
            body: Some(batch.to_string()),
        }))
        .await;
    let gateway = TestGateway::start(&format!(
        "upstreams: {{claude: {{provider: anthropic, api_key: k, base_url: \"{}\"}}}}\n\
         routes: [{{models: [\"*\"], candidates: [{{upstream: claude}}]}}]\n",
        claude.base_url(),
    ))
    .await;
    let answered = gateway.get("/v1/messages/batches/msgbatch_1").await;
    let results = answered.json()["results_url"].take();
    assert_eq!(results, "/v1/messages/batches/msgbatch_1/results");
    gateway.get(results.as_str().unwrap()).await;
    let last = claude.received().pop().unwrap();
    assert_eq!(last.path, "/v1/messages/batches/msgbatch_1/results");
    assert_eq!(last.header("x-api-key"), Some("k"));
}

#[tokio::test]
async fn no_redirect_leads_a_client_past_the_gateway() {
    let three = Three::start().await;
    let gateway = three.gateway(&[GENERAL]).await;
    let there = format!("{}/files/file-1", three.general.base_url());
    let cases = [
        (Method::GET, there.as_str(), 503),
        (Method::POST, there.as_str(), 503),
        (Method::POST, "https://files.example/1", 503),
        // A file may be fetched elsewhere, but a path of ours is ours.
        (Method::GET, "https://files.example/1", 307),
        (Method::POST, "/v1/files/", 307),
    ];
    for (method, location, status) in cases {
        let headers = vec![("location".to_owned(), location.to_owned())];
        let redirect = Fault::Status {
            code: 307,
            headers,
            body: None,
        };
        three.general.play(Script::fault(redirect)).await;
        let answered = gateway
            .send(method.clone(), "/v1/files/file-1", &[JSON], "{}")
            .await;
        assert_eq!(answered.status, status, "{method} {location}");
        if status == 503 {
            assert!(!answered.text().contains("files.example"));
            assert!(answered.text().contains("general: redirect"));
        }
    }
}

#[tokio::test]
async fn a_model_is_renamed_only_by_its_own_route() {
    let openai = Simulator::start("openai", Script::healthy()).await.unwrap();
    let claude = "provider: anthropic, api_key: key";
    let gateway = Setup::new()
        .upstream_at("claude", "http://127.0.0.1:9/v1", claude)
        .upstream(&openai)
        .route(&["gpt-4o"], &["openai, model: other"])
        .route(&["*"], &["claude, model: claude-opus-5"])
        .start()
        .await;
    let image = r#"{"model":"gpt-image-1","prompt":"a cat"}"#;
    gateway
        .send(Method::POST, "/v1/images/generations", &[JSON], image)
        .await;
    assert_eq!(openai.received()[0].body, image);
}
