//! The URL below which the paths of an API lie.

use std::fmt;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// A URL without a trailing slash. It is taken apart once, and not for each request.
#[derive(Clone, Debug)]
pub(super) struct BaseUrl {
    text: String,
    origin: Option<(Scheme, Authority)>,
    /// Where the path begins.
    path: usize,
    /// The URLs of the paths that nearly all requests ask for.
    usual: Vec<(&'static str, Uri)>,
}

/// They are put together once, and not for each request.
const USUAL: [&str; 5] = [
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/messages",
    "/responses",
];

impl BaseUrl {
    pub(super) fn new(text: &str) -> Self {
        let origin = || {
            let parts = text.parse::<Uri>().ok()?.into_parts();
            parts.scheme.zip(parts.authority)
        };
        let host = text.find("://").map_or(0, |colon| colon + 3);
        let path = text[host..].find(['/', '?', '#']);
        let mut url = Self {
            origin: origin(),
            path: path.map_or(text.len(), |path| host + path),
            text: text.to_owned(),
            usual: Vec::new(),
        };
        let known = USUAL.into_iter();
        url.usual = known
            .filter_map(|path| Some((path, url.with(path).ok()?)))
            .collect();
        url
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL of a path below it.
    pub(super) fn with(&self, path: &str) -> Result<Uri, http::Error> {
        let mut usual = self.usual.iter();
        if let Some((_, url)) = usual.find(|(usual, _)| *usual == path) {
            return Ok(url.clone());
        }
        let Some((scheme, authority)) = &self.origin else {
            return Ok(format!("{self}{path}").parse::<Uri>()?);
        };
        let path = [&self.text[self.path..], path].concat();
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(scheme.clone());
        parts.authority = Some(authority.clone());
        parts.path_and_query = Some(PathAndQuery::try_from(path)?);
        Ok(Uri::from_parts(parts)?)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::BaseUrl;

    #[test]
    fn a_path_below_a_url_is_what_both_are_one_after_the_other() {
        for base in [
            "https://api.example.com/v1",
            "http://127.0.0.1:8080",
            "http://[::1]:8080/a/b",
            "https://api.example.com/v1?key=x&path=",
        ] {
            for path in ["/chat/completions", "/files?after=1&limit=2", "/a%20b"] {
                let url = BaseUrl::new(base).with(path).unwrap();
                let whole: http::Uri = format!("{base}{path}").parse().unwrap();
                assert_eq!(url, whole);
                assert_eq!(url.to_string(), whole.to_string());
            }
        }
        for path in ["/a b", "/ü\u{7f}", "/\n"] {
            assert!(BaseUrl::new("http://localhost/v1").with(path).is_err());
        }
        assert!(BaseUrl::new("").with("/v1").is_ok());
    }
}
