//! What the events of each API mean.

use serde_json::json;

use super::{Signal, StreamReader};
use crate::outcome::Outcome;
use crate::request::Endpoint;
use crate::wire::sse;

fn read(reader: &mut StreamReader, text: &str) -> Vec<Signal> {
    sse::events(text.as_bytes())
        .map(|event| reader.read(&event))
        .collect()
}

fn signal(endpoint: Endpoint, data: &str) -> Signal {
    read(
        &mut StreamReader::new(endpoint),
        &format!("data: {data}\n\n"),
    )
    .remove(0)
}

#[test]
fn roles_comments_and_empty_choices_are_preamble() {
    let chat = Endpoint::ChatCompletions;
    for data in [
        r#"{"choices":[{"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}]}"#,
        r#"{"choices":[],"prompt_filter_results":[]}"#,
        r#"{"choices":[{"delta":{}}]}"#,
    ] {
        assert_eq!(signal(chat, data), Signal::Preamble, "{data}");
    }
    assert_eq!(
        read(&mut StreamReader::new(chat), ": ping\n\n"),
        [Signal::Preamble]
    );
}

/// What the events mean, and whether the answer is complete and over.
fn outcome(endpoint: Endpoint, events: &[&str]) -> (Vec<Signal>, bool, bool) {
    let mut reader = StreamReader::new(endpoint);
    let text: String = events
        .iter()
        .map(|data| format!("data: {data}\n\n"))
        .collect();
    let signals = read(&mut reader, &text);
    (signals, reader.is_complete(), reader.is_over())
}

#[test]
fn an_answer_that_says_nothing_is_whole_but_no_content() {
    let chat = r#"{"choices":[{"delta":{"content":""},"finish_reason":"REASON"}]}"#;
    let message = r#"{"type":"message_delta","delta":{"stop_reason":"REASON"}}"#;
    let stop = r#"{"type":"message_stop"}"#;
    for (endpoint, end, last, silent, explained) in [
        (Endpoint::ChatCompletions, chat, "[DONE]", "STOP", "length"),
        (Endpoint::Messages, message, stop, "end_turn", "refusal"),
    ] {
        let (signals, is_complete, is_over) =
            outcome(endpoint, &[&end.replace("REASON", silent), last]);
        assert_eq!(signals, [Signal::Preamble, Signal::Preamble]);
        assert!(is_complete && is_over);
        let (signals, _, _) = outcome(endpoint, &[&end.replace("REASON", explained), last]);
        assert_eq!(signals, [Signal::Content, Signal::Content]);
    }
    let completed = r#"{"type":"response.completed","response":{"output":[]}}"#;
    assert_eq!(
        outcome(Endpoint::Responses, &[completed]),
        (vec![Signal::Preamble], true, true)
    );
    let plain = r#"{"choices":[{"text":"","finish_reason":"stop"}]}"#;
    assert_eq!(signal(Endpoint::Completions, plain), Signal::Content);
}

#[test]
fn a_message_that_says_why_it_ends_is_complete_without_its_last_event() {
    let (text, end) = (
        r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"x"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
    );
    let stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    for (events, is_complete, missing) in [
        (vec![text], false, stop),
        (vec![text, end], true, stop),
        (vec![text, end, "[DONE]"], true, stop),
        (vec![text, end, r#"{"type":"message_stop"}"#], true, ""),
    ] {
        let mut reader = StreamReader::new(Endpoint::Messages);
        for data in events {
            read(&mut reader, &format!("data: {data}\n\n"));
        }
        assert_eq!(reader.is_complete(), is_complete);
        assert_eq!(reader.is_over(), missing.is_empty());
        assert_eq!(reader.missing_end(), missing.as_bytes());
    }
}

#[test]
fn a_stream_of_several_answers_is_complete_when_each_has_ended() {
    let chunk = |index: usize, reason: &str| {
        let delta = json!({"index": index, "delta": {"content": "x"}, "finish_reason": reason});
        format!("data: {}\n\n", json!({"choices": [delta]}))
    };
    for endpoint in [Endpoint::ChatCompletions, Endpoint::Completions] {
        let mut reader = StreamReader::new(endpoint);
        reader.expect_answers(2);
        for (text, is_complete) in [
            (chunk(0, ""), false),
            (chunk(1, "stop"), false),
            (chunk(1, "stop"), false),
            (chunk(0, "length"), true),
        ] {
            read(&mut reader, &text);
            assert_eq!(reader.is_complete(), is_complete, "{text}");
        }
        // Who gives fewer says so.
        let mut reader = StreamReader::new(endpoint);
        reader.expect_answers(2);
        read(&mut reader, &chunk(0, "stop"));
        assert!(!reader.is_complete());
        read(&mut reader, "data: [DONE]\n\n");
        assert!(reader.is_complete() && reader.is_over());
    }
}

#[test]
fn usage_and_the_last_event_are_an_end() {
    let (text, usage) = (
        r#"{"choices":[{"delta":{"content":"x"}}]}"#,
        r#"{"choices":[],"usage":{"total_tokens":1}}"#,
    );
    let (signals, is_complete, _) = outcome(Endpoint::ChatCompletions, &[text, usage, "[DONE]"]);
    assert_eq!(
        signals,
        [Signal::Content, Signal::Preamble, Signal::Content]
    );
    assert!(is_complete);
    let (signals, is_complete, _) = outcome(Endpoint::ChatCompletions, &[text, "[DONE]"]);
    assert!(!is_complete && matches!(signals[1], Signal::Failed(_)));
}

#[test]
fn the_usage_in_an_error_behind_the_end_is_not_lost() {
    let mut reader = StreamReader::new(Endpoint::ChatCompletions);
    let late = "data: {\"error\":{\"code\":400},\"choices\":[],\"usage\":{\"total_tokens\":1}}\n\n";
    let event = sse::events(late.as_bytes()).next().unwrap();
    assert!(reader.without_error(&event).is_empty());
    read(
        &mut reader,
        "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n",
    );
    let rest = reader.without_error(&event);
    assert_eq!(
        rest,
        b"data: {\"choices\":[],\"usage\":{\"total_tokens\":1}}\n\n"
    );
}

#[test]
fn text_tool_calls_and_unknown_fields_are_content() {
    for data in [
        r#"{"choices":[{"delta":{"content":"x"}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#,
        r#"{"choices":[{"text":"x"}]}"#,
    ] {
        assert_eq!(
            signal(Endpoint::ChatCompletions, data),
            Signal::Content,
            "{data}"
        );
    }
}

#[test]
fn what_nobody_can_read_of_reasoning_is_progress_and_no_content() {
    thinks(&[
        (
            Endpoint::Responses,
            r#"{"type":"response.output_item.added","item":{"type":"reasoning","summary":[],"encrypted_content":"gAAA"}}"#,
            Signal::Progress,
        ),
        (
            Endpoint::Responses,
            r#"{"type":"response.output_item.done","item":{"type":"reasoning","summary":[]}}"#,
            Signal::Progress,
        ),
        (
            Endpoint::Responses,
            r#"{"type":"response.reasoning_summary_part.added","part":{"type":"summary_text","text":""}}"#,
            Signal::Progress,
        ),
        (
            Endpoint::Responses,
            r#"{"type":"response.reasoning_summary_text.delta","delta":""}"#,
            Signal::Progress,
        ),
        (
            Endpoint::Responses,
            r#"{"type":"response.reasoning_summary_text.delta","delta":"hm"}"#,
            Signal::Content,
        ),
        (
            Endpoint::Responses,
            r#"{"type":"response.output_item.added","item":{"type":"web_search_call","status":"in_progress"}}"#,
            Signal::Content,
        ),
    ]);
}

#[test]
fn the_same_in_anthropics_words() {
    thinks(&[
        (
            Endpoint::Messages,
            r#"{"type":"content_block_start","content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            Signal::Progress,
        ),
        (
            Endpoint::Messages,
            r#"{"type":"content_block_start","content_block":{"type":"redacted_thinking","data":"Eq8"}}"#,
            Signal::Progress,
        ),
        (
            Endpoint::Messages,
            r#"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":""}}"#,
            Signal::Progress,
        ),
        (
            Endpoint::Messages,
            r#"{"type":"content_block_delta","delta":{"type":"signature_delta","signature":"Eq8"}}"#,
            Signal::Progress,
        ),
        (
            Endpoint::Messages,
            r#"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            Signal::Content,
        ),
    ]);
}

/// Makes sure of what each of these events means, and that it shows that the model thinks.
fn thinks(events: &[(Endpoint, &str, Signal)]) {
    for (endpoint, data, expected) in events {
        let mut reader = StreamReader::new(*endpoint);
        let signals = read(&mut reader, &format!("data: {data}\n\n"));
        assert_eq!(signals, std::slice::from_ref(expected), "{data}");
        assert!(reader.thinks(), "{data}");
    }
}

#[test]
fn a_chat_shows_that_its_model_thinks() {
    for (delta, thinks) in [
        (r#"{"role":"assistant","reasoning_content":""}"#, true),
        (r#"{"role":"assistant","reasoning_content":null}"#, false),
        (r#"{"reasoning":"hm"}"#, true),
        (r#"{"content":"hm"}"#, false),
    ] {
        let mut reader = StreamReader::new(Endpoint::ChatCompletions);
        let chunk = format!("data: {{\"choices\":[{{\"delta\":{delta}}}]}}\n\n");
        read(&mut reader, &chunk);
        assert_eq!(reader.thinks(), thinks, "{delta}");
    }
}

#[test]
fn empty_additions_are_preamble() {
    for (endpoint, data) in [
        (
            Endpoint::Responses,
            r#"{"type":"response.output_text.delta","delta":""}"#,
        ),
        (
            Endpoint::Messages,
            r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":""}}"#,
        ),
    ] {
        assert_eq!(signal(endpoint, data), Signal::Preamble, "{data}");
    }
}

#[test]
fn a_finish_reason_completes_the_answer_and_the_missing_end_is_known() {
    let mut reader = StreamReader::new(Endpoint::ChatCompletions);
    read(
        &mut reader,
        "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n",
    );
    assert!(!reader.is_complete());
    read(
        &mut reader,
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    );
    assert!(reader.is_complete());
    assert_eq!(reader.missing_end(), b"data: [DONE]\n\n");
    read(&mut reader, "data: [DONE]\n\n");
    assert_eq!(reader.missing_end(), b"");
}

#[test]
fn errors_and_garbage_in_a_stream_are_failures() {
    let label = |endpoint, data: &str| match signal(endpoint, data) {
        Signal::Failed(outcome) => outcome.label(),
        other => panic!("{data}: {other:?}"),
    };
    let chat = Endpoint::ChatCompletions;
    assert_eq!(label(chat, "[DONE]"), "no_answer");
    assert_eq!(label(chat, "<html>"), "unparsable_reply");
    assert_eq!(
        label(chat, r#"{"error":{"code":"rate_limit_exceeded"}}"#),
        "rate_limited"
    );
    assert_eq!(
        label(
            chat,
            r#"{"choices":[{"delta":{},"finish_reason":"error"}]}"#
        ),
        "server_error"
    );
    let named = "event: error\ndata: {\"code\":\"rate_limit_exceeded\",\"message\":\"m\"}\n\n";
    assert!(matches!(
        read(&mut StreamReader::new(chat), named).as_slice(),
        [Signal::Failed(Outcome::RateLimited { .. })]
    ));
    let responses = Endpoint::Responses;
    assert_eq!(
        label(
            responses,
            r#"{"type":"error","code":"rate_limit_exceeded","message":"m"}"#
        ),
        "rate_limited"
    );
    assert_eq!(
        label(
            responses,
            r#"{"type":"response.failed","response":{"error":{"code":"server_error"}}}"#
        ),
        "server_error"
    );
}

#[test]
fn a_responses_stream_ends_with_both_error_forms_and_its_own_id() {
    let mut reader = StreamReader::new(Endpoint::Responses);
    let signals = read(
        &mut reader,
        "data: {\"type\":\"response.created\",\"sequence_number\":4,\"response\":{\"id\":\"resp_7\",\"model\":\"m\",\"created_at\":8}}\n\n\
         data: {\"type\":\"response.output_text.delta\",\"sequence_number\":5,\"delta\":\"x\"}\n\n",
    );
    assert_eq!(signals, [Signal::Preamble, Signal::Content]);
    let end = String::from_utf8(
        reader.interruption(&json!({"message": "gone", "code": "stream_interrupted"})),
    )
    .unwrap();
    assert!(end.contains("\"sequence_number\":6"), "{end}");
    assert!(end.contains("\"id\":\"resp_7\""), "{end}");
    let events: Vec<serde_json::Value> = end
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let response = &events[1]["response"];
    assert_eq!(
        (&response["model"], &response["created_at"]),
        (&json!("m"), &json!(8))
    );
    let required = [
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "metadata",
        "instructions",
        "temperature",
        "top_p",
    ];
    for field in required.into_iter().chain(["incomplete_details", "output"]) {
        assert!(response.get(field).is_some(), "{field}");
    }
}
