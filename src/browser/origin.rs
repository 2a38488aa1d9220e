//! The web pages that may call the proxy.

use http::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use http::request::Parts;

use super::refused::Refused;

/// How the browser classifies the page that sent the request, also if it sends no origin: `same-origin`, `same-site`,
/// `cross-site`, or `none` for what a person has typed.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Listed origins, such as `https://chat.example.com`.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    listed: Vec<Box<str>>,
    is_any: bool,
}

impl Origins {
    pub(super) fn listed(origins: &[String]) -> Self {
        Self {
            is_any: origins.iter().any(|origin| origin == "*"),
            listed: origins
                .iter()
                .map(|origin| origin.as_str().into())
                .collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    pub(super) fn lists(&self, origin: &HeaderValue) -> bool {
        let origin = origin.as_bytes();
        let mut listed = self.listed.iter().map(|listed| listed.as_bytes());
        self.is_any || listed.any(|listed| listed.eq_ignore_ascii_case(origin))
    }

    /// Programs send neither header, and are admitted. A request of a page of another origin is rejected unless that
    /// origin is listed, even for a link or an image: each would reach an upstream with our key.
    pub(super) fn admit(&self, head: &Parts) -> Result<(), Refused> {
        if self.is_any {
            return Ok(());
        }
        let site = head.headers.get(SITE);
        let is_elsewhere = site.is_some_and(|site| site != "same-origin" && site != "none");
        let mut origins = head.headers.get_all(ORIGIN).iter().peekable();
        if origins.peek().is_none() && is_elsewhere {
            return Err(Refused::Nameless);
        }
        let mut unlisted = origins
            .filter(|origin| !self.lists(origin))
            .filter(|origin| is_elsewhere || !is_our_own(origin, head));
        match unlisted.next() {
            // A list that contained it would admit any page that hides its origin.
            Some(origin) if origin == "null" => Err(Refused::Nameless),
            Some(origin) => {
                let origin = String::from_utf8_lossy(origin.as_bytes());
                Err(Refused::Origin(origin.into_owned()))
            }
            None => Ok(()),
        }
    }
}

/// Whether the page has the origin of the request's target. The scheme is not compared: TLS may end at a proxy before
/// us.
fn is_our_own(origin: &HeaderValue, head: &Parts) -> bool {
    let origin = origin.as_bytes();
    let authority = origin
        .strip_prefix(b"http://")
        .or_else(|| origin.strip_prefix(b"https://"));
    let target = head.uri.authority().map(|name| name.as_str().as_bytes());
    let ours = target.or_else(|| head.headers.get(HOST).map(HeaderValue::as_bytes));
    match (authority, ours) {
        (Some(authority), Some(ours)) => authority.eq_ignore_ascii_case(ours),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::{Origins, Refused};

    fn is_admitted(listed: &[&str], headers: &[(&str, &str)]) -> bool {
        let listed: Vec<String> = listed.iter().map(ToString::to_string).collect();
        let mut request = Request::get("/").header("host", "127.0.0.1:4000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        match Origins::listed(&listed).admit(&head) {
            Ok(()) => true,
            Err(Refused::Origin(_) | Refused::Nameless) => false,
            Err(Refused::Host(host)) => panic!("{host}"),
        }
    }

    #[test]
    fn programs_our_own_pages_and_listed_ones_pass() {
        let listed = ["https://chat.example.com", "app://obsidian.md"];
        let passing: [&[(&str, &str)]; 7] = [
            &[],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-origin")],
            &[("origin", "http://127.0.0.1:4000")],
            &[
                ("origin", "https://127.0.0.1:4000"),
                ("sec-fetch-site", "same-origin"),
            ],
            &[
                ("origin", "https://chat.example.com"),
                ("sec-fetch-site", "cross-site"),
            ],
            &[("origin", "app://obsidian.md")],
        ];
        for headers in passing {
            assert!(is_admitted(&listed, headers), "{headers:?}");
        }
    }

    #[test]
    fn other_pages_do_not() {
        let listed = ["https://chat.example.com"];
        let refused: [&[(&str, &str)]; 11] = [
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
            &[("origin", "")],
            &[("origin", "http://127.0.0.1:4001")],
            &[("origin", "http://127.0.0.1")],
            &[("origin", "http://localhost:4000")],
            &[("origin", "https://chat.example.com.evil.example")],
            &[("origin", "http://chat.example.com")],
            &[
                ("origin", "https://chat.example.com"),
                ("origin", "https://evil.example"),
            ],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
        ];
        for headers in refused {
            assert!(!is_admitted(&listed, headers), "{headers:?}");
            assert!(is_admitted(&["*"], headers), "{headers:?}");
        }
        // The browser knows better than a comparison of names.
        let disguised = [
            ("origin", "http://127.0.0.1:4000"),
            ("sec-fetch-site", "cross-site"),
        ];
        assert!(!is_admitted(&[], &disguised));
    }
}
