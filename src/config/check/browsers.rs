//! Hosts and origins as browsers write them.

use super::notes::Check;
use crate::config::path::Path;

impl Check<'_> {
    pub(super) fn hosts(&mut self) {
        let hosts = Path::default().key("hosts");
        for (index, name) in self.config.hosts.iter().enumerate() {
            let path = hosts.index(index);
            if self.found.is_spoilt(&path) {
                continue;
            }
            if let Some(why) = wrong_host(name) {
                let message = format!("`{}` {why}", self.found.shown(&path, name));
                let hint = "write for example backstop or llm.example.com, or \"*\" for any name";
                self.found.note(path, message, Some(hint.to_owned()));
            }
        }
    }

    pub(super) fn cors(&mut self) {
        let cors = Path::default().key("cors");
        for (index, origin) in self.config.cors.iter().enumerate() {
            let path = cors.index(index);
            if self.found.is_spoilt(&path) {
                continue;
            }
            if origin == "*" && self.config.clients.is_empty() {
                let clients = Path::default().key("clients");
                if !self.found.is_spoilt(&clients) {
                    self.note(path, "`*` lets every web page spend your keys: list origins, or list `clients`, whose keys pages must know");
                }
            } else if let Some(why) = wrong_origin(origin) {
                let message = format!("`{}` {why}", self.found.shown(&path, origin));
                let hint = "write for example https://chat.example.com or http://localhost:3000";
                self.found.note(path, message, Some(hint.to_owned()));
            }
        }
    }
}

fn wrong_host(name: &str) -> Option<&'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name == "*" {
        None
    } else if name.contains("://") || name.contains(['/', ':', '[']) {
        Some(
            "is more than a name: leave out scheme, port and path; IP addresses need not be listed",
        )
    } else if name.contains('*') {
        Some("is a pattern, and only whole names are compared")
    } else if name.is_empty() || !name.chars().all(is_plain) || name.ends_with('.') {
        Some("is not the name of a host")
    } else {
        None
    }
}

/// An origin is a scheme and a host, and a port where that is not the scheme's own: nothing else is ever sent as one.
fn wrong_origin(origin: &str) -> Option<&'static str> {
    if origin == "*" {
        return None;
    }
    if origin == "null" {
        return Some("is the origin of any page that hides its own, so it cannot be listed");
    }
    let Some((scheme, host)) = origin.split_once("://") else {
        return Some("is not an origin: it needs a scheme and a host");
    };
    let is_default =
        scheme == "https" && host.ends_with(":443") || scheme == "http" && host.ends_with(":80");
    if host.contains('*') {
        Some("is a pattern, and only whole origins are compared")
    } else if host.contains(['/', '?', '#', '@']) {
        Some(
            "is more than an origin: leave out everything behind the host and its port, a slash too",
        )
    } else if is_default {
        Some("has the port that the scheme has anyway, which browsers leave out")
    } else if scheme.is_empty() || host.is_empty() || !origin.bytes().all(|b| b.is_ascii_graphic())
    {
        Some("is not an origin: it needs a scheme and a host")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::wrong_host;

    #[test]
    fn a_host_is_a_whole_name_and_nothing_else() {
        for (name, is_right) in [
            ("*", true),
            ("backstop", true),
            ("my-host.example.com", true),
            ("", false),
            ("my host", false),
            ("example.com.", false),
            ("*.example.com", false),
            ("example.com:4000", false),
            ("http://example.com", false),
            ("[::1]", false),
        ] {
            assert_eq!(wrong_host(name).is_none(), is_right, "{name}");
        }
    }
}
