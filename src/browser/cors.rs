//! Lets pages of other origins read our responses (Fetch Standard, section 3.3, "CORS protocol").

use http::HeaderMap;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ALLOW, HeaderName, HeaderValue, ORIGIN, VARY,
};

/// The methods that are served.
pub const METHODS: HeaderValue =
    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

/// A preflight has this header if a page of a public address calls a private one.
const REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");

/// How long a browser may cache a preflight, in seconds; no browser caches longer than a day.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// Names the origin that may read the response, if there is one. `vary` is set in any case, because the response
/// depends on the origin.
pub(super) fn open_to(origin: Option<HeaderValue>, answer: &mut HeaderMap) {
    answer.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        // All headers: what must not be seen has been removed for every client.
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    }
}

/// The allowed methods and headers. The page of a listed origin may send any header that it requests, as programs may.
pub(super) fn options(asked: &HeaderMap, is_listed: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ALLOW, METHODS);
    let is_preflight =
        asked.contains_key(ORIGIN) && asked.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if !is_preflight || !is_listed {
        return headers;
    }
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    if let Some(names) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        headers.append(
            VARY,
            HeaderValue::from_static("access-control-request-headers"),
        );
    }
    if asked.contains_key(REQUEST_PRIVATE_NETWORK) {
        headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
    }
    headers
}
