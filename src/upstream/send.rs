//! Sends a request and classifies its failures.

use std::error::Error;
use std::io;

use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HeaderValue};
use http::{Method, Request, Response, StatusCode};

use super::credential::repeat_as_api_key;
use super::network::{ClientError, PooledBody, ProxyError};
use super::{Outbound, Reply, Seat, Upstream, deployment, shortage};
use crate::outcome::{Defect, Outcome, Unreachable};
use crate::wire::tls::in_words;
use crate::wire::upload::Upload;

/// No reply arrived.
#[derive(Debug)]
pub struct SendError {
    /// The outcome that follows from the failure.
    pub outcome: Outcome,
    /// A description of the cause.
    pub detail: String,
}

impl Upstream {
    /// Sends a request with one of the keys and waits for the head of the reply. Dropping the future cancels the
    /// exchange at once.
    pub fn send(
        &self,
        key: usize,
        mut outbound: Outbound,
    ) -> impl Future<Output = Result<Reply, SendError>> {
        let is_repeatable = outbound.is_repeatable;
        let seat = outbound.seat.take();
        let request = self.request(key, outbound);
        // A block, since an async function keeps its large arguments twice.
        async move {
            let response = self.client.request(request?, is_repeatable).await;
            self.reply(key, seat, response.map_err(failure)?)
        }
    }

    /// What is made of a head that has come.
    fn reply(
        &self,
        key: usize,
        seat: Option<Seat>,
        response: Response<PooledBody>,
    ) -> Result<Reply, SendError> {
        if response.status().is_informational() {
            return Err(SendError {
                outcome: Outcome::InvalidReply(Defect::Protocol),
                detail: format!("{} was not asked for", response.status()),
            });
        }
        if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            // Only a proxy says so, and then it says it to us.
            return Err(SendError {
                outcome: Outcome::Unreachable(Unreachable::Proxy),
                detail: "the forward proxy wants another user and password: 407".to_owned(),
            });
        }
        let mut reply = Reply::new(response);
        reply.body.keep(seat);
        self.hide_key(key, &mut reply.headers);
        Ok(reply)
    }

    pub(super) fn request(
        &self,
        key: usize,
        outbound: Outbound,
    ) -> Result<Request<Upload>, SendError> {
        let is_empty = outbound.body.is_empty() && may_have_a_body(&outbound.method);
        let mut request = Request::new(Upload::new(outbound.body, outbound.sending));
        *request.method_mut() = outbound.method;
        let path = match &self.api_version {
            None => outbound.path,
            Some(version) => {
                let model = outbound.model.as_deref();
                deployment::path(&outbound.path, model, version).ok_or_else(|| SendError {
                    outcome: Outcome::RejectedRequest { status: 400 },
                    detail: "the name of the model cannot stand in a path".to_owned(),
                })?
            }
        };
        let messages = self.messages_url.as_ref().filter(|_| is_messages(&path));
        let base_url = messages.unwrap_or(&self.base_url);
        *request.uri_mut() = base_url.with(&path).map_err(|error| SendError {
            outcome: Outcome::RejectedRequest { status: 400 },
            detail: error.to_string(),
        })?;
        *request.headers_mut() = outbound.headers;
        let headers = request.headers_mut();
        // We read most replies. Without this header, the upstream may pack its reply (RFC 9110, section 12.5.3).
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if is_empty {
            // The length of every other body is added for us. Some servers refuse a POST without one (411), such as Google's.
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        for extra in &self.extra_headers {
            extra.put_on(headers);
        }
        if let Some(key) = self.keys.get(key) {
            key.put_on(headers);
            if messages.is_some() {
                repeat_as_api_key(headers);
            }
        }
        Ok(request)
    }
}

fn may_have_a_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Whether a path belongs to Anthropic's API alone.
fn is_messages(path: &str) -> bool {
    let rest = path.strip_prefix("/messages");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

pub(super) fn failure(error: ClientError) -> SendError {
    let outcome = match &error {
        ClientError::Broken(_) if causes(&error).any(is_about_certificate) => {
            Outcome::Unreachable(Unreachable::Tls)
        }
        ClientError::Broken(_) => Outcome::ConnectionLost,
        ClientError::Connect(_) if causes(&error).any(shortage::is_ours) => Outcome::NoResources,
        ClientError::Connect(_) => match why_unreachable(&error) {
            // The resolver needs file descriptors as well, and does not always report that it got none.
            Unreachable::Dns if shortage::has_no_descriptor() => Outcome::NoResources,
            why => Outcome::Unreachable(why),
        },
    };
    SendError {
        outcome,
        detail: root_cause(&error),
    }
}

fn why_unreachable(error: &ClientError) -> Unreachable {
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<ProxyError>() {
            return match error.is_destination_down() {
                true => Unreachable::Other,
                false => Unreachable::Proxy,
            };
        }
        if cause.is::<rustls::Error>() {
            return Unreachable::Tls;
        }
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            match io.kind() {
                io::ErrorKind::ConnectionRefused => return Unreachable::Refused,
                io::ErrorKind::TimedOut => return Unreachable::TimedOut,
                // TCP itself cannot end early: the peer closed the connection during the TLS handshake.
                io::ErrorKind::UnexpectedEof => return Unreachable::Tls,
                _ => {}
            }
        }
        // The resolver's error is a private type of the client library.
        if cause.to_string().starts_with("dns error") {
            return Unreachable::Dns;
        }
    }
    Unreachable::Other
}

/// In TLS 1.3 the server judges our certificate when for us the handshake is over. It has read no request then. Over HTTP/2 the
/// client library keeps but the text of such an error.
fn is_about_certificate(cause: &(dyn Error + 'static)) -> bool {
    let text = cause.to_string();
    let alert = text.split_once("received fatal alert: ");
    alert.is_some_and(|(_, alert)| alert.contains("Certificate") || alert.contains("UnknownCA"))
}

fn root_cause(error: &ClientError) -> String {
    let Some(cause) = causes(error).last() else {
        return error.to_string();
    };
    if let Some(error) = cause.downcast_ref() {
        return in_words(error);
    }
    match cause.to_string().as_str() {
        "tls handshake eof" => {
            "it closes the connection in the TLS handshake; plain servers want http://".to_owned()
        }
        // What servers with TLS send is none either.
        "invalid HTTP version parsed" => {
            "it does not speak HTTP at this port; servers with TLS want https://".to_owned()
        }
        other => other.to_owned(),
    }
}

fn causes<'a>(error: &'a ClientError) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| inner(cause))
}

/// `source` of an I/O error skips the error that it was made from.
fn inner<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match cause.downcast_ref().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => cause.source(),
    }
}
