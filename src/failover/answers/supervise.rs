//! Supervising a committed stream to its last byte, so that a broken stream never looks complete.
//!
//! Whole events pass unchanged. If the upstream goes silent, breaks off or ends without its terminal event, another
//! upstream continues, if the route asks for that and the answer allows it. Otherwise the client gets the API's own
//! error event instead of a clean end. After the terminal event nothing can spoil the answer: a last one that is missing is
//! supplied.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::interruption::{CONNECTION_LOST, interruption};
use super::outgoing::Outgoing;
use super::resume::{NotResumed, Resume, Resumed, Resuming};
use super::segment::{Segment, Splice, Then};
use super::watched::{StreamEnd, Watched, sum, tokens};
use crate::affinity::Witness;
use crate::event::{AttemptReport, Tokens};
use crate::failover::asked_again::Asked;
use crate::failover::attempts::ending::Held;
use crate::failover::attempts::events::{EventStream, Taken};
use crate::failover::attempts::in_flight::InFlightAttempt;
use crate::failover::attempts::timers::patience_with;
use crate::outcome::{Defect, Outcome};
use crate::wire::alarm::Alarm;
use crate::wire::body::BodyError;

/// How many steps that bring nothing for the client are made at once. Then others have their turn, so that whatever goes on in one
/// stream takes no thread from all.
const MOST_STEPS: usize = 256;
/// The largest event that is accepted: it is held in memory until it is whole.
const LARGEST_EVENT: usize = 16 << 20;
/// What is said of one that we end.
const STOPPED: &str = "the proxy is being stopped; send the request again";
/// What is said of a stream that ended without its terminal event.
const INCOMPLETE: &str = "the upstream ended the stream before the answer was complete";

/// Events on their way to the client.
#[derive(Debug)]
pub struct SupervisedStream {
    /// What is ready to go out.
    ready: Outgoing,
    source: Source,
    /// The stream as the client sees it.
    front: EventStream,
    resume: Option<Box<Resume>>,
    asked: Option<Asked>,
    /// The attempts that are over.
    attempts: Vec<AttemptReport>,
    alarm: Alarm,
    /// How long the client may get nothing.
    keepalive: Duration,
    /// When it got something, as far as that is noted.
    sent: Instant,
    /// Whether it has got something since.
    has_sent: bool,
    is_broken: bool,
    /// The upstream's own error, if it has ended the stream with one.
    error: Option<Box<Value>>,
}

/// Where the stream comes from.
#[derive(Debug)]
enum Source {
    /// An upstream.
    Segment(Box<Segment>),
    /// The search for an upstream that continues.
    Resuming(Resuming, Outcome),
    /// Nothing more comes.
    Over,
}

impl SupervisedStream {
    /// `witness`: records what is created. `earlier`: the attempts before this one. `resume`: how the stream
    /// continues if it breaks off. `asked`: what to know the request by if its client asks again then.
    pub(super) fn new(
        held: Held,
        attempt: Box<InFlightAttempt>,
        witness: Option<Witness>,
        earlier: Vec<AttemptReport>,
        (resume, asked): (Option<Resume>, Option<Asked>),
    ) -> Self {
        let Held {
            first,
            rest,
            events,
            limits,
            since,
            keepalive,
            secrets,
            ..
        } = held;
        let mut segment = Segment::new(rest, limits, attempt, since, secrets);
        segment.witness = witness;
        if let Some(witness) = &mut segment.witness {
            witness.saw_events(&first);
        }
        let now = Instant::now();
        let mut ready = Outgoing::default();
        ready.put(first);
        let mut stream = Self {
            ready,
            alarm: Alarm::at(segment.timers.next().min(now + keepalive)),
            keepalive,
            sent: now,
            has_sent: false,
            source: Source::Segment(Box::new(segment)),
            front: events,
            resume: resume.map(Box::new),
            asked,
            attempts: earlier,
            is_broken: false,
            error: None,
        };
        stream.hurry_if_ending();
        stream
    }

    /// Takes bytes; queues what may go out.
    fn take(&mut self, data: Bytes) {
        let Source::Segment(segment) = &mut self.source else {
            return;
        };
        let was_ending = self.front.is_ending();
        let (taken, held) = segment.take(&mut self.front, data);
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

    /// Queues events, and ends the stream if nothing follows them.
    fn pass(&mut self, taken: Taken) {
        let Source::Segment(segment) = &mut self.source else {
            return;
        };
        let (pass, then) = segment.pass(&mut self.front, taken);
        if !pass.is_empty() {
            self.has_sent = true;
            self.ready.put(pass);
        }
        match then {
            Then::More => {}
            Then::Nothing => self.end(Outcome::StreamBroken, INCOMPLETE),
            Then::Failure(outcome, event) => {
                self.error = segment.error_in(event).map(Box::new);
                let message = format!("the upstream failed within the stream: {}", outcome.label());
                self.end(outcome, &message);
            }
        }
    }

    /// After a complete answer only the end can come, and it comes at once.
    fn hurry_if_ending(&mut self) {
        if let Source::Segment(segment) = &mut self.source
            && self.front.is_ending()
        {
            segment.timers.completed();
            self.set_alarm();
        }
    }

    /// The upstream has ended.
    fn finish(&mut self) {
        if let Source::Segment(segment) = &mut self.source {
            let taken = segment.take_rest(&mut self.front);
            self.pass(taken);
        }
        self.end(Outcome::StreamBroken, INCOMPLETE);
    }

    /// Ends the segment, if it has not ended yet: with success if the answer is complete. Otherwise another upstream
    /// continues, or the client gets an error event.
    fn end(&mut self, outcome: Outcome, message: &str) {
        let mut segment = match std::mem::replace(&mut self.source, Source::Over) {
            Source::Segment(segment) => segment,
            other => {
                self.source = other;
                return;
            }
        };
        segment.count(&mut self.front);
        let rest = segment.flush(&mut self.front);
        if !rest.is_empty() {
            self.ready.put(rest);
        }
        if self.front.is_complete() {
            self.attempts
                .push(segment.attempt.end(Outcome::Success, None));
            let end = self.front.missing_end();
            if !end.is_empty() {
                self.ready.put(end);
            }
            return;
        }
        let broken = segment.attempt.upstream().clone();
        let detail = Some(message.to_owned());
        self.attempts
            .push(segment.attempt.end(outcome.clone(), detail));
        let transcript = self.front.transcript();
        let already = self.attempts.len();
        let resume = self.resume.as_mut();
        match resume.map(|resume| resume.begin(transcript, broken, already)) {
            None => self.interrupt(&outcome, message),
            Some(Err(obstacle)) => {
                self.interrupt(&outcome, &format!("{message}; not continued: {obstacle}"));
            }
            Some(Ok(resuming)) => {
                self.source = Source::Resuming(resuming, outcome);
                self.set_alarm();
            }
        }
    }

    /// Tells the client that its answer is still worked on, if it has had nothing for long enough.
    fn keep_alive(&mut self) {
        let now = Instant::now();
        if now >= self.sent + self.keepalive && !self.front.is_ending() {
            self.sent = now;
            self.ready.put(self.front.heartbeat());
        }
        self.set_alarm();
    }

    /// Sets the alarm to when something has to be done, if nothing comes before.
    fn set_alarm(&mut self) {
        // An end comes at once or not at all.
        let may_be_quiet = !self.front.is_ending();
        let quiet = may_be_quiet.then(|| self.sent + self.keepalive);
        let timer = match &self.source {
            Source::Segment(segment) => Some(segment.timers.next()),
            Source::Resuming(..) | Source::Over => None,
        };
        if let Some(next) = timer.into_iter().chain(quiet).min() {
            self.alarm.set(next);
        }
    }

    /// The honest end of a stream that cannot go on.
    fn interrupt(&mut self, outcome: &Outcome, message: &str) {
        self.is_broken = true;
        if let Some(asked) = &self.asked
            && *outcome != Outcome::Stopped
        {
            asked.broke_off(AttemptReport::failed(&self.attempts), Instant::now());
        }
        let mut error = interruption(outcome, message);
        // What the upstream says of it tells agents more: `tool_use_failed`, with what the model has written.
        if let Some(Value::Object(said)) = self.error.take().map(|error| *error) {
            let says_more = |name: &str, value: &Value| match name {
                "code" => value.is_string() && value != "server_error",
                _ => !value.is_null(),
            };
            for (name, value) in said {
                if says_more(&name, &value) {
                    error[name] = value;
                }
            }
        }
        error["attempts"] = json!(self.attempts);
        self.ready.put(self.front.interruption(&error));
    }

    /// Another upstream continues, or none does.
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
                self.interrupt(reason, &why);
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
        self.error = None;
        let note = format!(": continued by {} after {reason}\n\n", attempt.upstream());
        self.ready.put(note.into());
        let events = held.events;
        let splice = Splice { events, splicer };
        let mut segment = Segment::new(held.rest, held.limits, attempt, held.since, held.secrets);
        segment.splice = Some(Box::new(splice));
        self.source = Source::Segment(Box::new(segment));
        self.set_alarm();
        self.pass(Taken::bytes(held.first));
        self.hurry_if_ending();
    }

    /// Waits for more bytes, until a timer expires.
    fn poll_source(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let segment = match &mut self.source {
            Source::Over => return Poll::Ready(()),
            Source::Resuming(resuming, reason) => {
                if let Poll::Ready(resumed) = Pin::new(resuming).poll(context) {
                    let reason = reason.clone();
                    self.resumed(resumed, &reason);
                } else {
                    ready!(self.alarm.poll(context));
                    self.keep_alive();
                }
                return Poll::Ready(());
            }
            Source::Segment(segment) => segment,
        };
        match Pin::new(&mut segment.rest).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    self.take(data);
                }
            }
            Poll::Ready(None) => self.finish(),
            Poll::Ready(Some(Err(_))) => self.end(Outcome::StreamBroken, CONNECTION_LOST),
            Poll::Pending => {
                segment.timers.waits();
                if std::mem::take(&mut self.has_sent) {
                    self.sent = segment.timers.last_byte();
                }
                ready!(self.alarm.poll(context));
                match segment.timers.expired(Instant::now()) {
                    // Something came since the alarm was set, or the client has waited for long enough.
                    None => self.keep_alive(),
                    Some(stage) => self.end(Outcome::TimedOut(stage), patience_with(stage)),
                }
            }
        }
        Poll::Ready(())
    }
}

impl Body for SupervisedStream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        for _ in 0..MOST_STEPS {
            if let Some(bytes) = self.ready.take() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if matches!(self.source, Source::Over) {
                return Poll::Ready(None);
            }
            ready!(self.poll_source(context));
            let this = &mut *self;
            if let Source::Segment(segment) = &mut this.source
                && this.ready.is_empty()
            {
                segment.timers.waits_on();
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Watched for SupervisedStream {
    fn ended(&self) -> Option<StreamEnd> {
        let is_over = matches!(self.source, Source::Over) && self.ready.is_empty();
        is_over.then(|| StreamEnd {
            is_broken: self.is_broken,
            tokens: tokens(&self.attempts),
            failed_by: match self.is_broken {
                true => AttemptReport::failed(&self.attempts),
                false => Vec::new(),
            },
            failed_at: AttemptReport::failed_at(&self.attempts),
        })
    }

    fn content(&self) -> usize {
        self.front.content()
    }

    fn stop(&mut self) {
        self.resume = None;
        if matches!(self.source, Source::Resuming(..)) {
            self.source = Source::Over;
            self.interrupt(&Outcome::Stopped, STOPPED);
        }
        self.end(Outcome::Stopped, STOPPED);
    }

    fn cost(&mut self) -> Option<Tokens> {
        let under_way = match &mut self.source {
            Source::Segment(segment) => segment.count(&mut self.front),
            Source::Resuming(..) | Source::Over => None,
        };
        sum(tokens(&self.attempts).into_iter().chain(under_way))
    }

    /// Programs leave at the last event, and do not wait for the end of the body.
    fn leave(&mut self) {
        if self.front.is_over() && self.ready.is_empty() {
            self.end(Outcome::Success, "the client has all of it");
            self.ready = Outgoing::default();
        }
    }
}
