//! One stream of events: cut into whole events, read, and cleaned of what clients trip over.

use bytes::Bytes;

use crate::dialect::continuation::{Scribe, Transcript};
use crate::dialect::stream::{Signal, StreamReader};
use crate::dialect::{StreamTranslator, Translated, Way, begins_with_refusal};
use crate::event::Tokens;
use crate::outcome::Outcome;
use crate::request::Endpoint;
use crate::wire::sse::{self, Event, Framer};

/// What is needed to follow a stream of events.
#[derive(Debug)]
pub(in crate::failover) struct EventStream {
    framer: Framer,
    /// Translates the upstream's events into the client's API.
    translator: Option<StreamTranslator>,
    reader: StreamReader,
    /// Notes what the client receives, if the answer may continue elsewhere.
    scribe: Option<Box<Scribe>>,
    /// How many events with content there were.
    content: usize,
}

/// Events with content, one behind the other, at the beginning of some bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    length: usize,
    events: usize,
}

/// What has become of some bytes.
#[derive(Debug)]
pub(in crate::failover) struct Taken {
    /// What may go to the client: whole events, up to the first one that reports a failure.
    pub(in crate::failover) pass: Bytes,
    /// How many of them have content.
    pub(in crate::failover) content: usize,
    /// How many steps the answer has made that the client does not see.
    pub(in crate::failover) hidden_progress: usize,
    /// Whether the model has shown that it thinks.
    pub(in crate::failover) thinks: bool,
    /// How the answer failed.
    pub(in crate::failover) failure: Option<Outcome>,
    /// The data of the event that reported the failure.
    pub(in crate::failover) error_event: Bytes,
}

impl Taken {
    /// Bytes that may go to the client, and nothing else.
    pub(in crate::failover) fn bytes(pass: Bytes) -> Self {
        Self {
            pass,
            content: 0,
            hidden_progress: 0,
            thinks: false,
            failure: None,
            error_event: Bytes::new(),
        }
    }

    /// What came behind it.
    fn join(&mut self, next: Self) {
        self.pass = [&self.pass[..], &next.pass].concat().into();
        self.content += next.content;
        self.hidden_progress += next.hidden_progress;
        self.thinks |= next.thinks;
        self.failure = next.failure;
        self.error_event = next.error_event;
    }
}

impl EventStream {
    pub(super) fn new(
        endpoint: Endpoint,
        translator: Option<StreamTranslator>,
        scribe: Option<Scribe>,
    ) -> Self {
        Self {
            framer: Framer::new(),
            translator,
            reader: StreamReader::new(endpoint),
            scribe: scribe.map(Box::new),
            content: 0,
        }
    }

    /// So many answers are asked for.
    pub(super) fn expect_answers(&mut self, count: usize) {
        self.reader.expect_answers(count);
    }

    /// The client has a part of the answer already, so nothing need follow it.
    pub(super) fn expect_rest(&mut self) {
        self.reader.expect_rest();
        if let Some(StreamTranslator::Between(way)) = &mut self.translator {
            way.expect_rest();
        }
    }

    /// Takes bytes from the upstream.
    pub(in crate::failover) fn take(&mut self, data: Bytes) -> Taken {
        let run = self.usual_run(&data);
        let whole = self.framer.push_behind(run.length, data);
        self.interpret(whole, run)
    }

    /// The events at the beginning of some bytes that need not be looked at further, if they pass as they are.
    fn usual_run(&mut self, data: &[u8]) -> Run {
        let mut run = Run::default();
        let passes = self.translator.is_none() && self.scribe.is_none();
        if passes && self.framer.is_between_events() {
            while let Some(length) = self.reader.read_usual(&data[run.length..]) {
                run.length += length;
                run.events += 1;
            }
        }
        run
    }

    /// The upstream has ended. Its last event may lack the blank line; an event that was cut short is not JSON, and
    /// is treated as such.
    pub(in crate::failover) fn take_rest(&mut self) -> Taken {
        let rest = self.framer.take_rest();
        let mut closed = rest.to_vec();
        if !rest.is_empty() {
            closed.extend_from_slice(b"\n\n");
        }
        let mut taken = self.interpret(closed.into(), Run::default());
        if taken.failure.is_none() {
            taken.join(self.flush());
        }
        taken
    }

    /// What a translation has held back.
    pub(in crate::failover) fn flush(&mut self) -> Taken {
        match &mut self.translator {
            Some(StreamTranslator::Between(way)) => {
                let translated = way.finish();
                self.translated(translated)
            }
            Some(StreamTranslator::Numbering(_)) | None => Taken::bytes(Bytes::new()),
        }
    }

    /// `run`: what is known of it already.
    fn interpret(&mut self, whole: Bytes, run: Run) -> Taken {
        match &mut self.translator {
            None => self.read_behind(run, whole),
            Some(StreamTranslator::Numbering(numbers)) => {
                let numbered = numbers.translate(whole);
                self.read(numbered)
            }
            Some(StreamTranslator::Between(way)) => {
                let translated = way.translate(&whole);
                self.translated(translated)
            }
        }
    }

    /// Translated events. What they mean is known from their translation; only where the answer may continue elsewhere they are
    /// read again, as the client reads them.
    fn translated(&mut self, translated: Translated) -> Taken {
        let events = Bytes::from(translated.events);
        let mut taken = match self.scribe {
            Some(_) => self.read(events),
            None => {
                self.content += translated.content;
                Taken {
                    content: translated.content,
                    ..Taken::bytes(events)
                }
            }
        };
        taken.hidden_progress += translated.hidden_progress;
        taken.thinks |= translated.thinks;
        if let Some((outcome, error_event)) = translated.failure
            && taken.failure.is_none()
        {
            taken.failure = Some(outcome);
            taken.error_event = error_event;
        }
        taken
    }

    /// Reads whole events of the client's API.
    pub(in crate::failover) fn read(&mut self, whole: Bytes) -> Taken {
        self.read_behind(Run::default(), whole)
    }

    fn read_behind(&mut self, run: Run, whole: Bytes) -> Taken {
        let mut taken = Taken::bytes(Bytes::new());
        taken.content = run.events;
        let mut end = whole.len();
        let mut is_nonstandard = false;
        let mut last = Vec::new();
        let mut at = run.length;
        while at < whole.len() {
            if self.scribe.is_none()
                && let Some(length) = self.reader.read_usual(&whole[at..])
            {
                taken.content += 1;
                at += length;
                continue;
            }
            let event = sse::event_at(&whole, at);
            at = event.end;
            is_nonstandard |= self.is_nonstandard(&event);
            match self.reader.read(&event) {
                Signal::Preamble => {}
                Signal::Progress => taken.hidden_progress += 1,
                Signal::Content => taken.content += 1,
                Signal::Failed(outcome) => {
                    taken.failure = Some(outcome);
                    last = self.reader.without_error(&event);
                    end = event.start;
                    taken.error_event = event.data.unwrap_or_default().into_owned().into();
                    break;
                }
            }
            if let (Some(scribe), Some(data)) = (&mut self.scribe, &event.data) {
                scribe.note(event.name, data);
            }
        }
        self.content += taken.content;
        taken.thinks = self.reader.thinks();
        taken.pass = whole;
        taken.pass.truncate(end);
        if is_nonstandard {
            taken.pass = self.normalised(&taken.pass);
        }
        if !last.is_empty() {
            taken.pass = [&taken.pass, last.as_slice()].concat().into();
        }
        taken
    }

    /// How many bytes wait for the rest of their event.
    pub(in crate::failover) fn held(&self) -> usize {
        self.framer.held()
    }

    /// How many events with content there were until now.
    pub(in crate::failover) fn content(&self) -> usize {
        self.content
    }

    /// Whether the answer is complete: nothing that follows can spoil it.
    pub(in crate::failover) fn is_complete(&self) -> bool {
        self.reader.is_complete() || self.way().is_some_and(Way::is_complete)
    }

    /// Whether its last event has come.
    pub(in crate::failover) fn is_over(&self) -> bool {
        self.reader.is_over() || self.way().is_some_and(Way::is_complete)
    }

    /// Whether only the end is missing, which comes at once.
    pub(in crate::failover) fn is_ending(&self) -> bool {
        self.is_complete() || self.way().is_some_and(Way::is_ending)
    }

    /// The end that the upstream left out of a complete stream.
    pub(in crate::failover) fn missing_end(&self) -> Bytes {
        // A translation has written it.
        let is_there = self.way().is_some_and(Way::is_complete);
        Bytes::from_static(if is_there {
            b""
        } else {
            self.reader.missing_end()
        })
    }

    /// Whether the stream begins with a refusal. `first`: what has come of it so far, as the client reads it.
    pub(super) fn begins_with_refusal(&self, endpoint: Endpoint, first: &[u8]) -> bool {
        match self.way() {
            Some(way) => way.has_refused(),
            None => begins_with_refusal(endpoint, first),
        }
    }

    /// What the answer costs, if the upstream has said so.
    pub(in crate::failover) fn tokens(&self) -> Option<Tokens> {
        match self.way() {
            Some(way) => way.tokens(),
            None => self.reader.tokens(),
        }
    }

    /// A sign of life behind the last event.
    pub(in crate::failover) fn heartbeat(&mut self) -> Bytes {
        match &mut self.translator {
            Some(StreamTranslator::Between(way)) if self.scribe.is_none() => way.heartbeat().into(),
            _ => self.reader.heartbeat(),
        }
    }

    /// The end of a stream that broke.
    pub(in crate::failover) fn interruption(&mut self, error: &serde_json::Value) -> Bytes {
        match &mut self.translator {
            Some(StreamTranslator::Between(way)) if self.scribe.is_none() => {
                way.interruption(error).into()
            }
            _ => self.reader.interruption(error).into(),
        }
    }

    fn way(&self) -> Option<&Way> {
        match &self.translator {
            Some(StreamTranslator::Between(way)) => Some(way),
            Some(StreamTranslator::Numbering(_)) | None => None,
        }
    }

    /// What the client has received.
    pub(in crate::failover) fn transcript(&self) -> Option<&Transcript> {
        self.scribe.as_deref().map(Scribe::transcript)
    }

    fn is_nonstandard(&self, event: &Event<'_>) -> bool {
        let is_ragged_end = || {
            let data = event.data.as_deref().unwrap_or_default();
            data.len() != DONE.len() && data.trim_ascii() == DONE
        };
        event.is_nonstandard || self.reader.is_ignorable(event) || is_ragged_end()
    }

    /// The same events in a form that every client understands; events that carry nothing are left out.
    fn normalised(&self, events: &[u8]) -> Bytes {
        let mut normalised = Vec::with_capacity(events.len());
        for event in sse::events(events) {
            if !self.is_nonstandard(&event) {
                normalised.extend_from_slice(&events[event.start..event.end]);
            } else if event.data.as_deref().map(<[u8]>::trim_ascii) == Some(DONE) {
                normalised.extend_from_slice(b"data: [DONE]\n\n");
            } else if !self.reader.is_ignorable(&event) {
                event.write_normalised(&mut normalised);
            }
        }
        normalised.into()
    }
}

const DONE: &[u8] = b"[DONE]";

#[cfg(test)]
mod tests;
