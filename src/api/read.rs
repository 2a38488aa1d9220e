//! Reads an HTTP request into a `ModelRequest`: path, headers, body, and the few fields that routing needs.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_ENCODING, HeaderMap};
use http::request::Parts;
use tokio::time::Instant;

use super::auth;
use super::hints::Hints;
use super::path::Path;
use super::record::RequestRecord;
use super::reject::Rejection;
use crate::catalogue::facts;
use crate::request::{Endpoint, ModelRequest, Peek, Thread, UNSTORED, peek};
use crate::wire::body::{Patience, read_into};
use crate::wire::coding::{is_known, unpack};
use crate::wire::json::{ModelField, insert_model, replace_model};
use crate::wire::memory::Memory;
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

/// Reads a whole request.
pub(super) fn request(
    record: &RequestRecord,
    head: Parts,
    path: Path,
    body: RequestBody,
    (limits, memory): (BodyLimits, &Memory),
) -> impl Future<Output = Result<ModelRequest, Rejection>> {
    let method = head.method;
    let hints = Hints::of(&head.headers);
    let mut headers = auth::for_upstream(head.headers);
    // A block, since an async function keeps its large arguments twice.
    async move {
        let patience = Patience {
            idle: limits.idle,
            until: record.began() + limits.total,
        };
        let mut share = memory.share();
        let mut body = read_into(&mut share, body, limits.body, patience).await?;
        if let Some(codings) = codings(record.endpoint, &mut headers) {
            let mut unpacked = memory.share();
            // Decompressing a kilobyte may cost as much work as reading a few hundred kilobytes.
            let size = body.len().saturating_mul(MOST_UNPACKED);
            let unpack = || unpack(&codings, body, limits.body, &mut unpacked);
            body = offload::run(size, unpack).await?;
            share = unpacked;
        }
        if let Some(model) = path.deployment() {
            share.keep_up_with(body.len() + model.len())?;
            body = offload::at_once(body.len(), || with_model(&headers, body, model));
        }
        let body = share.hold(body);
        let look = || look_into(record.endpoint, (&method, &path), &headers, &body);
        let seen = offload::scan(body.len(), look).await?;
        let named = seen.model.as_ref().map_or("", |field| &field.name);
        let hints = hints?;
        if seen.reasoning || facts(named).thinks {
            record.progress.thinking_begins();
        }
        let mut control = hints.control;
        // A message can be gone on from once, and whoever fails here goes on elsewhere with the whole conversation.
        control.is_once |= matches!(seen.thread, Some(Thread::After(_)));
        Ok(ModelRequest {
            id: record.id.clone(),
            trace: record.trace,
            received_at: Instant::now(),
            client: record.client.clone(),
            client_api: record.client_api,
            endpoint: record.endpoint,
            method,
            path: path.into_text(),
            headers,
            credential: record.credential.clone(),
            body,
            model: seen.model,
            streaming: seen.streaming && record.endpoint.can_stream(),
            progress: record.progress.clone(),
            demands: seen.demands,
            alternatives: seen.alternatives,
            max_output: seen.max_output,
            store: seen.store,
            thread: seen.thread,
            pinned_to: None,
            session: seen.session,
            retries: hints.retries,
            patience: hints.patience.or_else(|| record.expected_patience()),
            control,
        })
    }
}

/// The codings in which a body is packed that has to be read; they no longer hold once it is unpacked. What is neither
/// JSON nor a form, or is packed in ways that we do not know, is forwarded as it is.
fn codings(endpoint: Endpoint, headers: &mut HeaderMap) -> Option<String> {
    let codings = headers.get(CONTENT_ENCODING)?;
    let codings = codings.to_str().unwrap_or("binary").to_owned();
    let forms = ["application/json", "multipart/form-data"];
    let is_legible = || {
        forms
            .iter()
            .any(|form| headers::has_media_type(headers, form))
    };
    let is_read = endpoint != Endpoint::Other || is_legible() && is_known(&codings);
    is_read.then(|| headers.remove(CONTENT_ENCODING))?;
    Some(codings)
}

/// The body with the model that the path names, as clients of Azure do.
fn with_model(headers: &HeaderMap, body: Bytes, model: &str) -> Bytes {
    if headers::has_media_type(headers, "multipart/form-data") {
        return multipart::with_model(headers, &body, model).unwrap_or(body);
    }
    let field = peek(&body).map(|seen| seen.model);
    match field {
        Ok(Some(field)) if field.name == model => body,
        Ok(Some(ModelField {
            span: Some(span), ..
        })) => replace_model(&body, &span, model),
        Ok(_) => insert_model(&body, model),
        Err(_) => body,
    }
}

fn look_into(
    endpoint: Endpoint,
    (method, path): (&Method, &Path),
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Peek, Rejection> {
    if endpoint == Endpoint::Other {
        if let Some(id) = unstored_in(path.without_query()) {
            return Err(Rejection::NoSuchResponse(id.to_owned()));
        }
        return guess(method, headers, body);
    }
    let mut seen = peek(body)?;
    if let Some(id) = seen
        .unstored
        .take()
        .filter(|_| endpoint == Endpoint::Responses)
    {
        return Err(Rejection::Unstored(id));
    }
    seen.thread = seen.thread.filter(|_| endpoint == Endpoint::Messages);
    match &seen.model {
        Some(field) if !field.name.is_empty() => Ok(seen),
        None if endpoint.may_lack_a_model() => Ok(seen),
        _ => Err(Rejection::NoModel),
    }
}

/// The answer that a path names, if it is one that nobody stores.
fn unstored_in(path: &str) -> Option<&str> {
    let (_, named) = path.split_once("/responses/")?;
    let id = named.split('/').next()?;
    id.starts_with(UNSTORED).then_some(id)
}

/// What is known of a request that is forwarded without being understood.
fn guess(method: &Method, headers: &HeaderMap, body: &Bytes) -> Result<Peek, Rejection> {
    if method != Method::POST || body.is_empty() {
        return Ok(Peek::default());
    }
    if !headers::has_media_type(headers, "multipart/form-data") {
        return Ok(Peek {
            thread: None,
            ..peek(body).unwrap_or_default()
        });
    }
    let model = multipart::model(headers, body)?;
    Ok(Peek {
        model: model.map(|(name, _)| ModelField { name, span: None }),
        ..Peek::default()
    })
}
