//! Events as they are sent: named, and numbered without a gap.

use serde::Serialize;
use serde_json::Value;

use crate::wire::json::put;

/// What is told of a whole item.
#[derive(Serialize)]
struct Whole<'a> {
    output_index: usize,
    item: &'a Value,
}

/// Numbers the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Numbered {
    next: u64,
}

impl From<u64> for Numbered {
    fn from(next: u64) -> Self {
        Self { next }
    }
}

impl Numbered {
    /// Sends an event with these fields, of which there is at least one.
    pub(super) fn tell(&mut self, kind: &str, fields: &impl Serialize, out: &mut Vec<u8>) {
        self.begin(kind, out);
        let comma = out.len();
        put(fields, out);
        if let Some(brace) = out.get_mut(comma) {
            *brace = b',';
        }
        out.extend_from_slice(b"\n\n");
    }

    /// Sends an event about a whole item.
    pub(super) fn tell_item(
        &mut self,
        kind: &str,
        output_index: usize,
        item: &Value,
        out: &mut Vec<u8>,
    ) {
        self.tell(kind, &Whole { output_index, item }, out);
    }

    /// Sends a sign of life.
    pub(super) fn keep_alive(&mut self, out: &mut Vec<u8>) {
        self.begin("keepalive", out);
        out.extend_from_slice(b"}\n\n");
    }

    /// Sends more of a text. `head`: the event up to its number.
    pub(super) fn delta(&mut self, head: &[u8], text: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(head);
        self.number(out);
        out.extend_from_slice(b",\"delta\":");
        put(text, out);
        out.extend_from_slice(b"}\n\n");
    }

    fn begin(&mut self, kind: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: {\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"sequence_number\":");
        self.number(out);
    }

    fn number(&mut self, out: &mut Vec<u8>) {
        put(&self.next, out);
        self.next += 1;
    }
}

/// The beginning of an event with more of a text: up to its number. `place`: the fields that all such events of the text
/// have, as JSON.
pub(super) fn delta_head(kind: &str, place: &str) -> Vec<u8> {
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\",{place},\"sequence_number\":").into_bytes()
}
