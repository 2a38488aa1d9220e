//! Bounds of times and sizes.

use std::time::Duration;

use super::notes::Check;
use crate::config::path::Path;
use crate::config::route::RouteConfig;
use crate::config::timeouts::TimeoutsOverride;
use crate::config::upstream::{UpstreamConfig, UpstreamId};

/// Anything longer is a mistake, and could not be added to a point in time.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// What the reader of heads takes in any case, in bytes.
const SMALLEST_HEADS: usize = 8 << 10;
/// More at a time is a mistake, and could not be counted by all that count it.
const MOST: usize = 1_000_000_000;

impl Check<'_> {
    pub(super) fn timeouts(&mut self) {
        let timeouts = &self.config.timeouts;
        let path = Path::default().key("timeouts");
        let written = TimeoutsOverride {
            connect: Some(timeouts.connect),
            headers: timeouts.headers,
            first_token: Some(timeouts.first_token),
            answer: timeouts.answer,
            idle: Some(timeouts.idle),
            content: Some(timeouts.content),
            reasoning: Some(timeouts.reasoning),
            total: Some(timeouts.total),
            min_rate: timeouts.min_rate,
        };
        self.written_timeouts(&written, &path);
        self.duration(&path, "keepalive", timeouts.keepalive);
        self.not_endless(path.key("wait"), timeouts.wait);
        if timeouts.first_token > timeouts.total && !self.found.is_spoilt(&path.key("total")) {
            let message = format!(
                "is {:?}, and so longer than timeouts.total",
                timeouts.first_token
            );
            let hint = "write a shorter one, or a longer total".to_owned();
            self.found
                .note(path.key("first_token"), message, Some(hint));
        }
    }

    /// Checks the timeouts of an upstream.
    pub(super) fn timeouts_of_upstream(&mut self, upstream: &UpstreamConfig, path: &Path) {
        let path = path.key("timeouts");
        self.written_timeouts(&upstream.timeouts, &path);
        self.no_total(&upstream.timeouts, &path);
    }

    /// Checks the timeouts of a route and its candidates.
    pub(super) fn timeouts_of_route(&mut self, route: &RouteConfig, path: &Path) {
        let total = route.timeouts.over(&self.config.timeouts).total;
        let candidates = path.key("candidates");
        let path = path.key("timeouts");
        self.written_timeouts(&route.timeouts, &path);
        self.no_connect(&route.timeouts, &path);
        self.within_total(&route.timeouts, total, &path);
        for (index, candidate) in route.candidates.iter().enumerate() {
            let path = candidates.index(index).key("timeouts");
            self.written_timeouts(&candidate.timeouts, &path);
            self.no_connect(&candidate.timeouts, &path);
            self.no_total(&candidate.timeouts, &path);
            self.within_total(&candidate.timeouts, total, &path);
        }
    }

    /// Checks how many requests an upstream serves at a time.
    pub(super) fn concurrency(&mut self, id: &UpstreamId, upstream: &UpstreamConfig, path: &Path) {
        if upstream.concurrency == Some(0) {
            self.note(path.key("concurrency"), "must be at least 1");
        }
        let queue = path.key("queue");
        self.not_countless(path.key("concurrency"), upstream.concurrency);
        self.not_countless(queue.key("requests"), Some(upstream.queue.requests));
        if upstream.concurrency.is_none() && self.is_written(id, "queue") {
            self.note(queue, "is for upstreams with `concurrency` only");
        } else {
            self.not_endless(queue.key("time"), upstream.queue.time);
        }
    }

    fn written_timeouts(&mut self, timeouts: &TimeoutsOverride, path: &Path) {
        for (name, duration) in [
            ("connect", timeouts.connect),
            ("headers", timeouts.headers),
            ("first_token", timeouts.first_token),
            ("answer", timeouts.answer),
            ("idle", timeouts.idle),
            ("content", timeouts.content),
            ("reasoning", timeouts.reasoning),
            ("total", timeouts.total),
        ] {
            if let Some(duration) = duration {
                self.duration(path, name, duration);
            }
        }
        if timeouts
            .min_rate
            .is_some_and(|rate| rate <= 0.0 || !rate.is_finite())
        {
            self.note(
                path.key("min_rate"),
                "must be more than 0; leave it out for none",
            );
        }
    }

    /// Checks how long requests of a route may wait.
    pub(super) fn wait(&mut self, route: &RouteConfig, path: &Path) {
        if let Some(wait) = route.wait {
            self.not_endless(path.key("wait"), wait);
        }
    }

    fn no_total(&mut self, timeouts: &TimeoutsOverride, path: &Path) {
        if timeouts.total.is_some() {
            self.note(
                path.key("total"),
                "bounds all attempts of a request together: set it in `timeouts` of the route or of the file",
            );
        }
    }

    fn no_connect(&mut self, timeouts: &TimeoutsOverride, path: &Path) {
        if timeouts.connect.is_some() {
            self.note(
                path.key("connect"),
                "belongs to connections, which all routes share: set it in `timeouts` of the upstream",
            );
        }
    }

    fn within_total(&mut self, timeouts: &TimeoutsOverride, total: Duration, path: &Path) {
        if timeouts.first_token.is_some_and(|first| first > total) {
            self.note(
                path.key("first_token"),
                "is longer than the route's timeouts.total",
            );
        }
    }

    /// Checks that a duration is neither nothing nor endless.
    pub(super) fn duration(&mut self, path: &Path, name: &str, duration: Duration) {
        if duration.is_zero() {
            self.note(path.key(name), "must be longer than nothing");
        }
        self.not_endless(path.key(name), duration);
    }

    /// Checks how much of a stream a route keeps back.
    pub(super) fn hold(&mut self, route: &RouteConfig, path: &Path) {
        let Some(hold) = &route.hold else { return };
        let path = path.key("hold");
        let is_spoilt = |key: &str| self.found.is_spoilt(&path.key(key));
        if is_spoilt("tokens") || is_spoilt("time") {
            return;
        }
        if hold.tokens.is_none() && hold.time.is_none() {
            self.note(path, "needs `tokens`, `time` or both");
            return;
        }
        if let Some(time) = hold.time {
            self.not_endless(path.key("time"), time);
        }
    }

    fn not_endless(&mut self, path: Path, duration: Duration) {
        if duration > LONGEST {
            self.note(path, "must not be longer than 365 days");
        }
    }

    fn not_countless(&mut self, path: Path, count: Option<usize>) {
        if count > Some(MOST) {
            self.note(path, "must not be more than 1000000000");
        }
    }

    pub(super) fn limits(&mut self) {
        let limits = &self.config.limits;
        let path = Path::default().key("limits");
        let all = [
            ("body", limits.body),
            ("memory", limits.memory),
            ("headers", limits.headers),
            ("connections", limits.connections),
            ("requests", limits.requests),
        ];
        for (name, limit) in all {
            if limit == 0 {
                self.note(path.key(name), "must be at least 1");
            }
        }
        if (1..SMALLEST_HEADS).contains(&limits.headers) {
            self.note(path.key("headers"), "must be at least 8KiB");
        }
        self.not_countless(path.key("connections"), Some(limits.connections));
        self.not_countless(path.key("requests"), Some(limits.requests));
        if limits.memory < limits.body && !self.found.is_spoilt(&path.key("body")) {
            self.note(
                path.key("memory"),
                "is less than limits.body: the largest request could never be served",
            );
        }
        for (name, duration) in [
            ("idle_connection", limits.idle_connection),
            ("write", limits.write),
        ] {
            self.duration(&path, name, duration);
        }
        self.not_endless(path.key("queueing"), limits.queueing);
        self.not_endless(path.key("shutdown_delay"), limits.shutdown_delay);
        self.not_endless(path.key("drain"), limits.drain);
    }
}
