//! One stream of events on its way: cut into whole events, read, and rid of what clients trip over.

use bytes::Bytes;

use crate::dialect::openai::{Signal, StreamReader, Transcript};
use crate::outcome::Outcome;
use crate::request::Endpoint;
use crate::wire::sse::{self, Event, Framer};

/// What it takes to follow a stream of events.
#[derive(Debug)]
pub(super) struct EventStream {
    framer: Framer,
    reader: StreamReader,
    /// What the client has been told, where the answer may be continued elsewhere.
    transcript: Option<Box<Transcript>>,
}

/// What came of some bytes.
#[derive(Debug)]
pub(super) struct Taken {
    /// What may go out: whole events, up to the first one that says the answer failed.
    pub(super) pass: Bytes,
    /// How many of them have content.
    pub(super) content: usize,
    /// How the answer failed.
    pub(super) failure: Option<Outcome>,
}

impl EventStream {
    pub(super) fn new(endpoint: Endpoint, transcript: Option<Transcript>) -> Self {
        Self {
            framer: Framer::new(),
            reader: StreamReader::new(endpoint),
            transcript: transcript.map(Box::new),
        }
    }

    /// Takes what came from the upstream.
    pub(super) fn take(&mut self, data: Bytes) -> Taken {
        let whole = self.framer.push(data);
        self.read(whole)
    }

    /// The upstream has nothing more. Its last event may lack the blank line; cut short, it is no JSON and taken for
    /// what it is.
    pub(super) fn take_rest(&mut self) -> Taken {
        let rest = self.framer.take_rest();
        if rest.is_empty() {
            return self.read(rest);
        }
        let mut closed = rest.to_vec();
        closed.extend_from_slice(b"\n\n");
        self.read(closed.into())
    }

    /// Reads whole events.
    pub(super) fn read(&mut self, whole: Bytes) -> Taken {
        let mut taken = Taken {
            pass: Bytes::new(),
            content: 0,
            failure: None,
        };
        let mut end = whole.len();
        let mut is_odd = false;
        for event in sse::events(&whole) {
            is_odd |= self.is_odd(&event);
            match self.reader.read(&event) {
                Signal::Preamble => {}
                Signal::Content => taken.content += 1,
                Signal::Failed(outcome) => {
                    taken.failure = Some(outcome);
                    end = event.start;
                    break;
                }
            }
            if let (Some(transcript), Some(data)) = (&mut self.transcript, &event.data) {
                transcript.note(data);
            }
        }
        taken.pass = whole.slice(..end);
        if is_odd {
            taken.pass = self.plain(&taken.pass);
        }
        taken
    }

    /// How many bytes wait for the rest of their event.
    pub(super) fn held(&self) -> usize {
        self.framer.held()
    }

    /// Whether the answer is whole: nothing that comes after can spoil it.
    pub(super) fn is_complete(&self) -> bool {
        self.reader.is_complete()
    }

    /// What the upstream left out at the end of a complete stream.
    pub(super) fn missing_end(&self) -> Bytes {
        Bytes::from_static(self.reader.missing_end())
    }

    /// The end of a stream that broke.
    pub(super) fn interruption(&self, error: &serde_json::Value) -> Bytes {
        self.reader.interruption(error).into()
    }

    /// What the client has been told.
    pub(super) fn transcript(&self) -> Option<&Transcript> {
        self.transcript.as_deref()
    }

    fn is_odd(&self, event: &Event<'_>) -> bool {
        let is_ragged_end = || {
            let data = event.data.as_deref().unwrap_or_default();
            data.len() != DONE.len() && data.trim_ascii() == DONE
        };
        event.is_odd || self.reader.is_noise(event) || is_ragged_end()
    }

    /// The same events in the form that every client understands; those that say nothing are left out.
    fn plain(&self, events: &[u8]) -> Bytes {
        let mut plain = Vec::with_capacity(events.len());
        for event in sse::events(events) {
            if !self.is_odd(&event) {
                plain.extend_from_slice(&events[event.start..event.end]);
            } else if event.data.as_deref().map(<[u8]>::trim_ascii) == Some(DONE) {
                plain.extend_from_slice(b"data: [DONE]\n\n");
            } else if !self.reader.is_noise(&event) {
                event.write_plain(&mut plain);
            }
        }
        plain.into()
    }
}

const DONE: &[u8] = b"[DONE]";
