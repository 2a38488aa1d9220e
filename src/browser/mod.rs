//! Browsers: which web pages may use the proxy, and by which host names it may be addressed.
//!
//! A browser sends requests for any page that somebody opens, also to loopback and private addresses. A page of another
//! origin is recognised by `origin` and `sec-fetch-site`, which no page can forge. A page whose own name was made to
//! resolve to our address (DNS rebinding) counts as same-origin, and is recognised by the name in `host`.
//!
//! *Invariant:* only this module decides about hosts and origins, and only it writes `access-control-*`.

mod cors;
mod host;
mod origin;
mod refused;

use http::HeaderMap;
use http::header::{HeaderValue, ORIGIN};
use http::request::Parts;

pub use cors::METHODS;
pub use refused::Refused;

use self::host::Hosts;
use self::origin::Origins;
use crate::config::Config;

/// The browser policy of one of our addresses.
#[derive(Clone, Debug)]
pub struct BrowserPolicy {
    hosts: Hosts,
    origins: Origins,
}

impl BrowserPolicy {
    /// The policy of the clients' address. If `clients` are configured, any host name is accepted: a page under a
    /// foreign name has no key.
    pub fn for_clients(config: &Config) -> Self {
        Self {
            hosts: match config.clients.as_slice() {
                [] => Hosts::listed(&config.hosts),
                _ => Hosts::any(),
            },
            origins: Origins::listed(&config.cors),
        }
    }

    /// The policy of the operators' address, which has no keys and admits no page of another origin.
    pub fn for_operators(config: &Config) -> Self {
        Self {
            hosts: Hosts::listed(&config.hosts),
            origins: Origins::default(),
        }
    }

    /// Rejects a request of a page that is not admitted.
    pub fn admit(&self, head: &Parts) -> Result<(), Refused> {
        self.admit_host(head)?;
        self.origins.admit(head)
    }

    /// Rejects a request for a name that is not ours, and asks about no page.
    pub fn admit_host(&self, head: &Parts) -> Result<(), Refused> {
        match self.hosts.unlisted_host(head) {
            Some(name) => Err(Refused::Host(name)),
            None => Ok(()),
        }
    }

    /// The origin of a request, if it is listed.
    pub fn listed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        self.origins.lists(origin).then(|| origin.clone())
    }

    /// Lets the page of a listed origin read a response.
    pub fn open_to(&self, origin: Option<HeaderValue>, answer: &mut HeaderMap) {
        if !self.origins.is_empty() {
            cors::open_to(origin, answer);
        }
    }

    /// The headers of the response to OPTIONS. No upstream is involved.
    pub fn options(&self, head: &Parts) -> HeaderMap {
        cors::options(&head.headers, self.listed_origin(&head.headers).is_some())
    }
}
