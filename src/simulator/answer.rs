//! One request: read it, record it, and answer it as the script says.

use std::sync::Arc;

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{
    Fault, Received,
    ledger::{Caller, Ledger},
    line::Breaker,
    openai::Asked,
    playback::{BrokenOff, Playback},
    reply::{self, append},
};

pub(super) async fn answer(
    request: Request<Incoming>,
    ledger: Arc<Ledger>,
    breaker: Arc<Breaker>,
) -> Result<Response<Playback>, BrokenOff> {
    let received = read(request).await?;
    let (number, script) = ledger.record(received.clone());
    let asked = Asked::read(&received, ledger.name(), number);
    let mut caller = Caller::waiting(&ledger);
    tokio::time::sleep(script.answer_delay).await;
    meet(&script.fault, &mut caller, &breaker).await?;

    let reply = reply::to(&asked, &script);
    tokio::time::sleep(reply.delay).await;
    let mut response = Response::new(Playback::new(reply.steps, caller, breaker));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    sign(response.headers_mut(), &asked);
    Ok(response)
}

async fn read(request: Request<Incoming>) -> Result<Received, BrokenOff> {
    let (head, body) = request.into_parts();
    // A caller that leaves before its request is complete has sent no request.
    let body = body.collect().await.map_err(|_| BrokenOff)?.to_bytes();
    Ok(Received {
        method: head.method,
        path: head
            .uri
            .path_and_query()
            .map_or_else(|| head.uri.path().to_owned(), ToString::to_string),
        version: head.version,
        headers: head.headers,
        body,
        at: Instant::now(),
    })
}

/// Plays the faults that happen before any byte of an answer.
async fn meet(fault: &Fault, caller: &mut Caller, breaker: &Breaker) -> Result<(), BrokenOff> {
    match fault {
        Fault::Hang => std::future::pending().await,
        Fault::Reset => breaker.reset(),
        // Refusing closes the connections anyway; a request that slips in ends the same way.
        Fault::Close | Fault::Refuse => breaker.close(),
        _ => return Ok(()),
    }
    caller.served();
    Err(BrokenOff)
}

fn sign(headers: &mut HeaderMap, asked: &Asked) {
    append(headers, "x-simulator", &asked.name);
    append(headers, "x-request-id", &asked.id("req_"));
}
