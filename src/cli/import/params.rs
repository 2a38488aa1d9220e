//! The parameters of one model in `LiteLLM`'s file: which we read, and why the others are left out.

use serde_yaml::{Mapping, Value};

use super::notes::Notes;
use super::values::{entries, number, text};

/// What is read elsewhere.
const READ: &[&str] = &[
    "model",
    "custom_llm_provider",
    "api_key",
    "api_base",
    "base_url",
    "api_version",
    "organization",
    "extra_headers",
    "headers",
    "timeout",
    "request_timeout",
    "stream_timeout",
    "weight",
    "order",
    "rpm",
    "tpm",
    "max_parallel_requests",
    "aws_region_name",
    "aws_bedrock_runtime_endpoint",
    "vertex_project",
    "vertex_location",
    "litellm_credential_name",
];

/// Parameters of requests, which `LiteLLM` adds to what a client writes.
const OF_REQUESTS: &[&str] = &[
    "temperature",
    "top_p",
    "top_k",
    "n",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "response_format",
    "reasoning_effort",
    "thinking",
    "tools",
    "tool_choice",
    "user",
    "dimensions",
    "extra_body",
    "stream",
];

/// The parameters of one entry of `model_list`.
pub(super) struct Params<'a> {
    /// The name that clients use.
    pub(super) group: &'a str,
    own: &'a Value,
    /// The values of the credential that it names.
    credential: Option<&'a Value>,
}

impl<'a> Params<'a> {
    /// Those of an entry; its credential is looked up in the file.
    pub(super) fn of(group: &'a str, own: &'a Value, file: &'a Value, notes: &mut Notes) -> Self {
        let name = own.get("litellm_credential_name").and_then(Value::as_str);
        let credential = name.and_then(|name| credential(file, name));
        if name.is_some() && credential.is_none() {
            let why = "credential_list has none of this name";
            notes.left_out_of(group, "litellm_credential_name", why);
        }
        let params = Self {
            group,
            own,
            credential,
        };
        for (key, _) in entries(own).filter(|(key, _)| !READ.contains(key)) {
            notes.left_out_of(group, key, reason(key));
        }
        params
    }

    /// The value of a key, of the credential if the entry itself has none.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        let own = self.own.get(key).filter(|value| !value.is_null());
        own.or_else(|| self.credential?.get(key))
    }

    /// A text as we write it.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.get(key).and_then(text)
    }

    /// A number above 0.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        self.get(key).and_then(number)
    }

    /// The URL, which has two names.
    pub(super) fn api_base(&self) -> Option<String> {
        self.text("api_base").or_else(|| self.text("base_url"))
    }
}

fn credential<'a>(file: &'a Value, name: &str) -> Option<&'a Value> {
    let all = file.get("credential_list")?.as_sequence()?;
    let is_it = |entry: &&Value| entry.get("credential_name").and_then(Value::as_str) == Some(name);
    let values = all.iter().find(is_it)?.get("credential_values")?;
    values.as_mapping().map(|_: &Mapping| values)
}

/// Why a parameter is left out.
fn reason(key: &str) -> &'static str {
    if OF_REQUESTS.contains(&key) {
        return "backstop sends what the client writes, and adds nothing to it";
    }
    if key.contains("cost") {
        return "backstop does not count costs";
    }
    match key {
        "num_retries" | "max_retries" | "cooldown_time" | "allowed_fails" => {
            "backstop learns from failures whom to ask again, and when"
        }
        "tags" => "backstop does not route by tags",
        "mock_response" => "`backstop demo` simulates providers",
        "azure_ad_token" | "tenant_id" | "client_id" | "client_secret" => {
            "write api_key, or api_key_command for a token that is renewed"
        }
        "vertex_credentials" => "the key comes from gcloud, by api_key_command",
        _ if key.starts_with("aws_") => {
            "requests are not signed: Bedrock is asked with a Bedrock API key"
        }
        _ => "backstop has nothing like it",
    }
}
