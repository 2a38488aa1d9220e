//! What a reply to a forwarded request means, as far as that can be known.

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION};

use super::error_reply::wait_asked_by;
use super::opening::with_first_event;
use crate::dialect;
use crate::dialect::errors::{self, ErrorReply};
use crate::failover::decisions::target::Target;
use crate::failover::decisions::targets::is_stateless;
use crate::outcome::Outcome;
use crate::request::ModelRequest;
use crate::routing::Candidate;
use crate::upstream::Reply;
use crate::wire::headers::{EVENTS, JSON_TYPE, PAGE, has_media_type};

/// Errors are unpacked: our key may be in them. So is what may be an error or tell the ids of objects, unless it is a part
/// of a file.
pub(super) fn make_legible(reply: &mut Reply) {
    match reply.status {
        400.. => reply.unpack(),
        200..=205 if is_readable(&reply.headers) => reply.unpack(),
        _ => {}
    }
}

/// Whether a body may tell an error, or the ids of objects.
pub(super) fn is_readable(headers: &HeaderMap) -> bool {
    [JSON_TYPE, EVENTS]
        .iter()
        .any(|form| has_media_type(headers, form))
}

/// Whether a reply is an error in readable bytes.
pub(super) fn is_legible_error(request: &ModelRequest, reply: &Reply) -> bool {
    reply.status >= 400 && is_plain(&reply.headers) && request.method != Method::HEAD
}

fn is_plain(headers: &HeaderMap) -> bool {
    let coding = headers.get(CONTENT_ENCODING);
    coding.is_none_or(|coding| coding == "identity")
}

/// Whether a redirect would make the client send its request, and perhaps its key, to the upstream itself. A redirect
/// to another host may be a file to fetch.
pub(super) fn leads_past_us(request: &ModelRequest, candidate: &Candidate, reply: &Reply) -> bool {
    let location = reply.headers.get(LOCATION);
    let host = location.and_then(|location| host_of(location.to_str().ok()?));
    let is_fetched = matches!(request.method, Method::GET | Method::HEAD);
    let leads_there = |host: &str| host_of(candidate.upstream.base_url()) == Some(host);
    matches!(reply.status, 300..=399) && host.is_some_and(|host| !is_fetched || leads_there(host))
}

/// Whether a success is a page, as whoever stands before an upstream shows it: no API answers so. A file may be one.
pub(super) fn is_page(request: &ModelRequest, reply: &Reply) -> bool {
    matches!(reply.status, 200..=299) && !is_file(request) && has_media_type(&reply.headers, PAGE)
}

/// Whether it asks for the content of a file, which may be anything.
pub(super) fn is_file(request: &ModelRequest) -> bool {
    let path = request.path.split('?').next();
    request.method == Method::GET && path.is_some_and(|path| path.ends_with("/content"))
}

/// Whether a success without a body is none. Whoever writes down a recording without a voice answers with an empty text.
pub(super) fn says_something(request: &ModelRequest, reply: &Reply) -> bool {
    let is_text = reply.headers.contains_key(CONTENT_TYPE) && !is_readable(&reply.headers);
    let writes_down = ["/audio/transcriptions", "/audio/translations"];
    let may_be_silent = is_text
        && writes_down
            .iter()
            .any(|path| request.path.starts_with(path));
    is_stateless(request) && request.method == Method::POST && !may_be_silent
}

fn host_of(url: &str) -> Option<&str> {
    url.split_once("//")?.1.split(['/', '?', '#']).next()
}

/// The outcome by status, before the body is read or where it is not. At paths that store things, 404, 409 and 410 are
/// about what the client refers to.
pub(super) fn outcome_by_status(
    request: &ModelRequest,
    status: u16,
    headers: &HeaderMap,
) -> Outcome {
    match status {
        0..=399 => Outcome::Success,
        404 | 409 | 410 if !is_stateless(request) => Outcome::RejectedRequest { status },
        status => errors::classify_status(status, wait_asked_by(headers)),
    }
}

/// Whether an error says that there is nothing at this path. The API's own 404 is about what the request refers to.
pub(super) fn is_lacking(status: u16, body: &[u8]) -> bool {
    match status {
        404 => !matches!(
            errors::classify(&ErrorReply::new(status, body)),
            Outcome::RejectedRequest { .. } | Outcome::ModelUnavailable { .. }
        ),
        405 | 501 => true,
        _ => false,
    }
}

/// An error that came with 200, before anything else. `held`: the beginning of the body.
pub(super) fn error_inside(
    target: &Target<'_>,
    headers: &HeaderMap,
    held: &Bytes,
) -> Option<(Outcome, Bytes)> {
    let wait = wait_asked_by(headers);
    let (outcome, body) = match has_media_type(headers, EVENTS) {
        true => with_first_event(held, |event| {
            let data = event.data.as_deref().unwrap_or_default();
            let data = Bytes::copy_from_slice(data);
            Some((
                dialect::error_in_event(event, wait)?,
                errors::error_of_event(data),
            ))
        })??,
        false if is_plain(headers) => (dialect::error_inside(held, wait)?, held.clone()),
        false => return None,
    };
    let ruled = ErrorReply {
        asked: wait,
        rules: target.candidate.upstream.error_rules(),
        ..ErrorReply::new(outcome.status().unwrap_or(400), &body)
    };
    Some((ruled.ruled_inside().unwrap_or(outcome), body))
}

/// How long a body is, if its head says so.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
