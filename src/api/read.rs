//! Reads an HTTP request into a `ModelRequest`: path, headers, body, and the few fields that routing needs.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HeaderMap};
use http::request::Parts;
use http::{Method, Uri};
use tokio::time::Instant;

use super::auth;
use super::hints::Hints;
use super::record::RequestRecord;
use super::reject::Rejection;
use crate::catalogue::facts;
use crate::request::{Endpoint, ModelRequest, Peek, Thinking, peek};
use crate::wire::body::{Patience, read_into};
use crate::wire::coding::unpack;
use crate::wire::json::ModelField;
use crate::wire::memory::Memory;
use crate::wire::path::is_unambiguous;
use crate::wire::query::without;
use crate::wire::request_body::RequestBody;
use crate::wire::{headers, multipart, offload};

/// JSON seldom unpacks to more than this many times its size. It only estimates the work; the limit is in
/// `wire::coding::meter`.
const MOST_UNPACKED: usize = 64;

/// How large a client's request may be, and how slowly it may arrive.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimits {
    pub(super) body: usize,
    pub(super) idle: Duration,
    pub(super) total: Duration,
}

/// The path and query after `/v1`, starting with a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path(String);

impl Path {
    /// `/v1/x` and `/x` are equal, and so are `/v1//x` and `/v1/x`; and `/v1/v1/x`, for clients that add `/v1` to a base
    /// URL that has it.
    pub(super) fn of(uri: &Uri) -> Result<Self, Rejection> {
        // Upstreams may resolve dots and reach paths outside of their API.
        if !is_unambiguous(uri.path()) {
            return Err(Rejection::BadPath);
        }
        let path = with_single_slashes(uri.path());
        let mut path = match behind_v1(&path) {
            "" => "/".to_owned(),
            rest => rest.to_owned(),
        };
        if let Some(query) = uri.query() {
            let query = without(query, tells_a_key);
            if !query.is_empty() {
                path.push('?');
                path.push_str(&query);
            }
        }
        Ok(Self(path))
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn without_query(&self) -> &str {
        self.0.split_once('?').map_or(&self.0, |(path, _)| path)
    }
}

fn behind_v1(mut path: &str) -> &str {
    let is_behind = |rest: &&str| rest.is_empty() || rest.starts_with('/');
    while let Some(rest) = path.strip_prefix("/v1").filter(is_behind) {
        path = rest;
    }
    path
}

fn with_single_slashes(path: &str) -> Cow<'_, str> {
    if path.starts_with('/') && !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut single = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        single.push('/');
        single.push_str(segment);
    }
    if path.ends_with('/') {
        single.push('/');
    }
    Cow::Owned(single)
}

/// Whether a parameter holds a key, or a signature made with one, as some APIs accept. It is the client's, so no
/// upstream may see it.
fn tells_a_key(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "key",
        "api_key",
        "api-key",
        "apikey",
        "x-api-key",
        "access_key",
        "access_token",
        "authorization",
        "subscription-key",
    ];
    const PREFIXES: [&str; 2] = ["x-amz-", "x-goog-"];
    let begins = |prefix: &str| {
        let start = name.as_bytes().get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name)) || PREFIXES.into_iter().any(begins)
}

/// Reads a whole request.
pub(super) async fn request(
    record: &RequestRecord,
    head: Parts,
    path: Path,
    body: RequestBody,
    (limits, memory): (BodyLimits, &Memory),
) -> Result<ModelRequest, Rejection> {
    let patience = Patience {
        idle: limits.idle,
        until: record.began() + limits.total,
    };
    let mut share = memory.share();
    let mut body = read_into(&mut share, body, limits.body, patience).await?;
    let hints = Hints::of(&head.headers);
    let mut headers = auth::for_upstream(head.headers);
    if record.endpoint != Endpoint::Other
        && let Some(codings) = headers.remove(CONTENT_ENCODING)
    {
        let codings = codings.to_str().unwrap_or("binary");
        let mut unpacked = memory.share();
        // Decompressing a kilobyte may cost as much work as reading a few hundred kilobytes.
        let size = body.len().saturating_mul(MOST_UNPACKED);
        let unpack = || unpack(codings, body, limits.body, &mut unpacked);
        body = offload::run(size, unpack).await?;
        share = unpacked;
    }
    let body = share.hold(body);
    let look = || look_into(record.endpoint, &head.method, &headers, &body);
    let seen = offload::scan(body.len(), look).await?;
    let named = seen.model.as_ref().map_or("", |field| &field.name);
    let hints = hints?;
    Ok(ModelRequest {
        thinking: Thinking::expected(seen.reasoning || facts(named).thinks),
        id: record.id.clone(),
        trace: record.trace,
        received_at: Instant::now(),
        client: record.client.clone(),
        client_api: record.client_api,
        endpoint: record.endpoint,
        method: head.method,
        path: path.0,
        headers,
        credential: record.credential.clone(),
        body,
        model: seen.model,
        streaming: seen.streaming && record.endpoint.can_stream(),
        demands: seen.demands,
        alternatives: seen.alternatives,
        max_output: seen.max_output,
        store: seen.store,
        pinned_to: None,
        session: seen.session,
        retries: hints.retries,
        patience: hints.patience.or_else(|| record.expected_patience()),
        control: hints.control,
    })
}

fn look_into(
    endpoint: Endpoint,
    method: &Method,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Peek, Rejection> {
    if endpoint == Endpoint::Other {
        return guess(method, headers, body);
    }
    let seen = peek(body)?;
    match &seen.model {
        Some(field) if !field.name.is_empty() => Ok(seen),
        None if endpoint.may_lack_a_model() => Ok(seen),
        _ => Err(Rejection::NoModel),
    }
}

/// What is known of a request that is forwarded without being understood.
fn guess(method: &Method, headers: &HeaderMap, body: &Bytes) -> Result<Peek, Rejection> {
    if method != Method::POST || body.is_empty() {
        return Ok(Peek::default());
    }
    if !headers::has_media_type(headers, "multipart/form-data") {
        return Ok(peek(body).unwrap_or_default());
    }
    let model = multipart::model(headers, body)?;
    Ok(Peek {
        model: model.map(|(name, _)| ModelField { name, span: None }),
        ..Peek::default()
    })
}

#[cfg(test)]
mod tests {
    use super::Path;

    fn path(text: &str) -> Option<String> {
        Path::of(&text.parse().unwrap()).ok().map(|path| path.0)
    }

    #[test]
    fn with_and_without_v1_is_the_same() {
        for text in [
            "/v1/chat/completions",
            "/chat/completions",
            "//v1//chat/completions",
            "/v1/v1/chat/completions",
        ] {
            assert_eq!(path(text).as_deref(), Some("/chat/completions"), "{text}");
        }
        assert_eq!(
            path("/v1/responses?beta=true").as_deref(),
            Some("/responses?beta=true")
        );
        assert_eq!(path("/v1").as_deref(), Some("/"));
        assert_eq!(path("/v10/x").as_deref(), Some("/v10/x"));
        assert_eq!(path("/v1/v10").as_deref(), Some("/v10"));
        assert_eq!(path("/v1/files/").as_deref(), Some("/files/"));
    }

    #[test]
    fn nothing_leads_out_of_the_upstreams_api() {
        for text in ["/v1/../admin", "/v1/%2e%2E/admin", "/v1/./x", "/v1/..%2fx"] {
            assert_eq!(path(text), None, "{text}");
        }
        let named = "/models/openai%2Fgpt-4o";
        assert_eq!(path(&format!("/v1{named}")).as_deref(), Some(named));
    }

    #[test]
    fn keys_in_a_query_stay_here() {
        for (text, expected) in [
            ("/v1/files?key=k&limit=2", "/files?limit=2"),
            ("/v1/files?limit=2&API-Key=k&api%5Fkey=k", "/files?limit=2"),
            ("/v1/files?X-Amz-Signature=k&x-goog-api-key=k", "/files"),
            ("/v1/files?keys=k&after=key", "/files?keys=k&after=key"),
        ] {
            assert_eq!(path(text).as_deref(), Some(expected));
        }
    }
}
