//! The parts of our own error responses.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::event::AttemptReport;
use crate::request::ClientApi;

/// An error response: a status, and an error with `OpenAI`'s type.
#[derive(Debug)]
pub(super) struct ErrorResponse {
    pub(super) status: u16,
    message: String,
    kind: &'static str,
    param: Option<&'static str>,
    pub(super) code: &'static str,
    attempts: Vec<AttemptReport>,
    pub(super) retry_after: Option<Duration>,
    /// Whether a retry makes no sense.
    pub(super) is_in_vain: bool,
}

/// The error object as a client gets it.
#[derive(Serialize)]
struct ErrorObject<'a> {
    message: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'static str>,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    attempts: &'a [AttemptReport],
}

/// Where Anthropic's SDKs look for the code after which they send the whole conversation.
#[derive(Serialize)]
struct Details {
    error_code: &'static str,
}

/// The body of an error response. It is written as it is: a tree of values would cost as much as the rest of a refusal.
#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    error: ErrorObject<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl ErrorResponse {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            kind: match status {
                401 => "authentication_error",
                429 => "rate_limit_error",
                500 => "server_error",
                501.. => "upstream_error",
                _ => "invalid_request_error",
            },
            param: None,
            code,
            attempts: Vec::new(),
            retry_after: None,
            is_in_vain: false,
        }
    }

    /// A retry makes no sense: somebody has to act first. It is no fault of the request, whatever the status.
    pub(super) fn in_vain(self) -> Self {
        Self {
            is_in_vain: true,
            kind: match self.status {
                404 | 429 => self.kind,
                _ => "upstream_error",
            },
            ..self
        }
    }

    /// Names the invalid parameter.
    pub(super) fn about(self, param: &'static str) -> Self {
        Self {
            param: Some(param),
            ..self
        }
    }

    /// Sets when the client should retry.
    pub(super) fn after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    /// Adds the attempts that were made.
    pub(super) fn telling(self, attempts: Vec<AttemptReport>) -> Self {
        Self { attempts, ..self }
    }

    /// The body: `{"error": {..}}`, and in Anthropic's format `{"type": "error", "error": {..}, "request_id": ..}`.
    pub(super) fn body(&self, client_api: ClientApi, request_id: &str) -> String {
        let is_anthropics = client_api == ClientApi::Anthropic;
        let envelope = Envelope {
            kind: is_anthropics.then_some("error"),
            error: self.object(client_api),
            request_id: is_anthropics.then_some(request_id),
        };
        // It contains only strings and numbers, so serialization cannot fail.
        serde_json::to_string(&envelope).unwrap_or_default()
    }

    /// The error object in the format of the client's API, as it ends a stream.
    pub(super) fn error_for(&self, client_api: ClientApi) -> Value {
        serde_json::to_value(self.object(client_api)).unwrap_or_default()
    }

    fn object(&self, client_api: ClientApi) -> ErrorObject<'_> {
        let (message, kind) = match client_api {
            ClientApi::OpenAi => (Cow::from(&self.message), self.kind),
            ClientApi::Anthropic => (self.anthropic_message(), self.anthropic_kind()),
        };
        ErrorObject {
            message,
            kind,
            param: self.param,
            code: self.code,
            details: (self.code == "thread_not_found").then_some(Details {
                error_code: self.code,
            }),
            attempts: &self.attempts,
        }
    }

    fn anthropic_message(&self) -> Cow<'_, str> {
        match self.code {
            // Claude Code recognises these words and compacts the conversation.
            "context_length_exceeded" => format!("prompt is too long: {}", self.message).into(),
            _ => Cow::from(&self.message),
        }
    }

    fn anthropic_kind(&self) -> &'static str {
        match self.status {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            503 => "overloaded_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorResponse;
    use crate::request::ClientApi;

    /// Anthropic's page "Errors", and each API's own words for the same error.
    #[test]
    fn each_client_gets_the_type_of_error_that_its_api_has() {
        for (status, of_openai, of_anthropic) in [
            (400, "invalid_request_error", "invalid_request_error"),
            (401, "authentication_error", "authentication_error"),
            (402, "invalid_request_error", "billing_error"),
            (403, "invalid_request_error", "permission_error"),
            (404, "invalid_request_error", "not_found_error"),
            (413, "invalid_request_error", "request_too_large"),
            (429, "rate_limit_error", "rate_limit_error"),
            (500, "server_error", "api_error"),
            (502, "upstream_error", "api_error"),
            (503, "upstream_error", "overloaded_error"),
            (504, "upstream_error", "api_error"),
        ] {
            let error = ErrorResponse::new(status, "any", "It failed.");
            for (client_api, kind) in [
                (ClientApi::OpenAi, of_openai),
                (ClientApi::Anthropic, of_anthropic),
            ] {
                let error = error.error_for(client_api);
                assert_eq!(error["type"], kind, "{status}");
                assert_eq!(error["message"], "It failed.");
            }
        }
    }

    #[test]
    fn each_client_gets_the_body_that_its_api_has() {
        let error = ErrorResponse::new(503, "any", "It \"failed\".").about("model");
        assert_eq!(
            error.body(ClientApi::OpenAi, "req_1"),
            r#"{"error":{"message":"It \"failed\".","type":"upstream_error","param":"model","code":"any"}}"#
        );
        assert_eq!(
            error.body(ClientApi::Anthropic, "req_1"),
            r#"{"type":"error","error":{"message":"It \"failed\".","type":"overloaded_error","param":"model","code":"any"},"request_id":"req_1"}"#
        );
    }

    #[test]
    fn a_prompt_that_is_too_long_is_named_in_the_words_that_claude_code_reads() {
        let error = ErrorResponse::new(400, "context_length_exceeded", "Too many tokens.");
        let message = |client_api| error.error_for(client_api)["message"].clone();
        assert_eq!(message(ClientApi::OpenAi), "Too many tokens.");
        assert_eq!(
            message(ClientApi::Anthropic),
            "prompt is too long: Too many tokens."
        );
    }
}
