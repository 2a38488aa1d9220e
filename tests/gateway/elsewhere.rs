//! What one upstream does not have, another one may: a path, or an object that was created without us.

use backstop::simulator::{Fault, Script, Simulator};
use http::Method;

use crate::forwarded::fine;
use crate::harness::{TestGateway, simulators};

/// Ollama, `FastAPI`, llama.cpp, `OpenAI`: no such path.
const NO_PATH: [(u16, &str); 6] = [
    (404, "404 page not found"),
    (404, r#"{"detail":"Not Found"}"#),
    (
        404,
        r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#,
    ),
    (
        404,
        r#"{"error":{"message":"Invalid URL (POST /v1/files)","type":"invalid_request_error"}}"#,
    ),
    (405, r#"{"detail":"Method Not Allowed"}"#),
    (501, r#"{"error":{"message":"not implemented","type":"x"}}"#),
];
/// No such object.
const NO_FILE: (u16, &str) = (
    404,
    r#"{"error":{"message":"No such File object: file-9","type":"invalid_request_error","code":null}}"#,
);

fn says((code, body): (u16, &str)) -> Script {
    Script::fault(Fault::Status {
        code,
        headers: Vec::new(),
        body: Some(body.to_owned()),
    })
}

async fn both() -> (TestGateway, Simulator, Simulator) {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    (gateway, first, second)
}

#[tokio::test]
async fn a_path_that_the_first_one_lacks_is_asked_for_at_the_next() {
    let (gateway, first, second) = both().await;
    for (count, said) in NO_PATH.into_iter().enumerate() {
        first.play(says(said)).await;
        second.play(fine("{}")).await;
        let body = format!("{{\"purpose\":\"{count}\"}}");
        let answered = gateway
            .send(Method::POST, "/v1/files", &[], body.clone())
            .await;
        assert_eq!(
            (answered.status, answered.upstream()),
            (200, "second"),
            "{said:?}"
        );
        assert_eq!(second.received().pop().unwrap().body, body);
        assert_eq!(first.received_count(), count + 1);
    }
    // LM Studio says so with 200.
    first
        .play(fine(
            r#"{"error":"Unexpected endpoint or method. (POST /v1/files)"}"#,
        ))
        .await;
    let answered = gateway.send(Method::POST, "/v1/files", &[], "{}").await;
    assert_eq!((answered.status, answered.upstream()), (200, "second"));
}

#[tokio::test]
async fn an_object_that_the_first_one_does_not_have_is_read_at_the_next() {
    for method in [Method::GET, Method::HEAD] {
        for said in [NO_FILE, NO_PATH[0]] {
            let (gateway, first, _second) = both().await;
            first.play(says(said)).await;
            let answered = gateway
                .send(method.clone(), "/v1/files/file-9", &[], "")
                .await;
            assert_eq!(answered.status, 200, "{said:?}");
            assert_eq!(answered.trail(), ["first:rejected", "second:ok"]);
        }
    }
}

/// The API itself says so of what the request is about.
#[tokio::test]
async fn whoever_would_change_something_is_refused_by_the_first_api() {
    let (gateway, first, second) = both().await;
    first.play(says(NO_FILE)).await;
    for (method, path) in [
        (Method::DELETE, "/v1/files/file-9"),
        (Method::POST, "/v1/batches"),
    ] {
        let answered = gateway.send(method, path, &[], "{}").await;
        assert_eq!(
            (answered.status, answered.text()),
            (404, NO_FILE.1.to_owned())
        );
        assert_eq!(answered.trail(), ["first:rejected"]);
    }
    first.play(says(NO_FILE)).await;
    let once = [("x-backstop-failover", "off")];
    let answered = gateway
        .send(Method::GET, "/v1/files/file-9", &once, "")
        .await;
    assert_eq!((answered.status, second.received_count()), (404, 0));
}

/// As it came, whatever has become of the others.
#[tokio::test]
async fn if_nobody_has_it_the_client_gets_the_refusal_that_says_most() {
    let [ollama, fastapi] = [NO_PATH[0], NO_PATH[1]];
    let other_file = (
        404,
        r#"{"error":{"message":"No such File object: here either"}}"#,
    );
    let failure = (
        500,
        r#"{"error":{"message":"failed","type":"server_error"}}"#,
    );
    let wrong_key = (
        401,
        r#"{"error":{"message":"wrong key","code":"invalid_api_key"}}"#,
    );
    for (first_says, second_says, expected) in [
        (NO_FILE, ollama, NO_FILE),
        (ollama, NO_FILE, NO_FILE),
        (NO_FILE, other_file, NO_FILE),
        (ollama, fastapi, ollama),
        (NO_FILE, failure, NO_FILE),
        (NO_FILE, wrong_key, NO_FILE),
        (ollama, failure, failure),
    ] {
        let (gateway, first, second) = both().await;
        first.play(says(first_says)).await;
        second.play(says(second_says)).await;
        let answered = gateway.get("/v1/files/file-9").await;
        assert_eq!((answered.status, answered.text().as_str()), expected);
        assert_eq!(answered.trail().len(), 2);
        assert_eq!((first.received_count(), second.received_count()), (1, 1));
    }
    for stopped in [Fault::Refuse, Fault::Reset] {
        for said in [NO_FILE, ollama] {
            let (gateway, first, second) = both().await;
            first.play(says(said)).await;
            second.play(Script::fault(stopped.clone())).await;
            let answered = gateway.get("/v1/files/file-9").await;
            assert_eq!((answered.status, answered.text().as_str()), said);
            assert_eq!(answered.upstream(), "first");
            assert_eq!(answered.trail().len(), 2);
        }
    }
}

/// What was created through us has an owner.
#[tokio::test]
async fn nobody_but_its_owner_is_asked_for_an_object() {
    let (gateway, first, second) = both().await;
    first.play(fine(r#"{"id":"file-9","object":"file"}"#)).await;
    gateway.send(Method::POST, "/v1/files", &[], "{}").await;
    first.play(says(NO_FILE)).await;
    let answered = gateway.get("/v1/files/file-9").await;
    assert_eq!(
        (answered.status, answered.trail()),
        (404, vec!["first:rejected".to_owned()])
    );
    assert_eq!(second.received_count(), 0);
}

/// Whoever cannot do it at all is no obstacle, as for chats.
#[tokio::test]
async fn what_one_cannot_do_another_does_where_nothing_is_kept() {
    let (gateway, first, second) = both().await;
    let no_path = NO_PATH[3];
    first.play(says(no_path)).await;
    let answered = gateway
        .send(Method::POST, "/v1/moderations", &[], "{}")
        .await;
    assert_eq!(answered.trail(), ["first:unsupported", "second:ok"]);
    second.play(Script::status(500)).await;
    let answered = gateway
        .send(Method::POST, "/v1/moderations", &[], "{}")
        .await;
    assert_eq!((answered.status, answered.text().as_str()), no_path);
}
