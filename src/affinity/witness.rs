//! Reads an upstream's answer as it passes, and notes the ids of the objects that the upstream created.

use memchr::memmem::find;

use super::ids::{given_out, given_out_by_events};
use super::owners::Affinity;
use crate::config::UpstreamId;

/// The most bytes that are kept of an answer that arrives in pieces.
const LONGEST: usize = 1 << 20;
/// The first id in an event stream occurs within this many bytes, if the stream has one.
const LONGEST_START: usize = 64 << 10;
/// Markers of later events that contain new ids: events that repeat the whole answer, the first event with audio, and
/// the files and containers of Anthropic's code execution.
const TELLING: [&[u8]; 5] = [
    b"response.completed",
    b"response.incomplete",
    b"\"audio\":{\"id\"",
    b"\"container\":{",
    b"\"file_id\"",
];

/// Observes an answer as it passes. A new id is noted as soon as it is found: a streamed answer may be cancelled or
/// resumed by its id while it runs. The rest is noted when this is dropped, however the answer ended.
#[derive(Debug)]
pub struct Witness {
    affinity: Affinity,
    owner: UpstreamId,
    is_stream: bool,
    /// The received pieces, if they are not whole events.
    seen: Vec<u8>,
    /// How many bytes of whole events passed before the first id.
    passed: usize,
    has_noted: bool,
}

impl Witness {
    /// For an answer of this upstream.
    pub fn new(affinity: Affinity, owner: UpstreamId, is_stream: bool) -> Self {
        Self {
            affinity,
            owner,
            is_stream,
            seen: Vec::new(),
            passed: 0,
            has_noted: false,
        }
    }

    /// Reads a whole answer of any length: it is in memory anyway.
    pub fn saw_whole(&self, answer: &[u8]) {
        self.note(&self.ids_in(answer));
    }

    /// Reads a piece of an answer. Of a long answer only the start is kept.
    pub fn saw(&mut self, data: &[u8]) {
        let room = LONGEST.saturating_sub(self.seen.len());
        self.seen.extend_from_slice(&data[..data.len().min(room)]);
        let is_start = !self.has_noted && self.seen.len() <= LONGEST_START;
        if self.is_stream && is_start && data.contains(&b'\n') {
            let ids = given_out_by_events(&self.seen);
            self.has_noted = !ids.is_empty();
            self.note(&ids);
        }
    }

    /// Reads whole events of a model's answer. Only the first events and those with a marker contain new ids.
    pub fn saw_events(&mut self, events: &[u8]) {
        let is_telling = |mark: &&[u8]| find(events, mark).is_some();
        let is_start = !self.has_noted && self.passed <= LONGEST_START;
        if is_start || TELLING.iter().any(is_telling) {
            let ids = given_out_by_events(events);
            self.passed += events.len();
            self.has_noted |= !ids.is_empty();
            self.note(&ids);
        }
    }

    fn ids_in(&self, answer: &[u8]) -> Vec<String> {
        if self.is_stream {
            given_out_by_events(answer)
        } else {
            given_out(answer)
        }
    }

    fn note(&self, ids: &[String]) {
        for id in ids {
            self.affinity.note(id, &self.owner);
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.note(&self.ids_in(&self.seen));
    }
}

#[cfg(test)]
mod tests {
    use crate::affinity::{Affinity, Witness};
    use crate::config::UpstreamId;

    fn owners(affinity: &Affinity, ids: &[&str]) -> Vec<bool> {
        ids.iter()
            .map(|id| affinity.owner_of(id).is_some())
            .collect()
    }

    #[test]
    fn answers_are_understood_however_they_come_in_pieces() {
        let affinity = Affinity::in_memory();
        let mut witness = Witness::new(affinity.clone(), UpstreamId::from("first"), false);
        for byte in br#"{"id":"batch_12","output_file_id":"file-34x"}"# {
            witness.saw(&[*byte]);
        }
        assert_eq!(owners(&affinity, &["batch_12", "file-34x"]), [false, false]);
        drop(witness);
        assert_eq!(owners(&affinity, &["batch_12", "file-34x"]), [true, true]);
    }

    #[test]
    fn the_first_and_the_last_events_of_an_answer_are_enough() {
        let affinity = Affinity::in_memory();
        let mut witness = Witness::new(affinity.clone(), UpstreamId::from("first"), true);
        for event in [
            r#"{"type":"response.created","response":{"id":"resp_1234"}}"#,
            r#"{"type":"response.output_text.delta","item_id":"msg_00000"}"#,
            r#"{"type":"response.completed","response":{"id":"resp_1234","output":[{"id":"msg_5678"}]}}"#,
        ] {
            witness.saw_events(format!("data: {event}\n\n").as_bytes());
            assert_eq!(owners(&affinity, &["resp_1234"]), [true]);
        }
        assert_eq!(
            owners(&affinity, &["resp_1234", "msg_5678", "msg_00000"]),
            [true, true, false]
        );
    }

    #[test]
    fn a_whole_answer_is_read_to_its_end() {
        let affinity = Affinity::in_memory();
        let image = "x".repeat(super::LONGEST);
        let answer = format!(r#"{{"output":[{{"result":"{image}"}}],"id":"resp_1234"}}"#);
        let witness = Witness::new(affinity.clone(), UpstreamId::from("first"), false);
        witness.saw_whole(answer.as_bytes());
        assert_eq!(owners(&affinity, &["resp_1234"]), [true]);
    }

    #[test]
    fn the_first_id_in_events_is_noted_while_they_come() {
        let affinity = Affinity::in_memory();
        let mut opaque = Witness::new(affinity.clone(), UpstreamId::from("first"), true);
        for piece in ["data: {\"id\":\"thread", "_1234\"}\n", "\ndata: {"] {
            opaque.saw(piece.as_bytes());
        }
        assert_eq!(owners(&affinity, &["thread_1234"]), [true]);
        let mut events = Witness::new(affinity.clone(), UpstreamId::from("first"), true);
        for event in [
            ": not yet\n\n",
            "data: {\"id\":\"chatcmpl-1\"}\n\n",
            "data: {\"id\":\"chatcmpl-2\"}\n\n",
            "data: {\"delta\":{\"audio\":{\"id\":\"audio_1\"}}}\n\n",
        ] {
            events.saw_events(event.as_bytes());
        }
        assert_eq!(
            owners(&affinity, &["chatcmpl-1", "chatcmpl-2", "audio_1"]),
            [true, false, true]
        );
    }
}
