//! The page at `/`: three files out of the program, and what a browser may do with them.

use std::hash::{DefaultHasher, Hash, Hasher};

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};

use super::respond;
use crate::wire::body::Body;

const HTML: &str = include_str!("page/page.html");
const CSS: &str = include_str!("page/page.css");
const JS: &str = include_str!("page/page.js");

/// Nothing from anywhere else, nothing inline, no form that leads away, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// One file of the page; `None`: there is none at this path.
pub(super) fn file(path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
    let (text, media_type) = match path {
        "/" => (HTML, "text/html; charset=utf-8"),
        "/page.css" => (CSS, "text/css; charset=utf-8"),
        "/page.js" => (JS, "text/javascript; charset=utf-8"),
        _ => return None,
    };
    let tag = tag(text)?;
    let is_known = headers.get(IF_NONE_MATCH) == Some(&tag);
    let mut response = match is_known {
        true => respond::text(StatusCode::NOT_MODIFIED, ""),
        false => {
            let media_type = HeaderValue::from_static(media_type);
            respond::with_type(StatusCode::OK, media_type, text)
        }
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, tag);
    // Asked for each time, so that page and program are of one version.
    for (name, value) in [
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (OPENER, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Some(response)
}

/// Another tag for another text.
fn tag(text: &str) -> Option<HeaderValue> {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    HeaderValue::from_str(&format!("\"{:016x}\"", hasher.finish())).ok()
}

#[cfg(test)]
mod tests {
    use super::{CSS, HTML, JS};

    #[test]
    fn the_page_is_small_and_asks_nobody_else() {
        let size = HTML.len() + CSS.len() + JS.len();
        assert!(size < 60 << 10, "{size} bytes");
        for text in [HTML, CSS, JS] {
            let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("://"), "{elsewhere}");
            assert!(!text.contains("style="), "no style is inline");
        }
        for inline in ["<style", "onclick", "<script>"] {
            assert!(!HTML.contains(inline), "{inline}");
        }
    }
}
