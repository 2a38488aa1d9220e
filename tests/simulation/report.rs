//! The figures of a play.

use crate::play::{Plan, Played, play};
use crate::replica::Replicas;
use crate::request::Request;
use crate::world::Trace;

/// The figures of one trace at one rate, averaged over several seeds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Requests during the fault that failed, broke off or took more than ten seconds, in percent.
    pub(crate) bad: f64,
    /// Requests during the fault that were answered, however late, as a share.
    pub(crate) answered: f64,
    /// Calls per request during the fault, beyond one.
    pub(crate) extra: f64,
    /// Seconds until at most a fifth of the requests go to the faulty upstream first. A last resort does not count: when
    /// all are down, somebody is asked though it is known to be down.
    pub(crate) detection: Option<f64>,
    /// Seconds from the end of the fault until the upstream serves four fifths of the requests again.
    pub(crate) comeback: Option<f64>,
    /// How often the upstream, or a model at it, went out of rotation, per hour.
    pub(crate) ejections: f64,
}

/// When the fault happens at this request rate, and with how many seeds it is played.
pub(crate) fn plan(rate: f64) -> (Plan, u64) {
    match rate {
        ..1.0 => (
            Plan {
                from: 600.0,
                to: 1800.0,
                end: 3600.0,
            },
            8,
        ),
        ..50.0 => (
            Plan {
                from: 120.0,
                to: 720.0,
                end: 1200.0,
            },
            3,
        ),
        _ => (
            Plan {
                from: 30.0,
                to: 120.0,
                end: 300.0,
            },
            1,
        ),
    }
}

/// Plays a trace at a request rate, once for each seed.
pub(crate) fn each(
    replicas: Replicas,
    trace: Trace,
    rate: f64,
    plan: Plan,
    seeds: u64,
) -> Vec<Figures> {
    (0..seeds)
        .map(|seed| of(&play(replicas, trace, rate, plan, seed), rate, plan))
        .collect()
}

/// The averages of several seeds. A time is known if it is in half of them.
pub(crate) fn averages(all: &[Figures]) -> Figures {
    let average =
        |figure: fn(&Figures) -> f64| all.iter().map(figure).sum::<f64>() / all.len() as f64;
    let known = |figure: fn(&Figures) -> Option<f64>| {
        let known: Vec<f64> = all.iter().filter_map(figure).collect();
        (known.len() * 2 >= all.len()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    Figures {
        bad: average(|figures| figures.bad),
        answered: average(|figures| figures.answered),
        extra: average(|figures| figures.extra),
        detection: known(|figures| figures.detection),
        comeback: known(|figures| figures.comeback),
        ejections: average(|figures| figures.ejections),
    }
}

fn of(played: &Played, rate: f64, plan: Plan) -> Figures {
    let requests = &played.requests;
    let during: Vec<&Request> = requests
        .iter()
        .filter(|request| (plan.from..plan.to).contains(&request.at))
        .collect();
    let count = during.len().max(1) as f64;
    let window = if rate < 50.0 { 10 } else { 50 };
    let after = |start: f64| {
        requests
            .iter()
            .position(|request| request.at >= start)
            .unwrap_or(requests.len())
    };
    let detection = first_window(&requests[after(plan.from)..], window, |request| {
        request.first != Some(0)
    });
    let wide = if rate < 50.0 { window } else { 1000 };
    let comeback = first_window(&requests[after(plan.to)..], wide, |request| {
        request.served_by == Some(0)
    });
    Figures {
        bad: 100.0 * during.iter().filter(|request| request.is_bad).count() as f64 / count,
        answered: during
            .iter()
            .filter(|request| request.served_by.is_some())
            .count() as f64
            / count,
        extra: during.iter().map(|request| request.calls).sum::<usize>() as f64 / count - 1.0,
        detection: detection
            .map(|at| at - plan.from)
            .filter(|after| *after < plan.to - plan.from),
        comeback: comeback.map(|at| at - plan.to),
        ejections: played.ejections as f64 / plan.end * 3600.0,
    }
}

/// The beginning of the first window of so many requests of which four fifths are as wanted.
fn first_window(
    requests: &[Request],
    length: usize,
    is_wanted: impl Fn(&Request) -> bool,
) -> Option<f64> {
    let mut wanted: usize = requests
        .iter()
        .take(length)
        .filter(|request| is_wanted(request))
        .count();
    for start in 0..requests.len().checked_sub(length)? {
        if wanted * 5 >= length * 4 {
            return Some(requests[start].at);
        }
        wanted -= usize::from(is_wanted(&requests[start]));
        wanted += usize::from(is_wanted(&requests[start + length]));
    }
    None
}
