//! Requests that refer to an object go to the upstream that owns it, and nowhere else.

use backstop::simulator::{Fault, Script, Simulator};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Setup, TestGateway, refusal, simulators};

/// Chats and responses go to `first`, then to `second`; forwarded requests go to `second` if they name the model
/// `special`, else to `first`.
struct Two {
    first: Simulator,
    second: Simulator,
}

impl Two {
    async fn start() -> Self {
        let (first, second) = simulators().await;
        Self { first, second }
    }

    fn setup(&self) -> Setup {
        Setup::new()
            .upstream(&self.first)
            .upstream(&self.second)
            .route(&["special"], &["second"])
            .route(&["*"], &["first", "second"])
    }

    async fn gateway(&self) -> TestGateway {
        self.setup().start().await
    }

    fn counts(&self) -> [usize; 2] {
        [self.first.received_count(), self.second.received_count()]
    }
}

/// Creates an object at `second`; returns its id.
async fn create(gateway: &TestGateway) -> String {
    let created = gateway
        .post("/v1/batches", &json!({"model": "special"}))
        .await;
    assert_eq!(created.upstream(), "second");
    created.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn follow_ups_go_to_the_owner_and_everything_else_where_it_always_goes() {
    let two = Two::start().await;
    let gateway = two.gateway().await;
    let id = create(&gateway).await;
    for (method, path) in [
        (Method::GET, format!("/v1/batches/{id}")),
        (Method::POST, format!("/v1/batches/{id}/cancel")),
        (Method::DELETE, format!("/v1/batches/{id}")),
        (Method::GET, format!("/v1/things?after={id}&limit=2")),
    ] {
        let answered = gateway.send(method, &path, &[], "").await;
        assert_eq!(answered.upstream(), "second", "{path}");
    }
    let form = format!(
        "--xx\r\ncontent-disposition: form-data; name=\"consent\"\r\n\r\n{id}\r\n--xx--\r\n"
    );
    let headers = [("content-type", "multipart/form-data; boundary=xx")];
    let answered = gateway
        .send(Method::POST, "/v1/audio/voices", &headers, form)
        .await;
    assert_eq!(answered.upstream(), "second");
    let naming = json!({"input_file_id": id, "endpoint": "/v1/embeddings"});
    assert_eq!(gateway.post("/v1/jobs", &naming).await.upstream(), "second");
    assert_eq!(two.counts(), [0, 7]);
    assert_eq!(gateway.get("/v1/batches").await.upstream(), "first");
    assert_eq!(gateway.get("/v1/batches/other_1").await.upstream(), "first");
    assert_eq!(two.counts(), [2, 7]);
}

/// Answers about batches are read here, as they say where the results are.
#[tokio::test]
async fn a_batch_of_messages_is_followed_up_where_it_was_created() {
    let (first, second) = simulators().await;
    let keys = "provider: anthropic, api_key: k";
    let gateway = Setup::new()
        .upstream_as(&first, keys)
        .upstream_as(&second, keys)
        .start()
        .await;
    let batches = "/v1/messages/batches";
    let batch = json!({"id": "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d", "type": "message_batch"});
    second
        .play(Script::fault(Fault::Status {
            code: 200,
            headers: Vec::new(),
            body: Some(batch.to_string()),
        }))
        .await;
    let headers = [
        ("content-type", "application/json"),
        ("x-backstop-upstream", "second"),
    ];
    let created = gateway
        .send(Method::POST, batches, &headers, r#"{"requests": []}"#)
        .await;
    let place = format!("{batches}/{}", created.json()["id"].as_str().unwrap());
    for path in [place.clone(), format!("{place}/results")] {
        assert_eq!(gateway.get(&path).await.upstream(), "second", "{path}");
    }
    assert_eq!((first.received_count(), second.received_count()), (0, 3));
}

#[tokio::test]
async fn an_id_in_a_location_header_leads_to_its_owner() {
    let two = Two::start().await;
    let gateway = two.gateway().await;
    let place = "/v1/realtime/calls/rtc_1234";
    two.second
        .play(Script::fault(Fault::Status {
            code: 201,
            headers: vec![("location".to_owned(), place.to_owned())],
            body: Some("v=0".to_owned()),
        }))
        .await;
    let call = json!({"model": "special"});
    let created = gateway.post("/v1/realtime/calls", &call).await;
    assert_eq!(created.header("location"), place);
    let hangup = gateway
        .send(Method::POST, &format!("{place}/hangup"), &[], "")
        .await;
    assert_eq!(hangup.upstream(), "second");
    assert_eq!(two.counts(), [0, 2]);
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let two = Two::start().await;
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let setup = two
        .setup()
        .lines(&format!("state_dir: {}", state.display()));
    let gateway = setup.start().await;
    let id = create(&gateway).await;
    gateway.gateway.drain().await;

    let gateway = setup.start().await;
    let answered = gateway.get(&format!("/v1/batches/{id}")).await;
    assert_eq!(answered.upstream(), "second");
    assert_eq!(two.counts(), [0, 2]);
}

#[tokio::test]
async fn an_owner_that_is_down_is_named_and_no_other_upstream_is_asked() {
    let two = Two::start().await;
    let gateway = two.gateway().await;
    let id = create(&gateway).await;
    two.second.play(Script::fault(Fault::Refuse)).await;
    let answered = gateway.get(&format!("/v1/batches/{id}")).await;
    let message = refusal(&answered, 503, "owner_unavailable")["message"].to_string();
    assert!(message.contains("lives at second only"), "{message}");

    let asked = json!({"model": "gpt-4o", "input": "hi", "previous_response_id": id});
    let answered = gateway.post("/v1/responses", &asked).await;
    refusal(&answered, 503, "owner_unavailable");
    assert_eq!(two.first.received_count(), 0);
}

#[tokio::test]
async fn an_upstream_that_is_gone_is_named() {
    let two = Two::start().await;
    let gateway = two.gateway().await;
    let id = create(&gateway).await;
    let without_it = Setup::new().upstream(&two.first);
    gateway.gateway.reload(without_it.config()).await.unwrap();
    let answered = gateway.get(&format!("/v1/batches/{id}")).await;
    let message = refusal(&answered, 404, "owner_unavailable")["message"].to_string();
    assert!(message.contains("second"), "{message}");
    assert_eq!(two.first.received_count(), 0);
}

/// Sends a request while `first` is down, so that `second` answers; returns the answer's id.
async fn answered_by_second(gateway: &TestGateway, two: &Two, path: &str, body: &Value) -> String {
    two.first.play(Script::fault(Fault::Refuse)).await;
    let answered = gateway.post(path, body).await;
    assert_eq!(answered.upstream(), "second");
    two.first.play(Script::healthy()).await;
    let text = answered.text();
    let (_, rest) = text.split_once("\"id\":\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn stored_answers_are_continued_at_their_owner() {
    let two = Two::start().await;
    for streamed in [false, true] {
        let gateway = two.gateway().await;
        let body = json!({"model": "gpt-4o", "input": "hi", "stream": streamed});
        let id = answered_by_second(&gateway, &two, "/v1/responses", &body).await;
        for reference in [
            json!({"previous_response_id": id}),
            json!({"input": [{"type": "item_reference", "id": id}]}),
        ] {
            let mut follow_up = body.clone();
            let fields = reference.as_object().unwrap().clone();
            follow_up.as_object_mut().unwrap().extend(fields);
            let answered = gateway.post("/v1/responses", &follow_up).await;
            assert_eq!(answered.upstream(), "second", "{reference}");
        }
        let read = gateway.get(&format!("/v1/responses/{id}")).await;
        assert_eq!(read.upstream(), "second");
    }
}

#[tokio::test]
async fn only_chats_that_are_to_be_stored_are_remembered() {
    let two = Two::start().await;
    for (store, streamed, expected) in [
        (true, false, "second"),
        (true, true, "second"),
        (false, false, "first"),
    ] {
        let gateway = two.gateway().await;
        let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}],
            "store": store, "stream": streamed});
        let id = answered_by_second(&gateway, &two, "/v1/chat/completions", &body).await;
        let read = gateway.get(&format!("/v1/chat/completions/{id}")).await;
        assert_eq!(read.upstream(), expected, "store {store}");
    }
}
