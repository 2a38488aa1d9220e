//! What of a conversation only Anthropic has.

use serde_json::json;

use super::super::read_request;
use crate::dialect::conversation::Unsaid;

#[test]
fn a_thread_that_goes_on_and_a_compaction_are_named() {
    let thread = json!({"type": "continue", "previous_message_id": "msg_1"});
    let compaction = json!({"type": "summarize"});
    for (field, value) in [("thread", thread), ("compaction", compaction)] {
        let body = json!({"messages": [], field: value});
        assert_eq!(read_request(body).err(), Some(Unsaid(field)));
    }
}

#[test]
fn a_thread_that_begins_is_left_out() {
    let body = json!({"messages": [], "thread": {"type": "create"}, "compaction": null});
    let read = read_request(body).unwrap_or_else(|unsaid| panic!("{unsaid:?}"));
    assert_eq!(read.dropped.into_names(), ["thread"]);
}
