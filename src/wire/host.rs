//! Checks that a request names its host as HTTP demands (RFC 9112, section 3.2; RFC 9113, section 8.3.1).

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderValue, Version};
use thiserror::Error;

/// What is wrong with a request's Host.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HostError {
    /// It is missing.
    #[error("the request has no Host header")]
    Missing,
    /// There is more than one.
    #[error("the request has more than one Host header")]
    Repeated,
    /// It is not a name or address with an optional port.
    #[error("the Host header is not a host name or address")]
    Invalid,
    /// It differs from `:authority`.
    #[error("the Host header and :authority differ")]
    Conflicting,
}

/// Checks that a request names exactly one host, or none where HTTP allows that: in HTTP/1.0.
pub fn check_host(head: &Parts) -> Result<(), HostError> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(HostError::Repeated);
    }
    let authority = head.uri.authority();
    let Some(host) = host else {
        let is_needed = match head.version {
            Version::HTTP_09 | Version::HTTP_10 => false,
            Version::HTTP_11 => true,
            _ => authority.is_none(),
        };
        return if is_needed {
            Err(HostError::Missing)
        } else {
            Ok(())
        };
    };
    if head.version < Version::HTTP_2 && is_plain(host.as_bytes()) {
        return Ok(());
    }
    let host = parse(host).ok_or(HostError::Invalid)?;
    if head.version >= Version::HTTP_2 && authority.is_some_and(|authority| *authority != host) {
        return Err(HostError::Conflicting);
    }
    Ok(())
}

/// Whether a host is an ordinary name or address with an ordinary port or none, as almost all are.
fn is_plain(host: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let mut parts = host.splitn(2, |byte| *byte == b':');
    let name = parts.next().unwrap_or_default();
    let is_port = |port: &[u8]| port.len() <= 4 && port.iter().all(u8::is_ascii_digit);
    !name.is_empty() && name.iter().all(is_plain) && parts.next().is_none_or(is_port)
}

fn parse(host: &HeaderValue) -> Option<Authority> {
    let authority: Authority = host.to_str().ok()?.parse().ok()?;
    let has_user = authority.as_str().contains('@');
    let has_bad_port = authority.as_str().len() > authority.host().len()
        && authority.port_u16().is_none()
        && !authority.as_str().ends_with(':');
    (!has_user && !has_bad_port && !authority.host().is_empty()).then_some(authority)
}

#[cfg(test)]
mod tests {
    use http::{Request, Version};

    use super::{HostError, check_host};

    fn check(version: Version, uri: &str, hosts: &[&str]) -> Result<(), HostError> {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header("host", *host);
        }
        check_host(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_request_names_one_host() {
        let one = Version::HTTP_11;
        for host in [
            "x",
            "x.y",
            "x:1",
            "x:",
            "127.0.0.1:4000",
            "[::1]:4000",
            "[::1]",
        ] {
            assert_eq!(check(one, "/", &[host]), Ok(()), "{host}");
        }
        for host in [
            "", ":80", "a b", "a/b", "a@b", "a:b", "a:99999", "[::1", "a?b", "é",
        ] {
            assert_eq!(check(one, "/", &[host]), Err(HostError::Invalid), "{host}");
        }
        assert_eq!(check(one, "/", &[]), Err(HostError::Missing));
        assert_eq!(check(one, "http://x/", &[]), Err(HostError::Missing));
        assert_eq!(check(Version::HTTP_10, "/", &[]), Ok(()));
        for version in [Version::HTTP_10, one, Version::HTTP_2] {
            let twice = check(version, "http://x/", &["x", "x"]);
            assert_eq!(twice, Err(HostError::Repeated));
        }
    }

    #[test]
    fn http_2_names_it_as_authority() {
        let two = Version::HTTP_2;
        assert_eq!(check(two, "http://x/", &[]), Ok(()));
        assert_eq!(check(two, "http://x/", &["X"]), Ok(()));
        assert_eq!(check(two, "http://x/", &["y"]), Err(HostError::Conflicting));
        assert_eq!(check(two, "/", &["x"]), Ok(()));
        assert_eq!(check(two, "/", &[]), Err(HostError::Missing));
    }
}
