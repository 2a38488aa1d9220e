//! Bounds of times and sizes.

use std::time::Duration;

use super::notes::Check;
use crate::config::path::Path;
use crate::config::route::RouteConfig;

/// Anything longer is a mistake, and could not be added to a point in time.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Check<'_> {
    pub(super) fn timeouts(&mut self) {
        let timeouts = &self.config.timeouts;
        let path = Path::default().key("timeouts");
        for (name, duration) in [
            ("connect", Some(timeouts.connect)),
            ("headers", timeouts.headers),
            ("first_token", Some(timeouts.first_token)),
            ("answer", timeouts.answer),
            ("idle", Some(timeouts.idle)),
            ("content", Some(timeouts.content)),
            ("reasoning", Some(timeouts.reasoning)),
            ("total", Some(timeouts.total)),
            ("keepalive", Some(timeouts.keepalive)),
        ] {
            let Some(duration) = duration else { continue };
            if duration.is_zero() {
                self.note(path.key(name), "must be longer than nothing");
            }
            self.not_endless(path.key(name), duration);
        }
        self.not_endless(path.key("wait"), timeouts.wait);
        if timeouts.first_token > timeouts.total && !self.found.is_spoilt(&path.key("total")) {
            self.note(path.key("first_token"), "is longer than timeouts.total");
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
            if duration.is_zero() {
                self.note(path.key(name), "must be longer than nothing");
            }
            self.not_endless(path.key(name), duration);
        }
        self.not_endless(path.key("drain"), limits.drain);
    }
}
