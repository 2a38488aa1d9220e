//! Which API a provider speaks, and how it takes keys and the start of an answer.

use serde::Deserialize;

/// The API that a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `OpenAI`'s API, which most providers speak.
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
}

/// In which header a key goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHeader {
    /// `Authorization: Bearer`
    Bearer,
    /// `x-api-key`
    XApiKey,
    /// `api-key`
    ApiKey,
}

/// How a provider speaks Anthropic's API besides `OpenAI`'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Messages {
    /// The path below which `/messages` lies, at the host of the base URL, without trailing slash.
    pub path: &'static str,
    /// Only models with this word in their names are served by it, and by it alone; `None`: all models are served by either.
    pub only: Option<&'static str>,
    /// Whether it has `/messages/count_tokens`, too.
    pub counts: bool,
}

/// How an upstream is asked to continue the start of an answer (prefill).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefill {
    /// It cannot: a last message of the assistant is history, and the model starts a new message.
    #[default]
    None,
    /// The prefill is the last message, with the role `assistant` (Claude 4.5, llama.cpp).
    Trailing,
    /// The same, marked with `prefix: true`; the reply may repeat the prefill (Mistral, `DeepSeek` at `/beta`).
    Prefix,
    /// The same, with `continue_final_message: true` and `add_generation_prompt: false` beside the messages (vLLM).
    Vllm,
}

/// Whose models a provider serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serves {
    /// Its own alone.
    Own,
    /// Its own, and those whose weights are open.
    Open,
    /// Anybody's, or those that its user gives it, under any name.
    Any,
}
