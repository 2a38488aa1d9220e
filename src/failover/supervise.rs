//! Watching a committed stream to its last byte, so that one that breaks never looks whole.
//!
//! Whole events pass as they come, byte for byte. If the upstream goes silent, breaks off or ends without its
//! terminal event, another upstream goes on where the route asks for that and the answer allows it; else the client gets
//! the API's own error event instead of a clean end. After the terminal event nothing can spoil the answer: a missing
//! `[DONE]` is supplied. Bytes of unknown meaning that break off cut the client's connection, the only honest end that
//! they have.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use serde_json::json;
use tokio::time::{Instant, Sleep, sleep_until};

use super::ending::Held;
use super::events::{EventStream, Taken};
use super::leg::Leg;
use super::resume::{NotResumed, Resume, Resumed, Resuming};
use super::running::Running;
use crate::event::AttemptReport;
use crate::outcome::{Defect, Outcome, Stage};
use crate::pins::Witness;
use crate::wire::body::BodyError;

/// A larger event would be held in memory until it is whole.
const LARGEST_EVENT: usize = 16 << 20;

/// A stream on its way to the client.
#[derive(Debug)]
pub struct SupervisedStream {
    /// What is ready to go out.
    ready: VecDeque<Bytes>,
    source: Source,
    /// The stream as the client sees it; `None` for bytes of unknown meaning.
    front: Option<EventStream>,
    resume: Option<Box<Resume>>,
    /// What it comes to when it is whole.
    verdict: Outcome,
    /// The attempts that are over.
    attempts: Vec<AttemptReport>,
    alarm: Pin<Box<Sleep>>,
    /// Why an opaque stream is cut.
    cut: Option<BodyError>,
    is_broken: bool,
}

/// Where the stream comes from.
enum Source {
    /// An upstream.
    Leg(Box<Leg>),
    /// The next upstream is being asked.
    Resuming(Resuming, Outcome),
    /// Nothing more comes.
    Over,
}

impl SupervisedStream {
    /// `witness`: who takes note of what is created. `earlier`: the attempts before this one. `resume`: how it goes on if
    /// it breaks off.
    pub(super) fn new(
        held: Held,
        attempt: Running,
        witness: Option<Witness>,
        earlier: Vec<AttemptReport>,
        resume: Option<Resume>,
    ) -> Self {
        let (mut leg, first, front) = Leg::begin(held, attempt, witness);
        let first = Some(first).filter(|first| !first.is_empty());
        if let (Some(witness), Some(first)) = (&mut leg.witness, &first) {
            witness.saw_events(first);
        }
        let mut stream = Self {
            ready: first.into_iter().collect(),
            alarm: Box::pin(sleep_until(leg.timers.next())),
            source: Source::Leg(Box::new(leg)),
            front,
            resume: resume.map(Box::new),
            verdict: Outcome::Success,
            attempts: earlier,
            cut: None,
            is_broken: false,
        };
        stream.hurry_if_ending();
        stream
    }

    /// Whole, it still tells of a failure, as an error's body does.
    pub(super) fn with_verdict(mut self, verdict: Outcome) -> Self {
        self.verdict = verdict;
        self
    }

    /// Whether it ended before it was whole; known once it is over.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether its events are followed, so that an end may be added to them.
    pub fn has_events(&self) -> bool {
        self.front.is_some()
    }

    /// How many attempts it took; known once it is over.
    pub fn attempts(&self) -> usize {
        self.attempts.len()
    }

    /// Takes what came; queues what may go out.
    fn take(&mut self, data: Bytes) {
        let (Source::Leg(leg), Some(front)) = (&mut self.source, &mut self.front) else {
            self.take_opaque(data);
            return;
        };
        let was_ending = front.is_ending();
        let (taken, held) = leg.take(front, data);
        if held > LARGEST_EVENT {
            let too_large = Outcome::InvalidReply(Defect::TooLarge);
            self.end(too_large, "an event is too large");
            return;
        }
        self.pass(taken);
        if !was_ending {
            self.hurry_if_ending();
        }
    }

    fn take_opaque(&mut self, data: Bytes) {
        if let Source::Leg(leg) = &mut self.source {
            leg.timers.heard(0, Instant::now());
            if let Some(witness) = &mut leg.witness {
                witness.saw(&data);
            }
            let is_all = leg.rest.is_end_stream();
            self.ready.push_back(data);
            if is_all {
                // What it has created is noted before the client can refer to it.
                self.finish();
            }
        }
    }

    /// Queues whole events, and ends the stream where they say that the answer failed.
    fn pass(&mut self, taken: Taken) {
        let (Source::Leg(leg), Some(front)) = (&mut self.source, &mut self.front) else {
            return;
        };
        let (pass, failure) = leg.pass(front, taken);
        if !pass.is_empty() {
            self.ready.push_back(pass);
        }
        if let Some(outcome) = failure {
            let message = format!("the upstream failed within the stream: {}", outcome.label());
            self.end(outcome, &message);
        }
    }

    /// After a complete answer only little can come, and at once.
    fn hurry_if_ending(&mut self) {
        let is_ending = self.front.as_ref().is_some_and(EventStream::is_ending);
        if let Source::Leg(leg) = &mut self.source
            && is_ending
        {
            leg.timers.completed();
            self.alarm.as_mut().reset(leg.timers.next());
        }
    }

    /// The upstream has nothing more.
    fn finish(&mut self) {
        let (Source::Leg(leg), Some(front)) = (&mut self.source, &mut self.front) else {
            self.end(Outcome::Success, "");
            return;
        };
        let taken = leg.take_rest(front);
        self.pass(taken);
        self.end(
            Outcome::StreamBroken,
            "the upstream ended the stream before the answer was complete",
        );
    }

    /// Says what a translation has kept back.
    fn flush(&mut self) {
        let (Source::Leg(leg), Some(front)) = (&mut self.source, &mut self.front) else {
            return;
        };
        let rest = leg.flush(front);
        if !rest.is_empty() {
            self.ready.push_back(rest);
        }
    }

    /// Ends what the upstream sends: well if the answer is complete. Else another one goes on, or the client gets an
    /// error that it cannot overlook.
    fn end(&mut self, outcome: Outcome, message: &str) {
        self.flush();
        let leg = match std::mem::replace(&mut self.source, Source::Over) {
            Source::Leg(leg) => leg,
            other => {
                self.source = other;
                return;
            }
        };
        let is_whole = match &self.front {
            Some(front) => front.is_complete(),
            None => outcome == Outcome::Success,
        };
        let outcome = if is_whole {
            self.verdict.clone()
        } else {
            outcome
        };
        let detail = (!is_whole).then(|| message.to_owned());
        let broken = leg.attempt.upstream().clone();
        self.attempts.push(leg.attempt.end(outcome.clone(), detail));
        match &self.front {
            Some(front) if is_whole => {
                let end = front.missing_end();
                if !end.is_empty() {
                    self.ready.push_back(end);
                }
            }
            Some(front) => {
                let resuming = self
                    .resume
                    .as_mut()
                    .map(|resume| resume.begin(front.transcript(), broken, self.attempts.len()));
                match resuming {
                    None => self.interrupt(message),
                    Some(Err(obstacle)) => {
                        self.interrupt(&format!("{message}; not continued: {obstacle}"));
                    }
                    Some(Ok(resuming)) => self.source = Source::Resuming(resuming, outcome),
                }
            }
            None if is_whole => {}
            None => {
                self.is_broken = true;
                self.cut = Some(BodyError(message.to_owned()));
            }
        }
    }

    /// The honest end of a stream that cannot go on.
    fn interrupt(&mut self, message: &str) {
        self.is_broken = true;
        let error = json!({
            "message": message,
            "type": "upstream_error",
            "param": null,
            "code": "stream_interrupted",
            "attempts": self.attempts,
        });
        if let Some(front) = &self.front {
            self.ready.push_back(front.interruption(&error));
        }
    }

    /// Another upstream goes on, or nobody does.
    fn resumed(&mut self, resumed: Result<Resumed, NotResumed>, reason: &Outcome) {
        let resumed = match resumed {
            Ok(resumed) => resumed,
            Err(failed) => {
                self.source = Source::Over;
                self.attempts.extend(failed.attempts);
                let why = format!(
                    "the stream broke off ({reason}) and could not be continued: {}",
                    failed.reason
                );
                self.interrupt(&why);
                return;
            }
        };
        let Resumed {
            held,
            attempt,
            splicer,
            attempts,
        } = resumed;
        self.attempts.extend(attempts);
        let note = format!(": continued by {} after {reason}\n\n", attempt.upstream());
        self.ready.push_back(note.into());
        let (leg, first) = Leg::go_on(held, attempt, splicer);
        self.alarm.as_mut().reset(leg.timers.next());
        self.source = Source::Leg(Box::new(leg));
        self.pass(Taken::bytes(first));
        self.hurry_if_ending();
    }

    /// Waits for more, for as long as patience lasts.
    fn poll_source(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let leg = match &mut self.source {
            Source::Over => return Poll::Ready(()),
            Source::Resuming(resuming, reason) => {
                let resumed = ready!(resuming.as_mut().poll(context));
                let reason = reason.clone();
                self.resumed(resumed, &reason);
                return Poll::Ready(());
            }
            Source::Leg(leg) => leg,
        };
        match Pin::new(&mut leg.rest).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    self.take(data);
                }
            }
            Poll::Ready(None) => self.finish(),
            Poll::Ready(Some(Err(_))) => {
                self.end(
                    Outcome::StreamBroken,
                    "the connection to the upstream broke",
                );
            }
            Poll::Pending => {
                ready!(self.alarm.as_mut().poll(context));
                match leg.timers.expired(Instant::now()) {
                    // Something came since the alarm was set.
                    None => self.alarm.as_mut().reset(leg.timers.next()),
                    Some(stage) => self.end(Outcome::TimedOut(stage), patience_with(stage)),
                }
            }
        }
        Poll::Ready(())
    }
}

/// What is said of a stream on which a timer has run out.
fn patience_with(stage: Stage) -> &'static str {
    match stage {
        Stage::Content => "the upstream stopped sending content",
        Stage::Rate => "the upstream sends too slowly",
        Stage::Total => "the time for the request is over",
        _ => "the upstream stopped sending",
    }
}

impl Body for SupervisedStream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if matches!(self.source, Source::Over) {
                return Poll::Ready(self.cut.take().map(Err));
            }
            ready!(self.poll_source(context));
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Leg(leg) => leg.fmt(f),
            Self::Resuming(_, reason) => write!(f, "Resuming({reason})"),
            Self::Over => f.write_str("Over"),
        }
    }
}
