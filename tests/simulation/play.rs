//! Plays a trace against the real health engine and the real decisions, on virtual time: upstreams in strict order, two
//! models.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use backstop::config::UpstreamId;
use backstop::event::HealthChange;
use backstop::failover::decide::{Choice, InFlight, Next, Situation, StartReason, next};
use backstop::failover::{Budget, Expense};
use backstop::health::{Health, ModelHealth, Permit};
use backstop::outcome::{Outcome, Stage, Unreachable};
use fastrand::Rng;
use tokio::time::Instant;

use crate::queue::Queue;
use crate::request::{Line, Request, SHAPE, WAIT};
use crate::world::{Call, FIRST_TOKEN_TIMEOUT, Seen, Trace, World};

/// The times between the first health checks of an upstream, and between further ones, in seconds.
const FIRST_CHECKS: [f64; 3] = [0.5, 1.0, 2.0];
const CHECK: f64 = 5.0;
/// How often a waiting attempt looks whether its upstream is still in rotation, in seconds.
const LOOK: f64 = 0.25;
const LIMIT: Duration = Duration::from_secs(30);
/// The time for a request with all its attempts.
const TOTAL: Duration = Duration::from_secs(600);

/// When the fault begins and ends, and when the play ends, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) end: f64,
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
}

/// What happens to an upstream, to a request, or to an attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Check(usize),
    Proceeds(usize),
    LinesUp(usize),
    HasTurn(usize),
    WaitsNoMore(usize),
    GivesUp(usize),
    Outcome(usize),
    Waits(usize),
    StreamEnds(usize),
}

struct Event {
    at: f64,
    number: u64,
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
    budget: Budget,
    queue: Queue,
    ejections: usize,
    /// How many health checks each upstream has got, while they go on.
    checks: Vec<Option<usize>>,
    streams: Rng,
    clients: Rng,
}

/// Plays one trace.
pub(crate) fn play(trace: Trace, rate: f64, plan: Plan, seed: u64) -> Played {
    fastrand::seed(seed * 7919 + 13);
    let base = Instant::now();
    let health = Health::new(base);
    let names = ["a", "b", "c"].into_iter().take(trace.upstreams());
    let ids: Vec<UpstreamId> = names.map(UpstreamId::from).collect();
    let models: [Arc<str>; 2] = ["m0".into(), "m1".into()];
    let of_upstream = |id: &UpstreamId| models.each_ref().map(|model| health.model(id, model, 1));
    let healths = ids.iter().map(of_upstream).collect();
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
        budget: Budget::new(base),
        queue: Queue::new(base),
        ejections: 0,
        checks: vec![None; trace.upstreams()],
        streams: Rng::with_seed(seed + 99),
        clients: Rng::with_seed(seed + 199),
    };
    play.run(rate, plan.end, &mut Rng::with_seed(seed + 1));
    Played {
        requests: play.requests,
        ejections: play.ejections,
    }
}

impl Play {
    fn run(&mut self, rate: f64, end: f64, arrivals: &mut Rng) {
        let mut gap = || -(1.0 - arrivals.f64()).ln() / rate;
        let mut next = gap();
        loop {
            let is_arrival = next < end && self.heap.peek().is_none_or(|event| next <= event.at);
            if is_arrival {
                self.arrive(next);
                next += gap();
                continue;
            }
            let Some(Event { at, kind, .. }) = self.heap.pop() else {
                return;
            };
            match kind {
                Kind::Check(upstream) => self.check(at, upstream, end),
                Kind::Proceeds(request) => self.proceed(at, request),
                Kind::LinesUp(request) => self.lines_up(at, request),
                Kind::HasTurn(request) => self.has_turn(at, request),
                Kind::WaitsNoMore(request) => self.waits_no_more(at, request),
                Kind::GivesUp(request) => self.gives_up(at, request),
                Kind::Outcome(attempt) => self.outcome(at, attempt),
                Kind::Waits(attempt) => self.waits(at, attempt),
                Kind::StreamEnds(attempt) => self.stream_ends(at, attempt),
            }
        }
    }

    fn instant(&self, at: f64) -> Instant {
        self.base + Duration::from_secs_f64(at)
    }

    fn seconds(&self, instant: Instant) -> f64 {
        instant.duration_since(self.base).as_secs_f64()
    }

    fn push(&mut self, at: f64, kind: Kind) {
        self.number += 1;
        self.heap.push(Event {
            at,
            number: self.number,
            kind,
        });
    }

    fn note(&mut self, at: f64, changes: Vec<HealthChange>) {
        for change in changes {
            let HealthChange::Opened { scope, .. } = change else {
                continue;
            };
            self.ejections += usize::from(scope.upstream == self.ids[0]);
            let upstream = self.ids.iter().position(|id| *id == scope.upstream);
            if let Some(upstream) = upstream
                && self.checks[upstream].is_none()
            {
                self.checks[upstream] = Some(0);
                self.push(at + FIRST_CHECKS[0], Kind::Check(upstream));
            }
        }
    }

    fn arrive(&mut self, at: f64) {
        let now = self.instant(at);
        let index = self.requests.len();
        let model = index % 2;
        let upstreams = self.ids.len();
        self.requests.push(Request::new(at, model, upstreams, now));
        for healths in &self.healths {
            healths[model].demanded(now);
        }
        self.budget.requested(now);
        if self.clients.f64() < self.trace.cancelled() {
            let patience = 0.2 + 1.8 * self.clients.f64();
            self.push(at + patience, Kind::GivesUp(index));
        }
        self.proceed(at, index);
    }

    /// Decides what a request does next, and does it, until it has to wait for something.
    fn proceed(&mut self, at: f64, index: usize) {
        loop {
            let request = &self.requests[index];
            if request.is_done || request.line == Line::In {
                return;
            }
            let healths = self.healths.iter().map(|models| &*models[request.model]);
            let choices = request.choices(healths, self.instant(at));
            match next(&self.situation(at, index, &choices)) {
                Next::Start {
                    choice,
                    expense,
                    reason,
                } => self.start(at, index, choice, (expense, reason)),
                Next::Await { alarm: None } => return,
                Next::Await { alarm: Some(until) } | Next::Pause { until } => {
                    let until = self.seconds(until);
                    return self.push(until, Kind::Proceeds(index));
                }
                Next::Queue { opens_at } => return self.enqueue(at, index, opens_at),
                Next::Done => return self.finish(at, index, None),
            }
        }
    }

    fn situation<'c>(&self, at: f64, index: usize, choices: &'c [Choice]) -> Situation<'c> {
        let request = &self.requests[index];
        let now = self.instant(at);
        let is_lost = |attempt: &usize| {
            let permit = self.attempts[*attempt].permit.as_ref();
            permit.is_some_and(Permit::is_lost_cause)
        };
        Situation {
            now,
            until: self.instant(request.at) + TOTAL,
            patience: None,
            wait_until: request
                .waits_until
                .map_or(now + WAIT, |until| self.instant(until)),
            choices,
            started: request.calls,
            last_start: request.last_start,
            last_took: request.last_took,
            in_flight: InFlight {
                count: request.in_flight.len(),
                is_lost_cause: request.in_flight.len() == 1
                    && request.in_flight.iter().any(is_lost),
                is_late: false,
            },
            tokens: self.budget.tokens(),
            has_turn: request.has_turn,
        }
    }

    /// Sends a request to an upstream, if health admits it and the budget covers it.
    fn start(
        &mut self,
        at: f64,
        index: usize,
        upstream: usize,
        (expense, reason): (Option<Expense>, StartReason),
    ) {
        let now = self.instant(at);
        let request = &mut self.requests[index];
        let health = &self.healths[upstream][request.model];
        let is_forced = request.has_turn || reason == StartReason::LastResort;
        let (permit, is_admitted) = match health.admit(0, now) {
            Ok(permit) => (permit, true),
            Err(refusal) if refusal.cooldown_reason.is_some() => return,
            Err(_) if is_forced => (health.force(0, now), false),
            Err(refusal) => return request.refused(upstream, refusal.until, now),
        };
        if !expense.is_none_or(|expense| self.budget.take(expense)) {
            return;
        }
        let call = self.world.call(at, upstream, request.model);
        let attempt = self.attempts.len();
        request.started(upstream, attempt, is_admitted, now);
        let slow_after = health.slow_after(SHAPE, LIMIT);
        self.attempts.push(Attempt {
            request: index,
            upstream,
            call,
            permit: Some(permit),
            sent: at,
        });
        self.push(at + call.takes, Kind::Outcome(attempt));
        if let Some(slow_after) = slow_after.map(|after| after.as_secs_f64())
            && slow_after < call.takes
        {
            self.push(at + slow_after, Kind::Waits(attempt));
        }
    }

    fn outcome(&mut self, at: f64, index: usize) {
        let now = self.instant(at);
        let attempt = &mut self.attempts[index];
        let (request, upstream, call) = (attempt.request, attempt.upstream, attempt.call);
        let Some(mut permit) = attempt.permit.take() else {
            return;
        };
        let took = Duration::from_secs_f64(at - attempt.sent);
        let in_flight = &mut self.requests[request].in_flight;
        in_flight.retain(|attempt| *attempt != index);
        let outcome = match call.outcome {
            Seen::Good | Seen::Cut { .. } => {
                let changes = permit.answered(SHAPE, LIMIT, now);
                self.note(at, changes);
                self.answered(at, index, permit);
                return self.finish(at, request, Some(upstream));
            }
            Seen::Failure => Outcome::ServerError { status: 500 },
            Seen::NoConnection => Outcome::Unreachable(Unreachable::Refused),
            Seen::Timeout => Outcome::TimedOut(Stage::FirstToken),
            Seen::RateLimited { retry_after } => Outcome::RateLimited {
                retry_after: Some(Duration::from_secs_f64(retry_after)),
            },
        };
        let changes = permit.finish(&outcome, now);
        self.note(at, changes);
        let request_state = &mut self.requests[request];
        request_state.last_took = took;
        request_state.failed(upstream, &outcome, now);
        if request_state.waits_until.is_some() {
            self.queue.ended(false, now);
        }
        self.proceed(at, request);
    }

    /// The first token is there; the stream goes on.
    fn answered(&mut self, at: f64, index: usize, permit: Permit) {
        let length = match self.attempts[index].call.outcome {
            Seen::Cut { after } => after,
            _ if self.trace.has_long_streams() => 1.0 + 9.0 * self.streams.f64(),
            _ => {
                let changes = permit.finish(&Outcome::Success, self.instant(at));
                self.note(at, changes);
                return;
            }
        };
        self.attempts[index].permit = Some(permit);
        self.push(at + length, Kind::StreamEnds(index));
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
        self.note(at, changes);
        if is_cut {
            self.requests[request].served_by = None;
            self.requests[request].is_bad = true;
        }
    }

    /// An attempt still has no first token: that is evidence. If its upstream goes out of rotation, the attempt is hedged.
    fn waits(&mut self, at: f64, index: usize) {
        let now = self.instant(at);
        let attempt = &mut self.attempts[index];
        let request = attempt.request;
        let Some(permit) = &mut attempt.permit else {
            return;
        };
        let changes = permit.slow(now);
        self.note(at, changes);
        self.push(at + LOOK, Kind::Waits(index));
        self.proceed(at, request);
    }

    fn finish(&mut self, at: f64, index: usize, served_by: Option<usize>) {
        let request = &mut self.requests[index];
        if std::mem::replace(&mut request.is_done, true) {
            return;
        }
        request.served_by = served_by;
        request.took = at - request.at;
        // A first token after ten seconds is as bad as none to most clients.
        let is_bad = served_by.is_none() || request.took > 10.0;
        request.is_bad = is_bad && !request.is_given_up;
        if served_by.is_some() {
            self.budget.succeeded();
        }
        if request.waits_until.is_some() {
            if served_by.is_some() {
                self.queue.ended(true, self.instant(at));
            }
            self.queue.leave();
        }
        // Its other attempts are cancelled at once.
        for attempt in std::mem::take(&mut self.requests[index].in_flight) {
            let Attempt { permit, sent, .. } = &mut self.attempts[attempt];
            let waited = Duration::from_secs_f64(at - *sent);
            if let Some(permit) = permit.take() {
                let changes = permit.given_up(SHAPE, LIMIT, waited.into(), self.instant(at));
                self.note(at, changes);
            }
        }
    }

    fn gives_up(&mut self, at: f64, index: usize) {
        if !self.requests[index].is_done {
            self.requests[index].is_given_up = true;
            self.finish(at, index, None);
        }
    }

    fn enqueue(&mut self, at: f64, index: usize, opens_at: Instant) {
        let now = self.instant(at);
        let opens = self.seconds(opens_at);
        let request = &mut self.requests[index];
        request.line = Line::In;
        let until = *request.waits_until.get_or_insert_with(|| {
            self.queue.enter(opens_at, now);
            at + WAIT.as_secs_f64()
        });
        self.push(opens.max(at).min(until), Kind::LinesUp(index));
    }

    fn lines_up(&mut self, at: f64, index: usize) {
        let now = self.instant(at);
        if let Some(turn) = self.queue.line_up(index, now) {
            return self.is_first(index, self.seconds(turn).max(at));
        }
        if let Some(until) = self.requests[index].waits_until {
            self.push(until.max(at), Kind::WaitsNoMore(index));
        }
    }

    fn is_first(&mut self, index: usize, turn: f64) {
        let until = self.requests[index].waits_until.unwrap_or(turn);
        self.push(turn.min(until), Kind::HasTurn(index));
    }

    fn has_turn(&mut self, at: f64, index: usize) {
        let request = &mut self.requests[index];
        let is_taken = request.line == Line::In
            && !request.is_done
            && request.waits_until.is_some_and(|until| at < until);
        request.has_turn = is_taken;
        request.line = Line::Out;
        let now = self.instant(at);
        if let Some((first, turn)) = self.queue.turn(is_taken, now) {
            self.is_first(first, self.seconds(turn).max(at));
        }
        self.proceed(at, index);
    }

    /// A request in the line has waited for long enough.
    fn waits_no_more(&mut self, at: f64, index: usize) {
        self.requests[index].line = Line::Out;
        self.proceed(at, index);
    }

    fn check(&mut self, at: f64, upstream: usize, end: f64) {
        let id = self.ids[upstream].clone();
        if at >= end || !self.health.to_check().contains(&id) {
            self.checks[upstream] = None;
            return;
        }
        if self.world.answers_check(at, upstream) {
            self.health.health_checked(&id, self.instant(at));
        }
        let sent = self.checks[upstream].unwrap_or_default() + 1;
        self.checks[upstream] = Some(sent);
        let pause = FIRST_CHECKS.get(sent).unwrap_or(&CHECK);
        self.push(at + pause, Kind::Check(upstream));
    }
}

// Whatever takes longer than this has timed out.
const _: () = assert!(FIRST_TOKEN_TIMEOUT == 30.0);
