//! Where traces are sent.

use http::{HeaderName, HeaderValue};

use super::notes::Check;
use crate::config::path::Path;
use crate::config::traces::mistake;

impl Check<'_> {
    pub(super) fn traces(&mut self) {
        let path = Path::default().key("traces");
        let config = &self.config.traces;
        if let Some(endpoint) = config.endpoint.as_deref()
            && endpoint != "none"
            && let Some(why) = mistake(endpoint)
        {
            self.note(path.key("endpoint"), why);
        }
        if !(0.0..=1.0).contains(&config.ratio) {
            self.note(path.key("ratio"), "is a part of all requests: from 0 to 1");
        }
        let headers = path.key("headers");
        for (name, value) in &config.headers {
            if name.parse::<HeaderName>().is_err() {
                self.note(headers.key(name), "is no name of a header");
            } else if HeaderValue::from_str(value.expose()).is_err() {
                self.note(headers.key(name), super::keys::UNSENDABLE);
            }
        }
    }
}
