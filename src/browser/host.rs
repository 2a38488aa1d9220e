//! The host names under which the proxy may be addressed.

use std::net::IpAddr;

use http::header::HOST;
use http::request::Parts;
use memchr::memchr;

/// Any name, or the local names and the listed ones.
#[derive(Clone, Debug)]
pub(super) enum Hosts {
    Any,
    Listed(Vec<Box<str>>),
}

impl Hosts {
    pub(super) fn any() -> Self {
        Self::Any
    }

    pub(super) fn listed(names: &[String]) -> Self {
        if names.iter().any(|name| name == "*") {
            return Self::Any;
        }
        Self::Listed(names.iter().map(|name| name.as_str().into()).collect())
    }

    /// A host name in the request that is not ours. An absolute target, and HTTP/2, name a host in the target; a name
    /// in `host` must be ours in any case.
    pub(super) fn unlisted_host(&self, head: &Parts) -> Option<String> {
        let Self::Listed(listed) = self else {
            return None;
        };
        let target = head.uri.authority().map(|name| name.as_str().as_bytes());
        let hosts = head.headers.get_all(HOST).iter();
        target
            .into_iter()
            .chain(hosts.map(http::HeaderValue::as_bytes))
            // Browsers never leave it empty.
            .filter(|name| !name.is_empty())
            .find_map(|name| unlisted_name(name, listed))
    }
}

fn unlisted_name(authority: &[u8], listed: &[Box<str>]) -> Option<String> {
    let host = host_of(authority);
    let is_ours = host.is_some_and(|host| is_ours(host, listed));
    (!is_ours).then(|| String::from_utf8_lossy(host.unwrap_or(authority)).into_owned())
}

/// The host of `host`, `host:port` or `[address]:port`.
fn host_of(authority: &[u8]) -> Option<&[u8]> {
    let (host, port) = match authority.strip_prefix(b"[") {
        Some(rest) => {
            let end = memchr(b']', rest)?;
            (&rest[..end], &rest[end + 1..])
        }
        None => authority.split_at(memchr(b':', authority).unwrap_or(authority.len())),
    };
    let is_port = |port: &[u8]| port.iter().all(u8::is_ascii_digit);
    (port.is_empty() || port.strip_prefix(b":").is_some_and(is_port)).then_some(host)
}

fn is_ours(host: &[u8], listed: &[Box<str>]) -> bool {
    // A trailing dot does not change the name.
    let host = host.strip_suffix(b".").unwrap_or(host);
    // What most clients on the same machine write, before a text is read as an address.
    if matches!(host, b"127.0.0.1" | b"localhost") {
        return true;
    }
    // An IP address involves no DNS, so no page can rebind it to us.
    if let Some(address) = address(host)
        && !address.to_canonical().is_unspecified()
    {
        return true;
    }
    // 0.0.0.0 leads to this machine, but browsers do not treat it as local, and omit the headers that identify pages.
    let is = |name: &str| name.as_bytes().eq_ignore_ascii_case(host);
    is_localhost(host) || listed.iter().any(|name| is(name))
}

fn address(host: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(host).ok()?.parse().ok()
}

/// `localhost` and the names below it always mean this machine (RFC 6761, section 6.3).
fn is_localhost(host: &[u8]) -> bool {
    let name = host.rsplit(|byte| *byte == b'.').next();
    name.is_some_and(|name| name.eq_ignore_ascii_case(b"localhost"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::Hosts;

    fn refused(hosts: &Hosts, target: &str, host: &str) -> Option<String> {
        let request = Request::get(target).header("host", host).body(()).unwrap();
        hosts.unlisted_host(&request.into_parts().0)
    }

    #[test]
    fn this_machine_addresses_and_listed_names_are_ours() {
        let hosts = Hosts::listed(&["backstop".to_owned(), "LLM.example.com".to_owned()]);
        for host in [
            "localhost",
            "LocalHost:4000",
            "localhost.",
            "app.localhost:4000",
            "127.0.0.1:4000",
            "127.8.9.1",
            "192.168.1.5:4000",
            "[::1]:4000",
            "[::1]",
            "[fd00::5]:4000",
            "backstop:4000",
            "llm.example.com",
            "",
        ] {
            assert_eq!(refused(&hosts, "/", host), None, "{host}");
        }
    }

    #[test]
    fn other_names_are_not() {
        let hosts = Hosts::listed(&["backstop".to_owned()]);
        for (host, name) in [
            ("evil.example:4000", "evil.example"),
            ("localhost.evil.example", "localhost.evil.example"),
            ("127.0.0.1.evil.example", "127.0.0.1.evil.example"),
            ("notlocalhost", "notlocalhost"),
            ("backstop.evil.example", "backstop.evil.example"),
            ("0.0.0.0:4000", "0.0.0.0"),
            ("[::]:4000", "::"),
            ("[::ffff:0.0.0.0]", "::ffff:0.0.0.0"),
            ("0x7f.1", "0x7f.1"),
            ("2130706433", "2130706433"),
            ("127.0.0.1:80@evil.example", "127.0.0.1:80@evil.example"),
            ("[::1]evil.example", "[::1]evil.example"),
            ("[::1", "[::1"),
            (":4000", ""),
        ] {
            assert_eq!(refused(&hosts, "/", host).as_deref(), Some(name), "{host}");
        }
    }

    #[test]
    fn every_name_in_a_request_counts() {
        let hosts = Hosts::listed(&[]);
        let refused = |target, host| refused(&hosts, target, host).is_some();
        assert!(refused("http://evil.example/v1", "127.0.0.1:4000"));
        assert!(refused("http://127.0.0.1:4000/v1", "evil.example"));
        assert!(!refused("http://127.0.0.1:4000/v1", "127.0.0.1:4000"));

        let any = Hosts::listed(&["backstop".to_owned(), "*".to_owned()]);
        assert_eq!(super::tests::refused(&any, "/", "evil.example"), None);
    }
}
