//! Requests, answers and streams in both APIs.

use serde_json::{Value, json};

use super::{RequestContext, Translator, answer, request, unsupported_feature};
use crate::wire::sse;

fn chat(body: &Value) -> Value {
    let translated = request(body.to_string().as_bytes(), false).unwrap();
    serde_json::from_slice(&translated.body).unwrap()
}

pub(super) fn context(body: &Value) -> RequestContext {
    request(body.to_string().as_bytes(), false).unwrap().context
}

#[test]
fn requests_become_chats() {
    assert_eq!(
        chat(
            &json!({"model": "m", "input": "hi", "instructions": "Be brief.", "max_output_tokens": 9, "store": true})
        ),
        json!({"model": "m", "max_tokens": 9, "messages": [
            {"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]})
    );
    let input = json!([
        {"role": "developer", "content": "d"},
        {"role": "developer", "content": [{"type": "input_text", "text": "e"}]},
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "what?"},
            {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "low"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "output_text", "text": "two"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "done"}]},
        {"role": "developer", "content": "f"},
    ]);
    let call = |id: &str, name: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}});
    assert_eq!(
        chat(&json!({"model": "m", "input": input}))["messages"],
        json!([
            {"role": "system", "content": "d\n\ne"},
            {"role": "user", "content": [
                {"type": "text", "text": "what?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}}]},
            {"role": "assistant", "content": null, "tool_calls": [call("c1", "f"), call("c2", "g")]},
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {"role": "tool", "tool_call_id": "c2", "content": "two"},
            {"role": "assistant", "content": "done"},
            {"role": "user", "content": "<system-reminder>\nf\n</system-reminder>"},
        ])
    );
    let asked = chat(
        &json!({"model": "m", "input": "x", "stream": true, "reasoning": {"effort": "low"},
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": true}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}}),
    );
    assert_eq!(asked["reasoning_effort"], "low");
    assert_eq!(asked["stream_options"], json!({"include_usage": true}));
    assert_eq!(
        asked["tools"],
        json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": true}}])
    );
    assert_eq!(
        asked["tool_choice"],
        json!({"type": "function", "function": {"name": "f"}})
    );
    assert_eq!(
        asked["response_format"],
        json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}})
    );
}

#[test]
fn what_some_upstreams_refuse_is_left_out() {
    let asked = json!({"model": "m", "input": "x", "prompt_cache_key": "k", "metadata": {"a": "b"},
                       "include": ["reasoning.encrypted_content"], "text": {"verbosity": "low"}});
    let translated = request(asked.to_string().as_bytes(), false).unwrap();
    let dropped = ["prompt_cache_key", "metadata", "include", "text.verbosity"];
    assert_eq!(translated.dropped, dropped);
    assert_eq!(
        chat(&asked),
        json!({"model": "m", "messages": [{"role": "user", "content": "x"}]})
    );
}

#[test]
fn what_lives_at_one_provider_cannot_be_had_elsewhere() {
    for (field, value, feature) in [
        (
            "previous_response_id",
            json!("resp_1"),
            "previous_response_id",
        ),
        ("conversation", json!("conv_1"), "conversation"),
        ("background", json!(true), "background"),
        ("tools", json!([{"type": "web_search"}]), "hosted tools"),
        (
            "input",
            json!([{"type": "item_reference", "id": "x"}]),
            "items of other tools",
        ),
        (
            "input",
            json!([{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]),
            "file_id",
        ),
    ] {
        let mut body = json!({"model": "m", "input": "x"});
        body[field] = value;
        assert_eq!(unsupported_feature(&body, false), Some(feature));
    }
}

#[test]
fn completions_become_responses() {
    let completion = json!({"id": "c", "created": 7, "model": "real", "choices": [{"message": {"content": "Hi",
        "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}]}, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}});
    let asked = json!({"model": "m", "input": "x", "metadata": {"a": "b"}});
    let body = answer(completion.to_string().as_bytes(), &context(&asked)).unwrap();
    let response: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&response["status"], &response["model"]),
        (&json!("completed"), &json!("real"))
    );
    assert_eq!(response["output"][0]["content"][0]["text"], "Hi");
    assert_eq!(response["output"][1]["call_id"], "c1");
    assert_eq!(response["metadata"], asked["metadata"]);
    assert_eq!(response["usage"]["total_tokens"], 5);
    assert_eq!(
        response["usage"]["input_tokens_details"]["cached_tokens"],
        1
    );
    let cut = json!({"choices": [{"message": {"content": "H"}, "finish_reason": "length"}]});
    let body = answer(cut.to_string().as_bytes(), &context(&asked)).unwrap();
    let response: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(response["status"], "incomplete");
    assert_eq!(
        response["incomplete_details"]["reason"],
        "max_output_tokens"
    );
    assert!(answer(b"{}", &context(&asked)).is_none());
}

#[test]
fn thoughts_that_only_the_total_tells_are_output() {
    for (total, output) in [
        (json!(40), 34),
        (json!(11), 5),
        (json!(3), 5),
        (json!(null), 5),
    ] {
        let usage = json!({"prompt_tokens": 6, "completion_tokens": 5, "total_tokens": total});
        let completion = json!({"usage": usage, "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]});
        let context = context(&json!({"model": "m", "input": "x"}));
        let body = answer(completion.to_string().as_bytes(), &context).unwrap();
        let response: Value = serde_json::from_slice(&body).unwrap();
        let used = &response["usage"];
        assert_eq!(used["output_tokens"], output, "{total}");
        assert_eq!(used["total_tokens"], 6 + output, "{total}");
    }
}

/// The events for some chunks, numbered without a gap.
pub(super) fn events(chunks: &[Value], end: &str) -> Vec<Value> {
    let mut translator = Translator::new(context(
        &json!({"model": "m", "input": "x", "stream": true}),
    ));
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend_from_slice(&translator.translate(format!("data: {chunk}\n\n").as_bytes()));
    }
    out.extend_from_slice(&translator.translate(end.as_bytes()));
    out.extend_from_slice(&translator.finish());
    let events: Vec<Value> = sse::events(&out)
        .map(|event| {
            let data: Value = serde_json::from_slice(&event.data.unwrap()).unwrap();
            assert_eq!(
                event.name.unwrap(),
                data["type"].as_str().unwrap().as_bytes()
            );
            data
        })
        .collect();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    events
}

pub(super) fn chunk(delta: Value, finish: Value) -> Value {
    json!({"id": "c", "created": 7, "model": "real", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

#[test]
fn chunks_become_the_full_sequence_of_events() {
    let call = |index: u64, id: &str, name: &str, arguments: &str| json!({"tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]});
    let chunks = [
        chunk(json!({"role": "assistant", "content": ""}), Value::Null),
        chunk(json!({"content": "Hel"}), Value::Null),
        chunk(json!({"content": "lo"}), Value::Null),
        chunk(call(0, "c1", "f", ""), Value::Null),
        chunk(
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
            Value::Null,
        ),
        chunk(call(1, "c2", "g", "{}"), Value::Null),
        chunk(json!({}), json!("tool_calls")),
        json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
    ];
    for end in ["data: [DONE]\n\n", ""] {
        let events = events(&chunks, end);
        let kinds: Vec<&str> = events
            .iter()
            .map(|event| {
                event["type"]
                    .as_str()
                    .unwrap()
                    .trim_start_matches("response.")
            })
            .collect();
        assert_eq!(
            kinds,
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
                "function_call_arguments.delta",
                "function_call_arguments.done",
                "output_item.done",
                "completed",
            ]
        );
        let response = &events.last().unwrap()["response"];
        assert_eq!(response["output"].as_array().unwrap().len(), 3);
        assert_eq!(response["output"][0]["content"][0]["text"], "Hello");
        assert_eq!(response["output"][2]["arguments"], "{}");
        assert_eq!(response["output"][0]["id"], events[4]["item_id"]);
        assert_eq!(response["usage"]["output_tokens"], 2);
        assert_eq!(response["id"], events[0]["response"]["id"]);
    }
}

#[test]
fn a_chat_that_is_cut_short_is_no_whole_response() {
    let first = [chunk(json!({"content": "Hel"}), Value::Null)];
    let last = |end: &str| events(&first, end).last().unwrap()["type"].clone();
    assert_eq!(last(""), "response.output_text.delta");
    assert_eq!(last("data: [DONE]\n\n"), "response.output_text.delta");
    assert_eq!(
        last("data: {\"error\":{\"code\":429,\"message\":\"m\"}}\n\n"),
        "error"
    );
    let long = [chunk(json!({"content": "Hel"}), json!("length"))];
    assert_eq!(
        events(&long, "").last().unwrap()["type"],
        "response.incomplete"
    );
}

#[test]
fn refusals_are_told_as_refusals() {
    let refused = [
        chunk(json!({"role": "assistant", "refusal": "I "}), Value::Null),
        chunk(json!({"refusal": "can't."}), Value::Null),
        chunk(json!({}), json!("stop")),
    ];
    let events = events(&refused, "data: [DONE]\n\n");
    let of = |kind: &str| events.iter().find(|event| event["type"] == kind).unwrap();
    assert_eq!(of("response.refusal.delta")["delta"], "I ");
    assert_eq!(of("response.refusal.done")["refusal"], "I can't.");
    let part = json!({"type": "refusal", "refusal": "I can't."});
    assert_eq!(
        of("response.completed")["response"]["output"][0]["content"],
        json!([part])
    );
}

#[test]
fn every_call_has_a_result() {
    let input = json!([
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c2", "output": "y"},
        {"role": "user", "content": "and?"},
    ]);
    let sent = chat(&json!({"model": "m", "input": input}));
    let results: Vec<&Value> = sent["messages"].as_array().unwrap()[1..]
        .iter()
        .map(|message| &message["tool_call_id"])
        .collect();
    assert_eq!(results, [&json!("c1"), &json!("c2"), &Value::Null]);
}

#[test]
fn what_is_left_out_is_told() {
    let asked = json!({"model": "m", "input": "x", "include": ["reasoning.encrypted_content"], "brand_new": 1, "store": false});
    let translated = request(asked.to_string().as_bytes(), false).unwrap();
    assert_eq!(translated.dropped, ["include", "brand_new"]);
    let wants = json!({"model": "m", "input": "x", "include": ["message.output_text.logprobs"]});
    assert_eq!(unsupported_feature(&wants, false), Some("logprobs"));
}

#[test]
fn results_stand_behind_their_calls_and_images_are_shown_by_the_user() {
    let image = json!({"type": "input_image", "image_url": "data:image/png;base64,aGk="});
    let input = json!([
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "I see."}]},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "here"}, image]},
    ]);
    let sent = chat(&json!({"model": "m", "input": input}));
    let shown = json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]);
    assert_eq!(
        sent["messages"].as_array().unwrap()[1..],
        [
            json!({"role": "tool", "tool_call_id": "c1", "content": "here"}),
            json!({"role": "user", "content": shown}),
            json!({"role": "assistant", "content": "I see."}),
        ]
    );
}

#[test]
fn a_chat_that_says_that_it_failed_is_no_response() {
    let failed = json!({"choices": [{"message": {"content": "Hel"}, "finish_reason": "error"}]});
    assert!(
        answer(
            failed.to_string().as_bytes(),
            &context(&json!({"model": "m", "input": "x"}))
        )
        .is_none()
    );
    let chunks = [
        chunk(json!({"content": "Hel"}), json!("")),
        chunk(json!({}), json!("network_error")),
    ];
    let events = events(&chunks, "data: [DONE]\n\n");
    assert_eq!(events.last().unwrap()["type"], "error");
    let cut = [
        chunk(
            json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}]}),
            Value::Null,
        ),
        chunk(json!({}), json!("length")),
    ];
    let events = self::events(&cut, "");
    let item = &events.last().unwrap()["response"]["output"][0];
    assert_eq!(item["status"], "incomplete");
}

#[test]
fn the_web_is_searched_where_that_can_be() {
    let place = json!({"type": "approximate", "city": "Paris"});
    let asked = json!({"model": "m", "tools": [{"type": "web_search", "user_location": place}],
        "input": [{"role": "user", "content": "x"}, {"type": "web_search_call", "id": "ws_1", "status": "completed"}]});
    assert_eq!(unsupported_feature(&asked, false), Some("hosted tools"));
    assert_eq!(unsupported_feature(&asked, true), None);
    let translated = request(asked.to_string().as_bytes(), true).unwrap();
    let chat: Value = serde_json::from_slice(&translated.body).unwrap();
    let location = json!({"type": "approximate", "approximate": place});
    assert_eq!(
        chat["web_search_options"],
        json!({"user_location": location})
    );
    assert_eq!(chat["tools"], Value::Null);
    assert_eq!(chat["messages"].as_array().unwrap().len(), 1);
}

#[test]
fn calls_get_ids_that_every_api_takes() {
    let call = json!({"id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let completion =
        json!({"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]});
    let context = request(br#"{"model":"m","input":"hi"}"#, false)
        .unwrap()
        .context;
    let response = answer(completion.to_string().as_bytes(), &context).unwrap();
    let response: Value = serde_json::from_slice(&response).unwrap();
    let id = response["output"][0]["call_id"].as_str().unwrap();
    assert!(id.len() == 21 && !id.contains([':', '.']), "{id}");
}

#[test]
fn results_of_calls_with_the_same_id_are_told_in_order() {
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let result =
        |text: &str| json!({"type": "function_call_output", "call_id": "c", "output": text});
    let asked = json!({"model": "m", "input": [call, result("1"), call, call, result("2")]});
    let chat: Value =
        serde_json::from_slice(&request(asked.to_string().as_bytes(), false).unwrap().body)
            .unwrap();
    let messages = chat["messages"].as_array().unwrap().iter();
    let results = messages.filter(|message| message["role"] == "tool");
    let contents: Vec<&str> = results
        .map(|result| result["content"].as_str().unwrap())
        .collect();
    assert_eq!(contents, ["1", "2", "no result"]);
}
