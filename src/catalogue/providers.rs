//! The providers we know: one table with one entry each.

use super::ability::Ability::{Audio, Logprobs, Several};
use super::ability::{Abilities, Ability};
use super::api::{Dialect, KeyHeader, Prefill};
use super::quirks::Quirks;

#[derive(PartialEq, Eq)]
pub(super) struct Entry {
    /// Its name in the configuration.
    pub(super) name: &'static str,
    pub(super) dialect: Dialect,
    pub(super) key_header: KeyHeader,
    /// `None`: must be configured.
    pub(super) base_url: Option<&'static str>,
    /// The usual environment variable for its key; `None`: no key is needed.
    pub(super) key_variable: Option<&'static str>,
    pub(super) prefill: Prefill,
    pub(super) has_responses: bool,
    pub(super) quirks: Quirks,
    /// What none of its models can do.
    pub(super) missing: Abilities,
    /// The patterns of its models' names, where they are distinctive.
    pub(super) families: &'static [&'static str],
    /// The model to ask it for when it is the fallback of another provider.
    pub(super) fallback_model: &'static str,
}

impl Entry {
    const fn openai(
        name: &'static str,
        base_url: &'static str,
        key_variable: &'static str,
    ) -> Self {
        Self {
            name,
            dialect: Dialect::OpenAi,
            key_header: KeyHeader::Bearer,
            base_url: Some(base_url),
            key_variable: Some(key_variable),
            prefill: Prefill::None,
            has_responses: true,
            quirks: Quirks::OLDER,
            missing: Abilities::of(&[]),
            families: &[],
            fallback_model: "",
        }
    }

    const fn continuing(self, prefill: Prefill) -> Self {
        Self { prefill, ..self }
    }

    const fn without_responses(self) -> Self {
        Self {
            has_responses: false,
            ..self
        }
    }

    const fn with(self, quirks: Quirks) -> Self {
        Self { quirks, ..self }
    }

    const fn lacking(self, abilities: &[Ability]) -> Self {
        Self {
            missing: Abilities::of(abilities),
            ..self
        }
    }

    const fn models(self, families: &'static [&'static str], fallback_model: &'static str) -> Self {
        Self {
            families,
            fallback_model,
            ..self
        }
    }
}

/// In the order in which they are preferred when a configuration is made from the environment.
pub(super) static TABLE: [Entry; 16] = [
    Entry::openai("openai", "https://api.openai.com/v1", "OPENAI_API_KEY")
        .models(&["gpt-*", "chatgpt-*", "o1*", "o3*", "o4*"], "gpt-4o")
        .with(Quirks::OPENAI),
    Entry {
        dialect: Dialect::Anthropic,
        key_header: KeyHeader::XApiKey,
        ..Entry::openai(
            "anthropic",
            "https://api.anthropic.com/v1",
            "ANTHROPIC_API_KEY",
        )
        .models(&["claude-*"], "claude-sonnet-5")
        .lacking(&[Audio, Several, Logprobs])
    },
    Entry::openai(
        "ernie",
        "https://qianfan.baidubce.com/v2",
        "QIANFAN_API_KEY",
    )
    .models(&["ernie-*"], "ernie-4.5-turbo-128k")
    .without_responses(),
    Entry::openai(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "GEMINI_API_KEY",
    )
    .models(&["gemini-*"], "gemini-2.5-flash")
    .without_responses()
    .with(Quirks::GEMINI),
    Entry::openai(
        "deepseek",
        "https://api.deepseek.com/v1",
        "DEEPSEEK_API_KEY",
    )
    .models(&["deepseek-*"], "deepseek-v4-flash")
    .with(Quirks::DEEPSEEK),
    Entry::openai("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY")
        .models(&["mistral-*"], "mistral-large-latest")
        .without_responses()
        .continuing(Prefill::Prefix)
        .with(Quirks::MISTRAL)
        .lacking(&[Logprobs]),
    Entry::openai("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY")
        .models(&[], "llama-3.3-70b-versatile")
        .with(Quirks::GROQ)
        .lacking(&[Audio, Several, Logprobs]),
    Entry::openai(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
    )
    .models(&[], "openai/gpt-4o")
    .with(Quirks::UNKNOWN),
    Entry::openai(
        "together",
        "https://api.together.xyz/v1",
        "TOGETHER_API_KEY",
    )
    .models(&[], "meta-llama/Llama-3.3-70B-Instruct-Turbo")
    .without_responses(),
    // A resource, a region or a project is part of these URLs.
    Entry {
        base_url: None,
        key_header: KeyHeader::ApiKey,
        ..Entry::openai("azure", "", "AZURE_OPENAI_API_KEY").with(Quirks::OPENAI)
    },
    Entry {
        base_url: None,
        ..Entry::openai("bedrock", "", "AWS_BEARER_TOKEN_BEDROCK")
            .without_responses()
            .with(Quirks::UNKNOWN)
    },
    Entry {
        base_url: None,
        ..Entry::openai("vertex", "", "VERTEX_ACCESS_TOKEN")
            .without_responses()
            .with(Quirks::GEMINI)
    },
    Entry {
        key_variable: None,
        ..Entry::openai("ollama", "http://127.0.0.1:11434/v1", "").lacking(&[Audio, Several])
    },
    Entry {
        key_variable: None,
        base_url: None,
        ..Entry::openai("vllm", "", "").continuing(Prefill::Vllm)
    },
    Entry {
        key_variable: None,
        ..Entry::openai("llamacpp", "http://127.0.0.1:8080/v1", "").continuing(Prefill::Trailing)
    },
    Entry {
        base_url: None,
        key_variable: None,
        ..Entry::openai("openai-compatible", "", "").with(Quirks::UNKNOWN)
    },
];
