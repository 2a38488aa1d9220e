//! The events of a reply that continues a broken stream, written as the rest of that stream.

use serde_json::Value;

use super::limits::Stop;
use super::rest::Rest;
use super::speech;
use super::transcript::Transcript;
use crate::catalogue::Prefill;
use crate::dialect::conversation::{Assembly, End, Event, ReadEvents, WriteEvents};
use crate::dialect::form::readable;
use crate::outcome::Defect;
use crate::wire::{json, sse};

/// Writes the rest of one stream. The reply is read as the client would read it, whichever API its upstream speaks.
#[derive(Debug)]
pub struct Splicer {
    rest: Rest,
    reader: Box<dyn ReadEvents>,
    assembly: Assembly,
    writer: Box<dyn WriteEvents>,
    /// Whether the first part of the answer calls tools.
    has_calls: bool,
}

impl Splicer {
    /// For the reply to a request that [`super::body`] made of the client's. `request`: the body of that.
    pub fn new(request: &[u8], transcript: &Transcript, prefill: Prefill) -> Self {
        let mended = json::mended(request);
        let body = mended.as_deref().unwrap_or(request);
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let endpoint = transcript.endpoint;
        Self {
            rest: Rest::new(&body, transcript, prefill),
            reader: speech::reader(endpoint),
            writer: speech::writer(endpoint, &body, &transcript.place),
            has_calls: transcript.has_calls(),
            assembly: Assembly::new(speech::names(endpoint, body)),
        }
    }

    /// Whether the answer is over, though the upstream may have more.
    pub fn has_stopped(&self) -> bool {
        self.rest.stopped().is_some()
    }

    /// What the client gets for some whole events of the reply.
    pub fn rewrite(&mut self, events: &[u8]) -> Result<Vec<u8>, Defect> {
        let mut out = Vec::with_capacity(events.len());
        for event in sse::events(events) {
            let data = readable(event.data.as_deref().unwrap_or_default());
            // The client has its own signs of life.
            if data.is_empty() {
                continue;
            }
            let (mut pieces, mut assembled) = (Vec::new(), Vec::new());
            self.reader.read(event.name, &data, &mut pieces);
            for piece in pieces {
                self.assembly.take(piece, &mut assembled);
            }
            for event in assembled {
                self.tell(event, &mut out)?;
            }
        }
        Ok(out)
    }

    /// What is still to be told when no more events come.
    pub fn finish(&mut self) -> Result<Vec<u8>, Defect> {
        let (mut assembled, mut out) = (Vec::new(), Vec::new());
        self.assembly.finish(&mut assembled);
        for event in assembled {
            self.tell(event, &mut out)?;
        }
        Ok(out)
    }

    fn tell(&mut self, event: Event<'_>, out: &mut Vec<u8>) -> Result<(), Defect> {
        if self.has_stopped() {
            return Ok(());
        }
        match event {
            // The client has heard the beginning; its thoughts are the first upstream's. Sources would be counted from the seam.
            Event::Begin(_)
            | Event::Thought(_)
            | Event::Signature(_)
            | Event::Cited(_)
            | Event::Alive => {}
            Event::Text(piece) => self.say(&piece, false, out)?,
            Event::Failed(_) => return Err(Defect::BadCall),
            Event::End { end, usage } => {
                self.say("", true, out)?;
                let usage = usage.map(|usage| self.rest.sum(usage));
                let end = self.end(end);
                self.write(Event::End { end, usage }, out);
            }
            event @ (Event::Refusal(_) | Event::Call(_) | Event::Arguments(_) | Event::Called) => {
                self.say("", true, out)?;
                self.write(event, out);
            }
        }
        Ok(())
    }

    /// Tells what is new of a piece of text, and the end if a limit is reached by it.
    fn say(&mut self, piece: &str, is_over: bool, out: &mut Vec<u8>) -> Result<(), Defect> {
        let text = self.rest.new_text(piece, is_over)?;
        if !text.is_empty() {
            self.writer.write(Event::Text(text.into()), out);
        }
        let end = match self.rest.stopped() {
            None => return Ok(()),
            Some(Stop::Sequence) => End::Stop(String::new()),
            Some(Stop::Length) => End::Limit,
        };
        let usage = Some(self.rest.used_so_far());
        let end = self.end(end);
        self.writer.write(Event::End { end, usage }, out);
        Ok(())
    }

    /// Why the whole answer ends: agents rely on the reason alone.
    fn end(&self, end: End) -> End {
        match end {
            End::Whole | End::Stop(_) if self.has_calls => End::Calls,
            end => end,
        }
    }

    /// Tells something else than text, unless the answer is over before it.
    fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if !self.has_stopped() {
            self.writer.write(event, out);
        }
    }
}
