//! What a client is sent.

use serde_json::{Value, json};

use super::{asked, events};
use crate::dialect::conversation::samples::{call, ended, streamed};
use crate::dialect::conversation::*;
use crate::dialect::responses::{Writer, write_answer};

fn written(asked: Asked, said: Vec<Event<'_>>) -> Vec<Value> {
    events(&streamed(Writer::new(asked), said))
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| {
            event["type"]
                .as_str()
                .unwrap()
                .trim_start_matches("response.")
        })
        .collect()
}

fn begin() -> Event<'static> {
    Event::Begin(Begin {
        id: "c".to_owned(),
        model: "real".to_owned(),
        created: Some(7),
    })
}

fn said() -> Vec<Event<'static>> {
    vec![
        begin(),
        Event::Text("Hel".into()),
        Event::Text("lo \"é\"".into()),
        call("c1", "f", None, false),
        Event::Arguments("{}".into()),
        Event::Called,
        call("c2", "exec", Some("functions"), true),
        Event::Arguments("1".into()),
        Event::Arguments("+1".into()),
        Event::Called,
        ended(End::Calls),
    ]
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn an_answer_is_the_full_sequence_of_events() {
    let sent = written(
        asked(json!({"metadata": {"a": "b"}, "stream": true})),
        said(),
    );
    assert_eq!(
        kinds(&sent),
        [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "custom_tool_call_input.delta",
            "custom_tool_call_input.delta",
            "custom_tool_call_input.done",
            "output_item.done",
            "completed",
        ]
    );
    let response = &sent.last().unwrap()["response"];
    let id = |index: usize| response["output"][index]["id"].clone();
    assert_eq!(
        response["output"],
        json!([
            {"id": id(0), "type": "message", "role": "assistant", "status": "completed", "content": [
                {"type": "output_text", "text": "Hello \"é\"", "annotations": [], "logprobs": []}]},
            {"id": id(1), "type": "function_call", "status": "completed", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"id": id(2), "type": "custom_tool_call", "status": "completed", "call_id": "c2", "name": "exec", "namespace": "functions", "input": "1+1"},
        ])
    );
    assert_eq!(
        (
            &response["status"],
            &response["model"],
            &response["created_at"]
        ),
        (&json!("completed"), &json!("real"), &json!(7))
    );
    assert_eq!(response["metadata"], json!({"a": "b"}));
    assert_eq!(response["usage"]["total_tokens"], 5);
    assert_eq!(
        response["usage"]["input_tokens_details"],
        json!({"cached_tokens": 1, "cache_write_tokens": 0})
    );
    assert_eq!(response["id"], sent[0]["response"]["id"]);
    for event in &sent {
        if let Some(index) = event["output_index"].as_u64() {
            let index = usize::try_from(index).unwrap();
            let item = if event["item"].is_null() {
                &event["item_id"]
            } else {
                &event["item"]["id"]
            };
            assert_eq!(*item, id(index), "{event}");
        }
    }
    assert_eq!(sent[9]["item"]["arguments"], "");
    assert_eq!(sent[17]["item"], response["output"][2]);
}

#[test]
fn a_whole_answer_is_the_last_event() {
    let asked = asked(
        json!({"instructions": "i", "tools": [{"type": "function", "name": "f"}], "temperature": 0.5}),
    );
    let sent = written(asked.clone(), said());
    let mut whole = write_answer(&asked, said()).unwrap();
    // Each answer has ids of its own.
    let mut last = sent.last().unwrap()["response"].clone();
    for response in [&mut whole, &mut last] {
        assert!(response["id"].as_str().unwrap().starts_with("resp_"));
        response["id"].take();
        for item in response["output"].as_array_mut().unwrap() {
            item["id"].take();
        }
    }
    assert_eq!(whole, last);
    assert_eq!(whole["tools"], json!([{"type": "function", "name": "f"}]));
    assert_eq!(
        (&whole["instructions"], &whole["temperature"]),
        (&json!("i"), &json!(0.5))
    );
    assert_eq!(
        write_answer(&asked, vec![begin(), Event::Failed(json!({}))]),
        None
    );
    assert_eq!(
        write_answer(&asked, vec![begin(), Event::Text("x".into())]),
        None
    );
}

fn proof(of: Api) -> Event<'static> {
    Event::Signature(Signature {
        of,
        data: "s".to_owned(),
        is_redacted: false,
        id: None,
    })
}

#[test]
fn thoughts_are_shown_and_sealed_as_asked() {
    let said = || {
        vec![
            begin(),
            Event::Thought("hm".into()),
            proof(Api::Messages),
            Event::Thought("so".into()),
            Event::Text("x".into()),
            ended(End::Whole),
        ]
    };
    let output = |asked: Asked| written(asked, said()).pop().unwrap()["response"]["output"].take();
    let summary = json!([{"type": "summary_text", "text": "hm"}]);
    let sealed = thoughts::seal(&Signature {
        of: Api::Messages,
        data: "s".to_owned(),
        is_redacted: false,
        id: None,
    });

    let both =
        json!({"reasoning": {"summary": "auto"}, "include": ["reasoning.encrypted_content"]});
    let shown = output(asked(both.clone()));
    assert_eq!(
        (&shown[0]["type"], &shown[0]["summary"]),
        (&json!("reasoning"), &summary)
    );
    assert_eq!(shown[0]["encrypted_content"], *sealed);
    assert_eq!(shown[1]["summary"][0]["text"], "so");
    assert_eq!(shown[1].get("encrypted_content"), None);
    assert!(shown[0]["id"].as_str().unwrap().starts_with("rs_"));

    let unsealed = output(asked(json!({"reasoning": {"summary": "auto"}})));
    assert_eq!(unsealed[0].get("encrypted_content"), None);
    let hidden = output(asked(json!({"include": ["reasoning.encrypted_content"]})));
    assert_eq!(
        (&hidden[0]["summary"], &hidden[0]["encrypted_content"]),
        (&json!([]), &json!(sealed))
    );
    assert_eq!(hidden[1]["type"], "message");
    let neither = output(asked(json!({})));
    assert_eq!(neither.as_array().unwrap().len(), 1);

    let sent = written(asked(both), said());
    assert_eq!(
        kinds(&sent)[2..9],
        [
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
        ]
    );
    assert_eq!(
        sent[7]["item"],
        sent.last().unwrap()["response"]["output"][0]
    );
}

#[test]
fn what_was_cut_is_incomplete() {
    for (reason, expected) in [
        (End::Limit, "max_output_tokens"),
        (End::Filtered, "content_filter"),
    ] {
        let sent = written(
            asked(json!({})),
            vec![
                begin(),
                call("c", "f", None, false),
                Event::Arguments("{".into()),
                Event::Called,
                ended(reason),
            ],
        );
        let last = sent.last().unwrap();
        assert_eq!(last["type"], "response.incomplete");
        assert_eq!(
            last["response"]["incomplete_details"],
            json!({"reason": expected})
        );
        assert_eq!(last["response"]["output"][0]["status"], "incomplete");
    }
}

#[test]
fn refusals_are_told_as_refusals() {
    let sent = written(
        asked(json!({})),
        vec![
            begin(),
            Event::Refusal("I ".into()),
            Event::Refusal("can't.".into()),
            ended(End::Whole),
        ],
    );
    assert_eq!(sent[4]["delta"], "I ");
    assert_eq!(sent[6]["refusal"], "I can't.");
    assert_eq!(
        sent.last().unwrap()["response"]["output"][0]["content"],
        json!([{"type": "refusal", "refusal": "I can't."}])
    );
}

#[test]
fn a_client_that_waits_is_told_that_the_answer_lives() {
    let sent = written(
        asked(json!({})),
        vec![
            Event::Alive,
            begin(),
            Event::Text("x".into()),
            Event::Alive,
            Event::Text("y".into()),
            ended(End::Whole),
        ],
    );
    assert_eq!(kinds(&sent)[..3], ["created", "in_progress", "keepalive"]);
    assert_eq!(sent[0]["response"]["model"], "m");
    assert_eq!(
        kinds(&sent)
            .iter()
            .filter(|kind| **kind == "keepalive")
            .count(),
        2
    );
    assert_eq!(
        sent.last().unwrap()["response"]["output"][0]["content"][0]["text"],
        "xy"
    );
}

#[test]
fn a_failure_is_told_in_all_ways_that_clients_know() {
    let error = json!({"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"});
    let sent = written(
        asked(json!({})),
        vec![
            begin(),
            Event::Text("x".into()),
            Event::Failed(error.clone()),
            ended(End::Whole),
        ],
    );
    assert_eq!(kinds(&sent)[5..], ["error", "failed"]);
    assert_eq!(
        (&sent[5]["message"], &sent[5]["code"]),
        (&error["message"], &error["code"])
    );
    assert_eq!(sent[5]["error"], error);
    assert_eq!(sent[6]["response"]["status"], "failed");
    assert_eq!(
        sent[6]["response"]["error"],
        json!({"code": "context_length_exceeded", "message": "too long"})
    );
    let sent = written(
        asked(json!({})),
        vec![Event::Failed(
            json!({"message": "gone", "code": "stream_interrupted"}),
        )],
    );
    assert_eq!(
        sent.last().unwrap()["response"]["error"]["code"],
        "server_error"
    );
}

#[test]
fn sources_stand_at_their_place_in_the_item() {
    let cited = |url: &str, start: usize, end: usize| {
        Event::Cited(Citation {
            url: url.to_owned(),
            title: "T".to_owned(),
            start,
            end,
        })
    };
    let flat = |url: &str, start: usize, end: usize| json!({"type": "url_citation", "url": url, "title": "T", "start_index": start, "end_index": end});
    let sent = written(
        asked(json!({})),
        vec![
            begin(),
            cited("early", 0, 0),
            Event::Text("Né".into()),
            cited("a", 0, 2),
            call("c1", "f", None, false),
            Event::Arguments("{}".into()),
            Event::Called,
            Event::Text("à Paris".into()),
            cited("b", 4, 9),
            ended(End::Whole),
        ],
    );
    let output = &sent.last().unwrap()["response"]["output"];
    assert_eq!(
        output[0]["content"][0]["annotations"],
        json!([flat("early", 0, 0), flat("a", 0, 2)])
    );
    assert_eq!(
        output[2]["content"][0]["annotations"],
        json!([flat("b", 2, 7)])
    );
    let added: Vec<&Value> = sent
        .iter()
        .filter(|event| event["type"] == "response.output_text.annotation.added")
        .collect();
    assert_eq!(
        (&added[1]["annotation_index"], &added[1]["annotation"]),
        (&json!(1), &flat("a", 0, 2))
    );
    assert_eq!(added[2]["item_id"], output[2]["id"]);
}
