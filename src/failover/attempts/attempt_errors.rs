//! What an attempt makes of an upstream's error: with an error status, inside a 200, or as an event of a stream.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};

use super::attempt::Attempt;
use super::ending::{AttemptAnswer, Failure};
use super::error_reply::{ErrorSource, refusal, settle, wait_asked_by};
use super::secrets::without_secrets;
use crate::dialect::errors::{self, ErrorReply};
use crate::dialect::{self, ResponseTranslator};
use crate::outcome::Outcome;
use crate::request::{ClientApi, Endpoint};
use crate::upstream::Reply;
use crate::wire::headers::JSON;

impl Attempt<'_> {
    /// An error inside a 200 is treated like one with an error status.
    pub(super) fn error_inside(
        &self,
        outcome: Outcome,
        mut headers: HeaderMap,
        translator: &ResponseTranslator,
        body: Bytes,
    ) -> Result<AttemptAnswer, Failure> {
        let status = outcome.status().unwrap_or(400);
        let outcome = self.error_source().ruled(status, &body).unwrap_or(outcome);
        let error_body = self.error_body(translator, status, body);
        headers.insert(CONTENT_TYPE, JSON);
        settle(status, headers, error_body, outcome, self.error_source())
    }

    /// An error event before the first content is treated like an error status.
    pub(super) fn error_by_event(
        &self,
        failure: Failure,
        mut headers: HeaderMap,
    ) -> Result<AttemptAnswer, Failure> {
        let failure = failure.until(wait_asked_by(&headers));
        let Some(error) = failure.error else {
            return Err(failure);
        };
        headers.insert(CONTENT_TYPE, JSON);
        let status = error.status;
        let body = self.without_key(error.body);
        let ruled = self.error_source().ruled(status, &body);
        let error_body = match self.request.client_api {
            ClientApi::Anthropic => dialect::body_in_words(body),
            ClientApi::OpenAi => errors::shaped(status, errors::error_of_event(body)),
        };
        let outcome = ruled.unwrap_or(failure.outcome);
        settle(status, headers, error_body, outcome, self.error_source())
    }

    /// Whose errors these are.
    fn error_source(&self) -> ErrorSource<'_> {
        ErrorSource::of(self.target, self.request, self.refusals)
    }

    /// An upstream's error, in the client's API.
    fn error_body(&self, translator: &ResponseTranslator, status: u16, body: Bytes) -> Bytes {
        let body = self.without_key(body);
        let error_body = translator.error(status, body);
        match self.request.client_api {
            ClientApi::Anthropic => dialect::body_in_words(error_body),
            ClientApi::OpenAi => errors::shaped(status, error_body),
        }
    }

    fn without_key(&self, body: Bytes) -> Bytes {
        without_secrets(self.target, self.request, body)
    }

    /// What follows from a reply with an error status.
    pub(super) async fn refusal(
        &self,
        reply: Reply,
        translator: &ResponseTranslator,
    ) -> Result<AttemptAnswer, Failure> {
        let classify: fn(&ErrorReply<'_>) -> Outcome =
            match translator.endpoint(self.request.endpoint) {
                Endpoint::Responses => errors::classify_response,
                _ => errors::classify,
            };
        let error_body = |status, body| self.error_body(translator, status, body);
        let patience = self.to_the_end();
        refusal(reply, patience, self.error_source(), classify, error_body).await
    }
}
