//! What a request does next, decided from what is known.
//!
//! Nothing here acts: no clock is read, no permit or token is taken. So the rules can be read in one place, and tested
//! in tables.
//!
//! 1. Everybody is asked once, in order, as long as health admits them. What a further failover costs depends on how
//!    long the attempt before it took.
//! 2. When nobody untried is left, whoever most likely succeeds is asked again, after a pause. A chance `p` for each
//!    call is worth `k` calls, where `1 − (1 − p)^k` reaches 99.5 %; a chance below 15 % is worth none.
//! 3. When nobody is worth asking now, but somebody may be soon, the request waits in the queue of its route. The
//!    queue gives turns; who has a turn may ask even where the chances are bad, so that a recovery is found, unless another
//!    replica is about to find it. It does not wait for who answers others, and has failed on it often enough: then the
//!    request is the likely reason. Before it fails, it asks who is out of rotation and has not been asked, unless that one
//!    is as good as dead.
//! 4. While an attempt is in flight, a second one starts beside it if its upstream has gone out of rotation, or if the
//!    client's patience is only just enough for another upstream.

use std::time::Duration;

use tokio::time::Instant;

use super::budget::{Expense, Tokens};

/// A call with a lower chance of success is not worth it.
const LEAST_ODDS: f32 = 0.15;
/// A call with a lower chance of success is not worth it even if the request fails without it. A dead upstream falls
/// below it with the seventh failure or so.
const HOPELESS: f32 = 0.05;
/// A request asks again until its chance of success is this high.
const ENOUGH: f32 = 0.995;
/// So many calls that one of them would have succeeded with this chance have not failed by bad luck.
const BEYOND_DOUBT: f32 = 0.9999;
/// The most attempts of a request at the same time.
const MOST_IN_FLIGHT: usize = 3;
/// What asking again costs, in tokens, however little time it took.
const AGAIN: f64 = 0.1;
/// An attempt that took this long costs a whole token, in seconds.
const WHOLE_TOKEN: f64 = 10.0;
/// A candidate gets so many times what it usually takes, and at least so long.
const MARGIN: f32 = 1.5;
const SHORTEST: Duration = Duration::from_millis(200);

/// Everything that the decision depends on.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// The time.
    pub now: Instant,
    /// When an answer is of no use any more.
    pub until: Instant,
    /// When the client is expected to give up, if that is known.
    pub patience: Option<Instant>,
    /// Until when the request may wait for somebody to open.
    pub wait_until: Instant,
    /// The candidates, in order of preference.
    pub choices: &'a [Choice],
    /// How many attempts this request has started.
    pub started: usize,
    /// When the last of them started.
    pub last_start: Instant,
    /// How long the attempt took that failed last.
    pub last_took: Duration,
    /// The attempts in flight.
    pub in_flight: InFlight,
    /// What is left of the route's budget.
    pub tokens: Tokens,
    /// Whether the queue has given this request a turn.
    pub has_turn: bool,
}

/// What the attempts in flight look like.
#[derive(Clone, Copy, Debug, Default)]
pub struct InFlight {
    /// How many there are.
    pub count: usize,
    /// There is one, and its upstream has been taken out of rotation.
    pub is_lost_cause: bool,
    /// There is one, and it is later than almost all others; the route hedges then.
    pub is_late: bool,
}

/// One candidate, from the point of view of one request.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// What this request knows of it.
    pub tried: Tried,
    /// What health says about it.
    pub door: Door,
    /// The chance that a call there succeeds.
    pub odds: f32,
    /// How long it usually takes to its first content, at most; `None` while too little is known.
    pub needs: Option<Duration>,
    /// Whether it is out of rotation, and another replica finds out when it is back.
    pub is_tried_elsewhere: bool,
}

/// What a request knows of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It has not been asked.
    Not,
    /// It failed in a way that may have passed a moment later.
    Again {
        /// How often it has been asked.
        calls: u32,
        /// Not to be asked again before.
        not_before: Instant,
        /// Whether it did not look at the request the last time.
        is_unread: bool,
    },
    /// To ask it (again) makes no sense, or it is being asked.
    No,
}

/// Whether health lets a request through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// It does.
    Open,
    /// The circuit breaker is open.
    Out {
        /// For so short a time that it may well be over soon.
        is_fresh: bool,
    },
    /// A cooldown lasts: nobody may ask.
    CoolingDown {
        /// Its end.
        until: Instant,
    },
    /// Somebody has to see to a key, an account or a model first, or has taken the upstream out: nobody may ask, and to
    /// wait makes no sense.
    Shut,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// Start an attempt.
    Start {
        /// The index of the candidate.
        choice: usize,
        /// What it costs; `None`: nothing.
        expense: Option<Expense>,
        /// Why.
        reason: StartReason,
    },
    /// Wait for the attempts in flight, and decide again at this time.
    Await {
        /// `None`: not before something happens.
        alarm: Option<Instant>,
    },
    /// Pause until then.
    Pause {
        /// The end of the pause.
        until: Instant,
    },
    /// Wait in the queue of the route.
    Queue {
        /// When the first candidate may open.
        opens_at: Instant,
    },
    /// Nothing can help any more.
    Done,
}

/// Why an attempt starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartReason {
    /// It is next.
    Next,
    /// It is asked again.
    Again,
    /// Health admits nobody, and somebody must find out.
    LastResort,
    /// Beside an attempt whose upstream has been taken out of rotation.
    Ejected,
    /// Beside an attempt that is later than almost all others.
    Late,
    /// Beside an attempt, because the client will not wait much longer.
    Impatient,
}

/// What a request does next.
pub fn next(situation: &Situation<'_>) -> Next {
    if situation.in_flight.count > 0 {
        return situation.beside();
    }
    if situation.started > 0 && situation.now >= situation.until {
        return Next::Done;
    }
    let steps = [
        Situation::ask_next,
        Situation::ask_again,
        Situation::take_turn,
        Situation::queue,
        Situation::last_resort,
    ];
    let mut steps = steps.iter().filter_map(|step| step(situation));
    steps.next().unwrap_or(Next::Done)
}

/// The same where nobody but the first candidate that has not been asked, and may be, need be looked at for it: usually that
/// one answers. The situation has no choices; `untried` finds that one.
pub(in crate::failover) fn at_once(
    situation: &Situation<'_>,
    untried: impl FnOnce() -> Option<usize>,
) -> Option<Next> {
    let InFlight {
        count,
        is_lost_cause,
        is_late,
    } = situation.in_flight;
    if count == 0 && situation.started > 0 && situation.now >= situation.until {
        return Some(Next::Done);
    }
    if count == 0 {
        return situation.ask(untried()?);
    }
    let is_calm = !is_lost_cause && !is_late && situation.patience.is_none();
    is_calm.then_some(Next::Await { alarm: None })
}

impl Situation<'_> {
    /// Asks the first candidate that has not been asked, and may be.
    fn ask_next(&self) -> Option<Next> {
        self.ask(self.untried()?)
    }

    fn ask(&self, untried: usize) -> Option<Next> {
        // The first failover is free: an outage that a fallback can hide must not reach clients for want of tokens. A
        // further one costs the time that was lost.
        let is_free = self.started <= 1 || self.has_turn;
        let expense = (!is_free).then(|| Expense::retry(self.last_cost()));
        self.start(untried, expense, StartReason::Next)
    }

    fn untried(&self) -> Option<usize> {
        self.choices.iter().position(Choice::is_left)
    }

    /// Asks whoever is most likely to succeed, if that is likely enough.
    fn ask_again(&self) -> Option<Next> {
        let choice = self.best(Choice::is_worthwhile)?;
        if let Tried::Again { not_before, .. } = self.choices[choice].tried
            && not_before > self.now
        {
            return (not_before < self.until).then_some(Next::Pause { until: not_before });
        }
        let expense = (self.started > 0).then(|| Expense::retry(AGAIN + self.last_cost()));
        self.start(choice, expense, self.choices[choice].reason())
    }

    /// Asks the most likely one, however unlikely, as it is this request's turn.
    fn take_turn(&self) -> Option<Next> {
        let is_ours = |choice: &Choice| choice.may_be_soon() && !choice.is_tried_elsewhere;
        let choice = self.best(is_ours).filter(|_| self.has_turn)?;
        self.start(choice, None, self.choices[choice].reason())
    }

    /// Waits, if that may help within the time for it.
    fn queue(&self) -> Option<Next> {
        let choices = self.choices.iter();
        let opens_at = choices
            .filter_map(|choice| choice.opens_at(self.now))
            .min()?;
        let is_in_time = opens_at < self.wait_until.min(self.until);
        is_in_time.then_some(Next::Queue { opens_at })
    }

    /// Asks somebody though health admits nobody: anybody if nobody has been asked, else one who has not been.
    fn last_resort(&self) -> Option<Next> {
        let is_first = self.started == 0;
        let choice = self.best(|choice| {
            matches!(choice.door, Door::Out { .. }) && (is_first || choice.is_last_hope())
        })?;
        let expense = (!is_first).then_some(Expense::PAID);
        self.start(choice, expense, StartReason::LastResort)
    }

    /// The most likely one of these candidates; of equals, the one that was asked least, then the preferred one.
    fn best(&self, is_wanted: impl Fn(&Choice) -> bool) -> Option<usize> {
        let wanted = self.choices.iter().enumerate();
        let wanted = wanted.filter(|(_, choice)| choice.tried != Tried::No && is_wanted(choice));
        let best = wanted.min_by(|(_, a), (_, b)| {
            let by_odds = b.odds.total_cmp(&a.odds);
            by_odds.then(a.tried.calls().cmp(&b.tried.calls()))
        });
        best.map(|(index, _)| index)
    }

    /// Whether a second attempt starts while there is one in flight.
    fn beside(&self) -> Next {
        let none = Next::Await { alarm: None };
        let choice = self
            .untried()
            .or_else(|| self.best(|choice| choice.is_ready(self.now)));
        let Some(choice) = choice.filter(|_| self.in_flight.count < MOST_IN_FLIGHT) else {
            return none;
        };
        let due = self.patience.map(|patience| self.latest_start(patience));
        let reason = if self.in_flight.is_lost_cause {
            StartReason::Ejected
        } else if self.in_flight.is_late {
            StartReason::Late
        } else if due.is_some_and(|due| due <= self.now) {
            StartReason::Impatient
        } else {
            return Next::Await { alarm: due };
        };
        // Who waits for an upstream that is out would fail over anyway, only later: that is free, too.
        let is_free = reason == StartReason::Ejected && self.started <= 1;
        let expense = (!is_free).then_some(Expense::PAID);
        self.start(choice, expense, reason).unwrap_or(none)
    }

    /// When the next candidate must start, so that all that are left can answer one after the other before the client
    /// gives up. Each needs what it usually takes, with a margin, but not more than its share of the time.
    fn latest_start(&self, patience: Instant) -> Instant {
        let left = self.choices.iter().filter(|choice| choice.is_left());
        let time = patience.saturating_duration_since(self.last_start);
        let share = time / (left.clone().count() as u32 + 1).max(2);
        let least = share.min(SHORTEST);
        let needs = left.map(|choice| {
            let usual = choice.needs.map(|needs| needs.mul_f32(MARGIN));
            usual.unwrap_or(share).clamp(least, share)
        });
        let needs = needs.sum::<Duration>().max(least);
        patience.checked_sub(needs).unwrap_or(self.now)
    }

    fn last_cost(&self) -> f64 {
        (self.last_took.as_secs_f64() / WHOLE_TOKEN).min(1.0)
    }

    /// Starts an attempt, if the budget covers it.
    fn start(&self, choice: usize, expense: Option<Expense>, reason: StartReason) -> Option<Next> {
        let is_covered = expense.is_none_or(|expense| self.tokens.cover(expense));
        is_covered.then_some(Next::Start {
            choice,
            expense,
            reason,
        })
    }
}

impl Choice {
    /// Whether it is likely enough to answer that it is worth a call.
    fn is_worthwhile(&self) -> bool {
        !matches!(self.door, Door::CoolingDown { .. } | Door::Shut)
            && self.odds >= LEAST_ODDS
            && self.tried.calls() < calls_until(ENOUGH, self.odds)
    }

    /// Whether a request that would fail otherwise asks it, though health does not admit it.
    fn is_last_hope(&self) -> bool {
        self.tried == Tried::Not && self.odds >= HOPELESS
    }

    /// Whether it may be asked again now, and is worth it.
    fn is_ready(&self, now: Instant) -> bool {
        let is_due = matches!(self.tried, Tried::Again { not_before, .. } if not_before <= now);
        is_due && self.door == Door::Open && self.is_worthwhile()
    }

    /// Whether it may be well again soon, as far as this request can tell.
    fn may_be_soon(&self) -> bool {
        match self.door {
            Door::Open => !self.fails_on_this_request(),
            Door::Out { is_fresh } => is_fresh,
            Door::CoolingDown { .. } | Door::Shut => false,
        }
    }

    /// Whether it likely answers, but has failed on this request more often than bad luck explains.
    fn fails_on_this_request(&self) -> bool {
        let is_unread = matches!(
            self.tried,
            Tried::Again {
                is_unread: true,
                ..
            }
        );
        let explained = calls_until(BEYOND_DOUBT, self.odds);
        !is_unread && self.odds >= LEAST_ODDS && self.tried.calls() >= explained
    }

    /// Whether it is one of those that are asked before the client gives up.
    fn is_left(&self) -> bool {
        self.tried == Tried::Not && self.door == Door::Open
    }

    /// When it may open; `None`: to wait for it makes no sense.
    fn opens_at(&self, now: Instant) -> Option<Instant> {
        if self.tried == Tried::No {
            return None;
        }
        match self.door {
            Door::CoolingDown { until } => Some(until),
            Door::Open | Door::Out { .. } | Door::Shut => self.may_be_soon().then_some(now),
        }
    }

    fn reason(&self) -> StartReason {
        match (self.door, self.tried) {
            (Door::Out { .. }, _) => StartReason::LastResort,
            (Door::Open | Door::CoolingDown { .. } | Door::Shut, tried) => match tried {
                Tried::Not => StartReason::Next,
                Tried::Again { .. } | Tried::No => StartReason::Again,
            },
        }
    }
}

impl Tried {
    fn calls(self) -> u32 {
        match self {
            Self::Not | Self::No => 0,
            Self::Again { calls, .. } => calls,
        }
    }
}

/// How many calls it takes until one has succeeded with the chance `wanted`, if each does with the chance `odds`.
fn calls_until(wanted: f32, odds: f32) -> u32 {
    let calls = (1.0 - wanted).ln() / (1.0 - odds.clamp(0.0, 0.999)).ln();
    calls.ceil() as u32
}

/// The pause before the `n`th call again, from 0: 100 ms, doubled each time, up to 2 s, with full jitter. `draw` is a
/// random number between 0 and 1.
pub fn pause(n: u32, draw: f32) -> Duration {
    let longest = Duration::from_millis(100) * (1u32 << n.min(5));
    longest.min(Duration::from_secs(2)).mul_f32(draw)
}

#[cfg(test)]
mod tests;
