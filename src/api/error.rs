//! The parts of our own error responses.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::event::AttemptReport;
use crate::request::ClientApi;

/// An error response: a status, and an error in `OpenAI`'s format.
#[derive(Debug, Serialize)]
pub(super) struct ErrorResponse {
    #[serde(skip)]
    pub(super) status: u16,
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'static str>,
    code: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<AttemptReport>,
    #[serde(skip)]
    pub(super) retry_after: Option<Duration>,
    /// Whether a retry makes no sense.
    #[serde(skip)]
    pub(super) is_in_vain: bool,
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

    /// The body: `{"error": {..}}`.
    pub(super) fn body(&self) -> String {
        #[derive(Serialize)]
        struct Envelope<'a> {
            error: &'a ErrorResponse,
        }
        // It contains only strings and numbers, so serialization cannot fail.
        serde_json::to_string(&Envelope { error: self }).unwrap_or_default()
    }

    /// The same in Anthropic's format: `{"type": "error", "error": {..}, "request_id": ..}`.
    pub(super) fn anthropic_body(&self, request_id: &str) -> String {
        let error = self.anthropic_error();
        json!({ "type": "error", "error": error, "request_id": request_id }).to_string()
    }

    /// The error object that ends a stream.
    fn error(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The error object in the format of the client's API.
    pub(super) fn error_for(&self, client_api: ClientApi) -> Value {
        match client_api {
            ClientApi::Anthropic => self.anthropic_error(),
            ClientApi::OpenAi => self.error(),
        }
    }

    /// The error object with Anthropic's error type.
    fn anthropic_error(&self) -> Value {
        let kind = match self.status {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            503 => "overloaded_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        };
        let mut error = self.error();
        error["type"] = kind.into();
        if self.code == "context_length_exceeded" {
            // Claude Code recognises these words and compacts the conversation.
            error["message"] = format!("prompt is too long: {}", self.message).into();
        }
        error
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
