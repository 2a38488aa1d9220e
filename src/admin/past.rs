//! What the history says: availability, its steps, incidents and their feed.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::no_answer::NoAnswer;
use super::respond::{error, json as answer};
use super::{availability, feed, incidents, moment};
use crate::history::History;
use crate::shared::Sharing;
use crate::wire::body::Body;

const OFF: &str = "the history is turned off: remove `history: false` from the configuration";

/// Whether this path is about the past.
pub(super) fn is_asked(path: &str) -> bool {
    matches!(
        path,
        "/api/availability" | "/api/history" | "/api/incidents" | "/incidents.atom"
    )
}

/// The answer at such a path. `host` is where this backstop was asked.
pub(super) async fn said(
    (history, sharing): (Option<&History>, Option<&Sharing>),
    path: &str,
    query: &str,
    host: &str,
) -> Response<Body> {
    let Some(history) = history else {
        return error(StatusCode::NOT_FOUND, OFF);
    };
    let said = match path {
        "/api/history" => availability::series(history, query).await,
        "/api/availability" => availability::json(history).await,
        "/api/incidents" => incidents::json(history, sharing, query).await,
        // Each replica has a feed of its own.
        _ => incidents::json(history, None, query).await,
    };
    match said {
        Ok(said) if path == "/incidents.atom" => feed_of(&said, host),
        Ok(said) => answer(StatusCode::OK, &said),
        Err(NoAnswer::Question(hint)) => error(StatusCode::BAD_REQUEST, &hint),
        Err(NoAnswer::Busy(why)) => answer(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({ "error": why.to_string() }),
        ),
    }
}

fn feed_of(said: &Value, host: &str) -> Response<Body> {
    let incidents = said["incidents"].as_array().map_or(&[][..], Vec::as_slice);
    feed::answer(incidents, host, &moment::now())
}
