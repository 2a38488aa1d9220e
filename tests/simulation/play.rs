//! Plays a trace against the real health engine, on virtual time: three upstreams in strict order, two models.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use backstop::config::UpstreamId;
use backstop::event::HealthChange;
use backstop::health::{Health, ModelHealth, Permit, Shape};
use backstop::outcome::{Outcome, Stage, Unreachable};
use fastrand::Rng;
use tokio::time::Instant;

use crate::world::{Call, FIRST_TOKEN_TIMEOUT, Seen, Trace, World};

const UPSTREAMS: usize = 3;
const MOST_ATTEMPTS: usize = 3;
/// The time between two health checks of an upstream, in seconds.
const CHECK: f64 = 5.0;
/// How often a waiting attempt looks whether its upstream is still in rotation, in seconds.
const LOOK: f64 = 0.25;
const SHAPE: Shape = Shape {
    is_streamed: true,
    size: 1000,
};
const LIMIT: Duration = Duration::from_secs(30);

/// When the fault begins and ends, and when the play ends, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) end: f64,
}

/// What became of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) at: f64,
    model: usize,
    /// The upstream that it was sent to first.
    pub(crate) first: Option<usize>,
    pub(crate) served_by: Option<usize>,
    pub(crate) took: f64,
    pub(crate) is_bad: bool,
    pub(crate) attempts: usize,
    tried: [bool; UPSTREAMS],
    has_used_last_resort: bool,
    is_done: bool,
    in_flight: usize,
}

/// Everything that happened in a play.
pub(crate) struct Played {
    pub(crate) requests: Vec<Request>,
    /// How often the first upstream, or a model at it, went out of rotation.
    pub(crate) ejections: usize,
}

struct Attempt {
    request: usize,
    upstream: usize,
    call: Call,
    permit: Option<Permit>,
    sent: f64,
    is_hedged: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Check(usize),
    Outcome,
    Waits,
    StreamEnds,
}

struct Event {
    at: f64,
    number: u64,
    attempt: usize,
    kind: Kind,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    /// The earliest event is the greatest, because a heap pops the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .at
            .total_cmp(&self.at)
            .then(other.number.cmp(&self.number))
    }
}

struct Play {
    trace: Trace,
    world: World,
    health: Health,
    base: Instant,
    healths: Vec<[Arc<ModelHealth>; 2]>,
    ids: Vec<UpstreamId>,
    heap: BinaryHeap<Event>,
    number: u64,
    attempts: Vec<Attempt>,
    requests: Vec<Request>,
    ejections: usize,
    streams: Rng,
}

/// Plays one trace.
pub(crate) fn play(trace: Trace, rate: f64, plan: Plan, seed: u64) -> Played {
    fastrand::seed(seed * 7919 + 13);
    let base = Instant::now();
    let health = Health::new(base);
    let ids: Vec<UpstreamId> = ["a", "b", "c"].map(UpstreamId::from).to_vec();
    let models: [Arc<str>; 2] = ["m0".into(), "m1".into()];
    let healths = ids
        .iter()
        .map(|id| {
            [
                health.model(id, &models[0], 1),
                health.model(id, &models[1], 1),
            ]
        })
        .collect();
    let mut play = Play {
        trace,
        world: World::new(trace, rate, (plan.from, plan.to), seed),
        health,
        base,
        healths,
        ids,
        heap: BinaryHeap::new(),
        number: 0,
        attempts: Vec::new(),
        requests: Vec::new(),
        ejections: 0,
        streams: Rng::with_seed(seed + 99),
    };
    play.run(rate, plan.end, &mut Rng::with_seed(seed + 1));
    Played {
        requests: play.requests,
        ejections: play.ejections,
    }
}

impl Play {
    fn run(&mut self, rate: f64, end: f64, arrivals: &mut Rng) {
        for upstream in 0..UPSTREAMS {
            self.push(
                CHECK * (upstream + 1) as f64 / UPSTREAMS as f64,
                0,
                Kind::Check(upstream),
            );
        }
        let mut gap = || -(1.0 - arrivals.f64()).ln() / rate;
        let mut next = gap();
        loop {
            let is_arrival = next < end && self.heap.peek().is_none_or(|event| next <= event.at);
            if is_arrival {
                self.arrive(next);
                next += gap();
                continue;
            }
            let Some(event) = self.heap.pop() else { return };
            match event.kind {
                Kind::Check(upstream) => self.check(event.at, upstream, end),
                Kind::Outcome => self.outcome(event.at, event.attempt),
                Kind::Waits => self.waits(event.at, event.attempt),
                Kind::StreamEnds => self.stream_ends(event.at, event.attempt),
            }
        }
    }

    fn instant(&self, at: f64) -> Instant {
        self.base + Duration::from_secs_f64(at)
    }

    fn push(&mut self, at: f64, attempt: usize, kind: Kind) {
        self.number += 1;
        self.heap.push(Event {
            at,
            number: self.number,
            attempt,
            kind,
        });
    }

    fn note(&mut self, changes: Vec<HealthChange>) {
        let is_of_first = |change: &HealthChange| matches!(change, HealthChange::Opened { scope, .. } if scope.upstream == self.ids[0]);
        self.ejections += changes.iter().filter(|change| is_of_first(change)).count();
    }

    fn arrive(&mut self, at: f64) {
        let index = self.requests.len();
        let model = index % 2;
        self.requests.push(Request {
            at,
            model,
            first: None,
            served_by: None,
            took: 0.0,
            is_bad: false,
            attempts: 0,
            tried: [false; UPSTREAMS],
            has_used_last_resort: false,
            is_done: false,
            in_flight: 0,
        });
        for healths in &self.healths {
            healths[model].demanded(self.instant(at));
        }
        if !self.dispatch(at, index) {
            self.finish(at, index, None);
        }
    }

    /// Sends a request to the best upstream that admits it.
    fn dispatch(&mut self, at: f64, index: usize) -> bool {
        let request = self.requests[index];
        if request.attempts >= MOST_ATTEMPTS {
            return false;
        }
        let Some((upstream, permit)) = self.pick(at, index) else {
            return false;
        };
        let call = self.world.call(at, upstream, request.model);
        let request = &mut self.requests[index];
        request.tried[upstream] = true;
        request.attempts += 1;
        request.in_flight += 1;
        request.first.get_or_insert(upstream);
        let attempt = self.attempts.len();
        let slow_after = self.healths[upstream][request.model].slow_after(SHAPE, LIMIT);
        self.attempts.push(Attempt {
            request: index,
            upstream,
            call,
            permit: Some(permit),
            sent: at,
            is_hedged: false,
        });
        self.push(at + call.takes, attempt, Kind::Outcome);
        if let Some(slow_after) = slow_after
            .map(|after| after.as_secs_f64())
            .filter(|after| *after < call.takes)
        {
            self.push(at + slow_after, attempt, Kind::Waits);
        }
        true
    }

    fn pick(&mut self, at: f64, index: usize) -> Option<(usize, Permit)> {
        let now = self.instant(at);
        let request = self.requests[index];
        let mut last_resort: Option<(Instant, usize)> = None;
        for upstream in (0..UPSTREAMS).filter(|upstream| !request.tried[*upstream]) {
            match self.healths[upstream][request.model].admit(0, now) {
                Ok(permit) => return Some((upstream, permit)),
                Err(refusal) if refusal.cooldown_reason.is_some() => {}
                Err(refusal) if last_resort.is_none_or(|(until, _)| refusal.until < until) => {
                    last_resort = Some((refusal.until, upstream));
                }
                Err(_) => {}
            }
        }
        if std::mem::replace(&mut self.requests[index].has_used_last_resort, true) {
            return None;
        }
        let (_, upstream) = last_resort?;
        Some((
            upstream,
            self.healths[upstream][request.model].force(0, now),
        ))
    }

    fn outcome(&mut self, at: f64, index: usize) {
        let now = self.instant(at);
        let attempt = &mut self.attempts[index];
        let (request, upstream, call) = (attempt.request, attempt.upstream, attempt.call);
        let Some(mut permit) = attempt.permit.take() else {
            return;
        };
        self.requests[request].in_flight -= 1;
        let outcome = match call.outcome {
            Seen::Good | Seen::Cut { .. } => {
                let changes = permit.answered(SHAPE, LIMIT, now);
                self.note(changes);
                self.answered(at, index, permit);
                self.finish(at, request, Some(upstream));
                return;
            }
            Seen::Failure => Outcome::ServerError { status: 500 },
            Seen::NoConnection => Outcome::Unreachable(Unreachable::Refused),
            Seen::Timeout => Outcome::TimedOut(Stage::FirstToken),
            Seen::RateLimited { retry_after } => Outcome::RateLimited {
                retry_after: Some(Duration::from_secs_f64(retry_after)),
            },
        };
        let changes = permit.finish(&outcome, now);
        self.note(changes);
        if !self.requests[request].is_done
            && !self.dispatch(at, request)
            && self.requests[request].in_flight == 0
        {
            self.finish(at, request, None);
        }
    }

    /// The first token is there; the stream goes on.
    fn answered(&mut self, at: f64, index: usize, permit: Permit) {
        let length = match self.attempts[index].call.outcome {
            Seen::Cut { after } => after,
            _ if self.trace.has_long_streams() => 1.0 + 9.0 * self.streams.f64(),
            _ => {
                let changes = permit.finish(&Outcome::Success, self.instant(at));
                self.note(changes);
                return;
            }
        };
        self.attempts[index].permit = Some(permit);
        self.push(at + length, index, Kind::StreamEnds);
    }

    fn stream_ends(&mut self, at: f64, index: usize) {
        let now = self.instant(at);
        let attempt = &mut self.attempts[index];
        let request = attempt.request;
        let is_cut = matches!(attempt.call.outcome, Seen::Cut { .. });
        let Some(permit) = attempt.permit.take() else {
            return;
        };
        let outcome = if is_cut {
            Outcome::StreamBroken
        } else {
            Outcome::Success
        };
        let changes = permit.finish(&outcome, now);
        self.note(changes);
        if is_cut {
            self.requests[request].served_by = None;
            self.requests[request].is_bad = true;
        }
    }

    /// An attempt still has no first token: that is evidence. If its upstream goes out of rotation, the attempt is hedged.
    fn waits(&mut self, at: f64, index: usize) {
        let now = self.instant(at);
        let attempt = &mut self.attempts[index];
        let (request, upstream) = (attempt.request, attempt.upstream);
        let Some(permit) = &mut attempt.permit else {
            return;
        };
        let changes = permit.slow(now);
        self.note(changes);
        let is_out = self.healths[upstream][self.requests[request].model].is_out();
        let attempt = &mut self.attempts[index];
        if is_out && !attempt.is_hedged && at > attempt.sent {
            attempt.is_hedged = true;
            self.dispatch(at, request);
        } else if !attempt.is_hedged {
            self.push(at + LOOK, index, Kind::Waits);
        }
    }

    fn finish(&mut self, at: f64, index: usize, served_by: Option<usize>) {
        let request = &mut self.requests[index];
        if std::mem::replace(&mut request.is_done, true) {
            return;
        }
        request.served_by = served_by;
        request.took = at - request.at;
        // A first token after ten seconds is as bad as none to most clients.
        request.is_bad = served_by.is_none() || request.took > 10.0;
        if request.in_flight > 0 {
            // Its other attempts are cancelled at once.
            for attempt in self
                .attempts
                .iter_mut()
                .rev()
                .take(4096)
                .filter(|attempt| attempt.request == index)
            {
                let is_waiting = attempt.sent + attempt.call.takes > at;
                if is_waiting && attempt.permit.take().is_some() {
                    request.in_flight -= 1;
                }
            }
        }
    }

    fn check(&mut self, at: f64, upstream: usize, end: f64) {
        if at >= end {
            return;
        }
        let is_wanted = self.health.to_check().contains(&self.ids[upstream]);
        if is_wanted && self.world.answers_check(at, upstream) {
            self.health
                .health_checked(&self.ids[upstream], self.instant(at));
        }
        self.push(at + CHECK, 0, Kind::Check(upstream));
    }
}

// Whatever takes longer than this has timed out.
const _: () = assert!(FIRST_TOKEN_TIMEOUT == 30.0);
