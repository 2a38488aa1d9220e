//! Plays a trace against the real health engine and the real decisions, on virtual time: upstreams in strict order, two
//! models.

use std::sync::Arc;
use std::time::Duration;

use backstop::config::UpstreamId;
use backstop::event::HealthChange;
use backstop::failover::Expense;
use backstop::failover::decide::{Choice, InFlight, Next, Situation, StartReason, next};
use backstop::health::{ModelHealth, Permit};
use backstop::outcome::{Outcome, Stage, Unreachable};
use backstop::shared;
use fastrand::Rng;
use futures_util::FutureExt;
use tokio::time::Instant;

use crate::agenda::{Agenda, Event, Kind};
use crate::replica::{Replica, Replicas};
use crate::request::{Line, Request, SHAPE, WAIT};
use crate::sharing::{DELAY, Sharing};
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

struct Play {
    trace: Trace,
    world: World,
    base: Instant,
    ids: Vec<UpstreamId>,
    replicas: Vec<Replica>,
    sharing: Option<Sharing>,
    agenda: Agenda,
    attempts: Vec<Attempt>,
    requests: Vec<Request>,
    ejections: usize,
    streams: Rng,
    clients: Rng,
    balancer: Rng,
}

/// Plays one trace.
pub(crate) fn play(replicas: Replicas, trace: Trace, rate: f64, plan: Plan, seed: u64) -> Played {
    fastrand::seed(seed * 7919 + 13);
    let base = Instant::now();
    let names = ["a", "b", "c"].into_iter().take(trace.upstreams());
    let ids: Vec<UpstreamId> = names.map(UpstreamId::from).collect();
    let all = (0..replicas.count).map(|_| Replica::new(&ids, base));
    let all: Vec<Replica> = all.collect();
    let sharing = replicas.share.then(|| Sharing::new(&all, &ids, base));
    let mut play = Play {
        trace,
        world: World::new(trace, rate, (plan.from, plan.to), seed),
        base,
        ids,
        replicas: all,
        sharing,
        agenda: Agenda::default(),
        attempts: Vec::new(),
        requests: Vec::new(),
        ejections: 0,
        streams: Rng::with_seed(seed + 99),
        clients: Rng::with_seed(seed + 199),
        balancer: Rng::with_seed(seed + 299),
    };
    play.begin_looks();
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
            let is_arrival = next < end && self.agenda.next_at().is_none_or(|at| next <= at);
            if is_arrival {
                self.arrive(next);
                next += gap();
                continue;
            }
            let Some(Event { at, kind, .. }) = self.agenda.pop() else {
                return;
            };
            match kind {
                Kind::Check(replica, upstream) => self.check(at, (replica, upstream), end),
                Kind::NotReached(replica, upstream) => self.not_reached(at, replica, upstream),
                Kind::Look(replica) => self.look(at, replica, end),
                Kind::Tell(replica) => self.tell_news(at, replica),
                Kind::Hear(replica) => self.hear(at, replica),
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
        self.agenda.push(at, kind);
    }

    /// What has changed at a replica follows: health checks, and news for the others.
    fn note(&mut self, at: f64, replica: usize, changes: Vec<HealthChange>) {
        if !changes.is_empty() {
            self.has_news(at, replica);
        }
        for change in changes {
            let HealthChange::Opened { scope, .. } = change else {
                continue;
            };
            self.ejections += usize::from(scope.upstream == self.ids[0]);
            let upstream = self.ids.iter().position(|id| *id == scope.upstream);
            if let Some(upstream) = upstream {
                self.begin_checks(at, replica, upstream);
            }
        }
    }

    fn begin_checks(&mut self, at: f64, replica: usize, upstream: usize) {
        let checks = &mut self.replicas[replica].checks[upstream];
        if checks.is_none() {
            *checks = Some(0);
            self.push(at + FIRST_CHECKS[0], Kind::Check(replica, upstream));
        }
    }

    /// Replicas that share look at what they know, each at other moments.
    fn begin_looks(&mut self) {
        let count = if self.sharing.is_some() {
            self.replicas.len()
        } else {
            0
        };
        for replica in 0..count {
            let first = shared::LOOK.as_secs_f64() * replica as f64 / count as f64;
            self.push(first, Kind::Look(replica));
        }
    }

    fn look(&mut self, at: f64, replica: usize, end: f64) {
        let now = self.instant(at);
        if let Some(sharing) = &mut self.sharing {
            let changes = sharing.settle(replica, now);
            self.note(at, replica, changes);
            self.tell(at, replica);
            self.agree(at, replica);
        }
        if at < end {
            self.push(at + shared::LOOK.as_secs_f64(), Kind::Look(replica));
        }
    }

    fn agree(&mut self, at: f64, replica: usize) {
        let now = self.instant(at);
        if let Some(sharing) = &mut self.sharing {
            sharing.agree(replica, now);
        }
    }

    /// A request would be a trial, if nobody else makes it.
    fn agree_if_wanted(&mut self, at: f64, replica: usize) {
        let wanted = self.replicas[replica].health.fleet_probes().wanted();
        if wanted.now_or_never().is_some() {
            self.agree(at, replica);
        }
    }

    /// There may be something to tell the others.
    fn has_news(&mut self, at: f64, replica: usize) {
        if let Some(sharing) = &mut self.sharing
            && !std::mem::replace(&mut sharing.will_tell[replica], true)
        {
            self.push(at + shared::GATHER.as_secs_f64(), Kind::Tell(replica));
        }
    }

    fn tell_news(&mut self, at: f64, replica: usize) {
        if let Some(sharing) = &mut self.sharing {
            sharing.will_tell[replica] = false;
        }
        self.tell(at, replica);
    }

    fn tell(&mut self, at: f64, replica: usize) {
        let now = self.instant(at);
        if let Some(sharing) = &mut self.sharing
            && sharing.tell(replica, now)
        {
            (0..self.replicas.len()).for_each(|other| self.push(at + DELAY, Kind::Hear(other)));
        }
    }

    fn hear(&mut self, at: f64, replica: usize) {
        let now = self.instant(at);
        if let Some(sharing) = &mut self.sharing {
            let changes = sharing.hear(replica, now);
            self.note(at, replica, changes);
        }
        // Another one could not connect: can this one?
        for id in self.replicas[replica].health.to_check() {
            if let Some(upstream) = self.ids.iter().position(|known| *known == id) {
                self.begin_checks(at, replica, upstream);
            }
        }
    }

    fn arrive(&mut self, at: f64) {
        let now = self.instant(at);
        let index = self.requests.len();
        let model = index % 2;
        let (upstreams, replica) = (self.ids.len(), self.balancer.usize(..self.replicas.len()));
        let request = Request::new((at, replica), model, upstreams, now);
        self.requests.push(request);
        let replica = &self.replicas[replica];
        for healths in &replica.healths {
            healths[model].demanded(now);
        }
        replica.budget.requested(now);
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
            let healths = self.replicas[request.replica].healths.iter();
            let healths = healths.map(|models| &*models[request.model]);
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
            tokens: self.replicas[request.replica].budget.tokens(),
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
        let replica = request.replica;
        let health = &self.replicas[replica].healths[upstream][request.model];
        let has_turn = request.has_turn;
        let forced = |health: &Arc<ModelHealth>| match reason {
            _ if has_turn => health.force_in_turn(0, now),
            StartReason::LastResort => Some(health.force(0, now)),
            _ => None,
        };
        let (permit, is_admitted) = match health.admit(0, now) {
            Ok(permit) => (permit, true),
            Err(refusal) if refusal.cooldown_reason.is_some() => return,
            Err(refusal) => match forced(health) {
                Some(permit) => (permit, false),
                None => {
                    request.refused(upstream, refusal.until, now);
                    request.has_turn = false;
                    return self.agree_if_wanted(at, replica);
                }
            },
        };
        let Some(permit) = self.go_or_give_way(at, index, permit) else {
            return;
        };
        let health = &self.replicas[replica].healths[upstream][self.requests[index].model];
        let request = &mut self.requests[index];
        let budget = &self.replicas[replica].budget;
        if !expense.is_none_or(|expense| budget.take(expense)) {
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
        let replica = self.requests[request].replica;
        let in_flight = &mut self.requests[request].in_flight;
        in_flight.retain(|attempt| *attempt != index);
        let outcome = match call.outcome {
            Seen::Good | Seen::Cut { .. } => {
                let changes = permit.answered(SHAPE, LIMIT, now);
                self.note(at, replica, changes);
                self.answered(at, index, permit);
                return self.finish(at, request, Some(upstream));
            }
            Seen::Failure => Outcome::ServerError { status: 500 },
            Seen::NoConnection => Outcome::Unreachable(Unreachable::Refused),
            Seen::Timeout => Outcome::TimedOut(Stage::FirstToken),
            Seen::RateLimited { retry_after } => Outcome::RateLimited {
                status: 429,
                retry_after: Some(Duration::from_secs_f64(retry_after)),
                is_daily: false,
            },
        };
        let changes = permit.finish(&outcome, now);
        self.note(at, replica, changes);
        if outcome.hurts_health() || matches!(outcome, Outcome::RateLimited { .. }) {
            self.has_news(at, replica);
        }
        let request_state = &mut self.requests[request];
        request_state.last_took = took;
        request_state.failed(upstream, &outcome, now);
        if request_state.waits_until.is_some() {
            let is_let_through = request_state.is_let_through;
            let queue = &mut self.replicas[replica].queue;
            queue.ended(false, is_let_through, now);
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
                let replica = self.requests[self.attempts[index].request].replica;
                self.note(at, replica, changes);
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
        self.note(at, self.requests[request].replica, changes);
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
        self.note(at, self.requests[request].replica, changes);
        self.push(at + LOOK, Kind::Waits(index));
        self.proceed(at, request);
    }

    fn finish(&mut self, at: f64, index: usize, served_by: Option<usize>) {
        let request = &mut self.requests[index];
        if std::mem::replace(&mut request.is_done, true) {
            return;
        }
        let replica = request.replica;
        request.served_by = served_by;
        request.took = at - request.at;
        // A first token after ten seconds is as bad as none to most clients.
        let is_bad = served_by.is_none() || request.took > 10.0;
        request.is_bad = is_bad && !request.is_given_up;
        if served_by.is_some() {
            self.replicas[replica].budget.succeeded();
        }
        let is_let_through = request.is_let_through;
        if request.waits_until.is_some() {
            let now = self.instant(at);
            let queue = &mut self.replicas[replica].queue;
            if served_by.is_some() {
                queue.ended(true, is_let_through, now);
            }
            queue.leave();
        }
        // Its other attempts are cancelled at once.
        for attempt in std::mem::take(&mut self.requests[index].in_flight) {
            let Attempt { permit, sent, .. } = &mut self.attempts[attempt];
            let waited = Duration::from_secs_f64(at - *sent);
            if let Some(permit) = permit.take() {
                let changes = permit.given_up(SHAPE, LIMIT, waited.into(), self.instant(at));
                self.note(at, replica, changes);
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
        request.waits_at_door = opens_at > now;
        let queue = &mut self.replicas[request.replica].queue;
        let until = *request.waits_until.get_or_insert_with(|| {
            queue.enter(opens_at, now);
            at + WAIT.as_secs_f64()
        });
        self.push(opens.max(at).min(until), Kind::LinesUp(index));
    }

    /// The permit of a request that could go, unless it has just come and others wait: then the first of them goes instead.
    fn go_or_give_way(&mut self, at: f64, index: usize, permit: Permit) -> Option<Permit> {
        let (requests, now) = (&self.requests, self.instant(at));
        let request = &requests[index];
        let is_open = !permit.is_probe() && !permit.is_last_resort();
        if request.calls > 0 || request.waits_until.is_some() || !is_open {
            return Some(permit);
        }
        let queue = &mut self.replicas[request.replica].queue;
        let waits = |other: usize| {
            let other = &requests[other];
            let is_waiting = other.line == Line::In && !other.is_done;
            is_waiting && other.waits_at_door && other.model == request.model
        };
        let Some(first) = queue.let_through(waits) else {
            return Some(permit);
        };
        drop(permit);
        self.enqueue(at, index, now);
        self.requests[index].waits_at_door = true;
        let first_state = &mut self.requests[first];
        first_state.line = Line::Out;
        first_state.has_turn = true;
        first_state.is_let_through = true;
        self.proceed(at, first);
        None
    }

    fn lines_up(&mut self, at: f64, index: usize) {
        let now = self.instant(at);
        let queue = &mut self.replicas[self.requests[index].replica].queue;
        if let Some(turn) = queue.line_up(index, now) {
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
        request.is_let_through = false;
        request.line = Line::Out;
        let (now, replica) = (self.instant(at), self.requests[index].replica);
        if let Some((first, turn)) = self.replicas[replica].queue.turn(is_taken, now) {
            self.is_first(first, self.seconds(turn).max(at));
        }
        self.proceed(at, index);
    }

    /// A request in the line has waited for long enough.
    fn waits_no_more(&mut self, at: f64, index: usize) {
        self.requests[index].line = Line::Out;
        self.proceed(at, index);
    }

    fn check(&mut self, at: f64, (replica, upstream): (usize, usize), end: f64) {
        let id = self.ids[upstream].clone();
        let now = self.instant(at);
        let checking = &mut self.replicas[replica];
        if at >= end || !checking.health.to_check().contains(&id) {
            checking.checks[upstream] = None;
            return;
        }
        let sent = checking.checks[upstream].unwrap_or_default() + 1;
        checking.checks[upstream] = Some(sent);
        if self.world.answers_check(at, upstream) {
            checking.health.health_checked(&id, now);
        } else {
            let failed = Kind::NotReached(replica, upstream);
            self.push(at + self.world.check_fails_after(), failed);
        }
        let pause = FIRST_CHECKS.get(sent).unwrap_or(&CHECK);
        self.push(at + pause, Kind::Check(replica, upstream));
    }

    fn not_reached(&mut self, at: f64, replica: usize, upstream: usize) {
        let now = self.instant(at);
        let change = self.replicas[replica]
            .health
            .not_reached(&self.ids[upstream], now);
        self.note(at, replica, change.into_iter().collect());
    }
}

// Whatever takes longer than this has timed out.
const _: () = assert!(FIRST_TOKEN_TIMEOUT == 30.0);
