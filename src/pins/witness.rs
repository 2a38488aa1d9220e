//! An answer as it passes, and what its upstream has created by it.

use memchr::memmem::find;

use super::Pins;
use super::ids::{given_out, given_out_by_events};
use crate::config::UpstreamId;

/// No more of an answer is looked into.
const LONGEST: usize = 1 << 20;
/// Events that repeat everything that has been created.
const SUMMARIES: [&[u8]; 2] = [b"response.completed", b"response.incomplete"];

/// Sees an answer pass. What has been created is noted when it is dropped, however the answer ended.
#[derive(Debug)]
pub struct Witness {
    pins: Pins,
    creator: UpstreamId,
    is_stream: bool,
    seen: Vec<u8>,
}

impl Witness {
    pub(super) fn new(pins: Pins, creator: UpstreamId, is_stream: bool) -> Self {
        Self {
            pins,
            creator,
            is_stream,
            seen: Vec::new(),
        }
    }

    /// A piece of it, whatever it is. Of an answer that is too long only the beginning is kept.
    pub fn saw(&mut self, data: &[u8]) {
        let room = LONGEST.saturating_sub(self.seen.len());
        self.seen.extend_from_slice(&data[..data.len().min(room)]);
    }

    /// Whole events of a model's answer. Only the first ones and the last one say what has been created.
    pub fn saw_events(&mut self, events: &[u8]) {
        let is_summary = |summary: &&[u8]| find(events, summary).is_some();
        if self.seen.is_empty() || SUMMARIES.iter().any(is_summary) {
            self.saw(events);
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let ids = if self.is_stream {
            given_out_by_events(&self.seen)
        } else {
            given_out(&self.seen)
        };
        for id in ids {
            self.pins.note(&id, &self.creator);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::UpstreamId;
    use crate::pins::Pins;

    fn creators(pins: &Pins, ids: &[&str]) -> Vec<bool> {
        ids.iter().map(|id| pins.creator_of(id).is_some()).collect()
    }

    #[test]
    fn answers_are_understood_however_they_come_in_pieces() {
        let pins = Pins::in_memory();
        let mut witness = pins.witness(&UpstreamId::from("first"), false);
        for byte in br#"{"id":"batch_12","output_file_id":"file-34x"}"# {
            witness.saw(&[*byte]);
        }
        assert_eq!(creators(&pins, &["batch_12", "file-34x"]), [false, false]);
        drop(witness);
        assert_eq!(creators(&pins, &["batch_12", "file-34x"]), [true, true]);
    }

    #[test]
    fn the_first_and_the_last_events_of_an_answer_are_enough() {
        let pins = Pins::in_memory();
        let mut witness = pins.witness(&UpstreamId::from("first"), true);
        for event in [
            r#"{"type":"response.created","response":{"id":"resp_1234"}}"#,
            r#"{"type":"response.output_text.delta","item_id":"msg_00000"}"#,
            r#"{"type":"response.completed","response":{"id":"resp_1234","output":[{"id":"msg_5678"}]}}"#,
        ] {
            witness.saw_events(format!("data: {event}\n\n").as_bytes());
        }
        drop(witness);
        assert_eq!(
            creators(&pins, &["resp_1234", "msg_5678", "msg_00000"]),
            [true, true, false]
        );
    }
}
