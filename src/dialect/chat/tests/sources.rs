//! Sources that are told beside an answer.

use serde_json::{Value, json};

use super::{chunk, end, events, pieces, reading};
use crate::dialect::chat::read_answer;
use crate::dialect::conversation::{Event, Piece};

/// The addresses and titles of the sources that a client is told, and whether they come before the end.
fn cited(events: &[Event<'_>]) -> Vec<(String, String)> {
    assert!(matches!(events.last(), Some(Event::End { .. })));
    let pages = events.iter().filter_map(|event| match event {
        Event::Cited(page) => Some((page.url.clone(), page.title.clone())),
        _ => None,
    });
    pages.collect()
}

fn with(mut chunk: Value, more: &Value) -> Value {
    let fields = chunk.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    chunk
}

fn pairs(pages: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(url, title): &(&str, &str)| ((*url).to_owned(), (*title).to_owned());
    pages.iter().map(owned).collect()
}

#[test]
fn sources_of_the_whole_answer_are_told_once_and_at_its_end() {
    let text = chunk(json!({ "content": "Paris[1]." }));
    let perplexity = json!({ "citations": ["https://a", "https://b"],
        "search_results": [{ "title": "A", "url": "https://a", "date": null }] });
    let xai = json!({ "choices": [], "citations": ["https://a"] });
    for (chunks, expected) in [
        (
            vec![
                with(text.clone(), &perplexity),
                with(text.clone(), &perplexity),
                with(end("stop"), &perplexity),
            ],
            pairs(&[("https://a", "A"), ("https://b", "")]),
        ),
        (
            vec![text.clone(), end("stop"), with(chunk(json!({})), &xai)],
            pairs(&[("https://a", "")]),
        ),
        (
            vec![
                with(
                    text.clone(),
                    &json!({ "citations": [{ "url": "https://a", "title": "A" }, 7, null] }),
                ),
                end("stop"),
            ],
            pairs(&[("https://a", "A")]),
        ),
    ] {
        let seen = events(pieces(&chunks));
        assert_eq!(cited(&seen), expected);
        let first = seen
            .iter()
            .position(|event| matches!(event, Event::Cited(_)));
        let last = seen
            .iter()
            .rposition(|event| matches!(event, Event::Text(_)));
        assert!(first > last, "{seen:?}");
    }
    let whole = with(
        json!({ "id": "c", "choices": [{ "message": { "content": "Paris[1]." }, "finish_reason": "stop" }] }),
        &perplexity,
    );
    let whole = whole.to_string();
    let read = read_answer(whole.as_bytes(), &reading()).unwrap();
    let seen = events(read.into_iter().map(Piece::into_owned).collect());
    assert_eq!(
        cited(&seen),
        pairs(&[("https://a", "A"), ("https://b", "")])
    );
}

#[test]
fn sources_with_places_and_sources_of_nothing_are_not_told_so() {
    let sources = json!({ "citations": ["https://a"] });
    let annotation = json!({ "type": "url_citation", "url_citation": { "url": "https://a", "title": "A", "start_index": 0, "end_index": 2 } });
    let placed = chunk(json!({ "content": "Hi", "annotations": [annotation] }));
    let seen = events(pieces(&[with(placed, &sources), end("stop")]));
    assert_eq!(cited(&seen), pairs(&[("https://a", "A")]));
    let call = json!({ "tool_calls": [{ "index": 0, "id": "c", "function": { "name": "f", "arguments": "{}" } }] });
    let seen = events(pieces(&[with(chunk(call), &sources), end("tool_calls")]));
    assert_eq!(cited(&seen), []);
}
