//! How the events of a stream are taken.

use bytes::Bytes;
use proptest::prelude::{any, proptest};

use super::{EventStream, Taken};
use crate::request::Endpoint;
use crate::wire::sse;

/// Streams as upstreams send them, good and bad.
const RECORDED: [(Endpoint, &str); 8] = [
    (
        Endpoint::ChatCompletions,
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
         data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Grüße 数\"}}]}\n\n\
         data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
         data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\ndata: [DONE]\n\n",
    ),
    (
        Endpoint::ChatCompletions,
        ": PROCESSING\r\n\r\nid: 0\r\nevent: message\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\n\
         event: ping\r\n\r\ndata: null\r\n\r\nretry: 5\r\n\r\ndata: [DONE] \r\n\r\n",
    ),
    (
        Endpoint::ChatCompletions,
        "\u{feff}data:{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\rdata: {\"error\":{\"code\":429}}\r\rdata: {\"choices\":[]}\r\r",
    ),
    (
        Endpoint::ChatCompletions,
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\nevent: error\ndata: {\"message\":\"m\"}\n\n",
    ),
    (
        Endpoint::Completions,
        "data: {\"choices\":[{\"text\":\"a\"}]}\n\ndata: {\"choices\":[{\"text\":\"b\",\"finish_reason\":\"length\"}]}\n\ndata: [DONE]",
    ),
    (
        Endpoint::Messages,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n\
         event: ping\ndata: {\"type\":\"ping\"}\n\n\
         event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n\
         event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    ),
    (
        Endpoint::Responses,
        "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\"}}\n\n\
         event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"delta\":\"a\"}\n\n\
         event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":{\"output\":[1]}}\n\n",
    ),
    (
        Endpoint::Responses,
        "data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\ndata: {\"type\":\"error\",\"code\":\"slow_down\"}\n\n",
    ),
];

/// What a client gets, how many events have content, and how the stream ended.
fn follow(endpoint: Endpoint, pieces: &[&[u8]]) -> (Vec<u8>, usize, String) {
    let mut events = EventStream::new(endpoint, None, None);
    let mut passed = Vec::new();
    let mut content = 0;
    for piece in pieces.iter().map(Some).chain([None]) {
        let taken = match piece {
            Some(piece) => events.take(Bytes::copy_from_slice(piece)),
            None => events.take_rest(),
        };
        passed.extend_from_slice(&taken.pass);
        content += taken.content;
        if let Some(outcome) = taken.failure {
            return (passed, content, outcome.to_string());
        }
    }
    let end = if events.is_complete() {
        "complete"
    } else {
        "open"
    };
    (passed, content, end.to_owned())
}

/// The events as a client reads them.
fn read(bytes: &[u8]) -> Vec<(Option<Vec<u8>>, Vec<u8>)> {
    sse::events(bytes)
        .filter_map(|event| {
            let name = event.name.map(<[u8]>::to_vec);
            Some((name, event.data?.into_owned()))
        })
        .collect()
}

#[test]
fn what_is_right_passes_byte_for_byte() {
    for (endpoint, stream) in [RECORDED[0], RECORDED[5], RECORDED[6]] {
        let (passed, _, end) = follow(endpoint, &[stream.as_bytes()]);
        assert_eq!(String::from_utf8(passed).unwrap(), stream);
        assert_eq!(end, "complete");
    }
}

#[test]
fn what_clients_fail_on_gets_the_usual_form_and_the_rest_passes_as_it_is() {
    let hello = r#"data: {"choices":[{"delta":{"content":"a"}}]}"#;
    let last = r#"data: {"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}]}"#;
    for (sent, passed) in [
        (format!("id: 0\r\n{hello}\r\n\r\n"), format!("{hello}\n\n")),
        ("data: null\r\n\r\n".to_owned(), String::new()),
        ("event: ping\r\ndata: {}\r\n\r\n".to_owned(), String::new()),
        (
            format!("{last}\r\n\r\ndata: [DONE] \r\n\r\n"),
            format!("{last}\r\n\r\ndata: [DONE]\n\n"),
        ),
        (
            format!("{last}\n\ndata: [DONE]\n\n"),
            format!("{last}\n\ndata: [DONE]\n\n"),
        ),
        // One behind the other: what is right stays as it is.
        (
            format!(
                ": PROCESSING\r\n\r\nretry: 5\r\nevent: message\r\n{hello}\r\n\r\n{last}\r\n\r\n\
                 event: ping\r\ndata: {{}}\r\n\r\ndata: [DONE] \r\n\r\n"
            ),
            format!(
                ": PROCESSING\r\n\r\nevent: message\n{hello}\n\n{last}\r\n\r\ndata: [DONE]\n\n"
            ),
        ),
    ] {
        let (bytes, _, _) = follow(Endpoint::ChatCompletions, &[sent.as_bytes()]);
        assert_eq!(String::from_utf8(bytes).unwrap(), passed, "{sent:?}");
    }
}

#[test]
fn content_is_counted_over_all_reads() {
    let (endpoint, stream) = RECORDED[0];
    let mut events = EventStream::new(endpoint, None, None);
    for _ in 0..2 {
        let hello = r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#;
        events.take(Bytes::from(format!("data: {hello}\n\n")));
    }
    assert_eq!(events.content(), 2);
    events.take(Bytes::from_static(stream.as_bytes()));
    assert!(events.content() > 2 && events.is_complete());
}

proptest! {
    #[test]
    fn any_split_of_any_recorded_stream_gives_the_same_bytes_and_the_same_end(
        which in 0..RECORDED.len(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..16),
    ) {
        let (endpoint, stream) = RECORDED[which];
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts
            .windows(2)
            .map(|pair| &stream.as_bytes()[pair[0]..pair[1]])
            .collect();
        let (split, whole) = (follow(endpoint, &pieces), follow(endpoint, &[stream.as_bytes()]));
        assert_eq!(read(&split.0), read(&whole.0));
        assert_eq!((split.1, split.2), (whole.1, whole.2));
        // Where an event was rewritten, a line may end in CR instead of CRLF.
        if whole.0 == stream.as_bytes() {
            assert_eq!(split.0, whole.0);
        }
    }
}

#[test]
fn what_came_behind_is_counted_with_what_came_before() {
    let taken = |text: &'static str, content, hidden_progress, thinks| Taken {
        content,
        hidden_progress,
        thinks,
        ..Taken::bytes(Bytes::from_static(text.as_bytes()))
    };
    for (first, next) in [(true, false), (false, true), (false, false), (true, true)] {
        let mut joined = taken("a", 2, 3, first);
        joined.join(taken("b", 5, 7, next));
        assert_eq!(joined.pass, "ab");
        assert_eq!((joined.content, joined.hidden_progress), (7, 10));
        assert_eq!(joined.thinks, first || next);
    }
}
