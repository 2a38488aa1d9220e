//! What operators may do: take an upstream out and put it back, reload the configuration.
//!
//! An action needs the token of the configuration, compared in constant time. That it comes with JSON's content type
//! keeps out what a page of another origin can send without asking first; hosts and origins are checked before.

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde_json::json;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::current::Current;
use super::reloader::{Reloader, TakenOver};
use super::respond;
use crate::config::{Secret, UpstreamId};
use crate::event::{Event, Events};
use crate::health::Health;
use crate::routing::{Candidate, RouteTable};
use crate::wire::body::Body;
use crate::wire::headers::{JSON_TYPE, has_media_type};
use crate::wire::query::unescaped;

/// What an operator wants to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    TakeOut(UpstreamId),
    PutBack(UpstreamId),
    Reload,
}

const OFF: &str = "actions are off: set a token in the configuration and reload, for example \
                   admin: {listen: \"127.0.0.1:4001\", token: \"${BACKSTOP_ADMIN_TOKEN}\"}";
const NO_TOKEN: &str = "an action needs the token of `admin` as authorization: Bearer TOKEN";
const WRONG_TOKEN: &str = "the token is not the one of `admin` in the configuration";
const NOT_JSON: &str = "an action must come with content-type: application/json";
const NO_READER: &str = "this program has no configuration file that could be read again";

impl Action {
    /// The action at a path, if there is one.
    pub(super) fn at(path: &str) -> Option<Self> {
        if path == "/api/reload" {
            return Some(Self::Reload);
        }
        let rest = path.strip_prefix("/api/upstreams/")?;
        let (name, what) = rest.split_once('/')?;
        let upstream = UpstreamId::from(unescaped(name)?);
        match what {
            "out" => Some(Self::TakeOut(upstream)),
            "in" => Some(Self::PutBack(upstream)),
            _ => None,
        }
    }
}

/// The answer to a request that may not act.
pub(super) fn refused(headers: &HeaderMap, token: Option<&Secret>) -> Option<Response<Body>> {
    if !has_media_type(headers, JSON_TYPE) {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Some(respond::error(status, NOT_JSON));
    }
    let Some(token) = token else {
        return Some(respond::error(StatusCode::FORBIDDEN, OFF));
    };
    let Some(presented) = bearer(headers) else {
        return Some(unauthorized(NO_TOKEN));
    };
    let is_right = bool::from(token.expose().as_bytes().ct_eq(presented));
    (!is_right).then(|| unauthorized(WRONG_TOKEN))
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

fn unauthorized(message: &str) -> Response<Body> {
    let mut response = respond::error(StatusCode::UNAUTHORIZED, message);
    let bearer = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    response
}

/// Takes an upstream out, or puts it back.
pub(super) fn switch(
    upstream: &UpstreamId,
    is_out: bool,
    health: &Health,
    events: &Events,
    current: &Current,
) -> Response<Body> {
    let changed = match is_out {
        true => health.take_out(upstream, Instant::now()),
        false => health.put_back(upstream),
    };
    let Some(changed) = changed else {
        let message = format!("there is no upstream `{upstream}`");
        return respond::error(StatusCode::NOT_FOUND, &message);
    };
    if changed {
        let upstream = upstream.clone();
        events.emit(&match is_out {
            true => Event::TakenOut { upstream },
            false => Event::PutBack { upstream },
        });
    }
    respond::json(
        StatusCode::OK,
        &json!({
            "upstream": upstream.as_ref(),
            "taken_out": is_out,
            "changed": changed,
            "unanswered": unanswered(&current.routes),
        }),
    )
}

/// The patterns whose candidates have all been taken out.
fn unanswered(routes: &RouteTable) -> Vec<&str> {
    let is_out = |candidate: &Candidate| candidate.health.is_taken_out();
    let rules = routes.rules().iter();
    let unanswered = rules.filter(|rule| rule.candidates.iter().all(is_out));
    unanswered.map(|rule| &**rule.pattern.as_str()).collect()
}

/// Has the configuration read again.
pub(super) async fn reload(reloader: &Reloader) -> Response<Body> {
    match reloader.ask().await {
        None => respond::error(StatusCode::NOT_IMPLEMENTED, NO_READER),
        Some(Ok(TakenOver {
            is_changed,
            at_next_start,
        })) => respond::json(
            StatusCode::OK,
            &json!({ "reloaded": true, "changed": is_changed, "at_next_start": at_next_start }),
        ),
        Some(Err(problem)) => respond::json(
            StatusCode::UNPROCESSABLE_ENTITY,
            &json!({
                "reloaded": false,
                "error": "the configuration cannot be used, the old one stays",
                "problem": problem,
            }),
        ),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{Action, refused};
    use crate::config::{Secret, UpstreamId};

    #[test]
    fn paths_name_actions() {
        let upstream = UpstreamId::from("a b");
        let out = Action::at("/api/upstreams/a%20b/out");
        assert_eq!(out, Some(Action::TakeOut(upstream.clone())));
        let back = Action::at("/api/upstreams/a%20b/in");
        assert_eq!(back, Some(Action::PutBack(upstream)));
        assert_eq!(Action::at("/api/reload"), Some(Action::Reload));
        for path in ["/api/upstreams/a", "/api/upstreams/a/off", "/api/reload/"] {
            assert_eq!(Action::at(path), None, "{path}");
        }
    }

    #[test]
    fn only_the_whole_token_with_the_content_type_admits() {
        let token = Secret::from("the-token-of-admin".to_owned());
        let status = |headers: &[(&'static str, &str)], token| {
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect();
            refused(&headers, token).map(|refused| refused.status().as_u16())
        };
        let json = ("content-type", "application/json");
        let right = ("authorization", "Bearer the-token-of-admin");
        assert_eq!(status(&[json, right], Some(&token)), None);
        assert_eq!(status(&[right], Some(&token)), Some(415));
        assert_eq!(status(&[json, right], None), Some(403));
        for wrong in [
            "Bearer the-token-of-admi",
            "Bearer ",
            "Basic x",
            "",
            "the-token-of-admin",
        ] {
            let refused = status(&[json, ("authorization", wrong)], Some(&token));
            assert_eq!(refused, Some(401), "{wrong}");
        }
        assert_eq!(status(&[json], Some(&token)), Some(401));
    }
}
