//! The providers we know: one table with one entry each.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::capability::Ability::{Audio, Logprobs, Several};
use super::capability::{Abilities, Ability, Capabilities};
use super::model;
use super::problem::did_you_mean;
use super::quirks::Quirks;

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

/// A provider: an entry of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Provider(&'static Entry);

#[derive(PartialEq, Eq)]
struct Entry {
    /// Its name in the configuration.
    name: &'static str,
    dialect: Dialect,
    key_header: KeyHeader,
    /// `None`: must be configured.
    base_url: Option<&'static str>,
    /// The usual environment variable for its key; `None`: no key is needed.
    key_variable: Option<&'static str>,
    prefill: Prefill,
    has_responses: bool,
    quirks: Quirks,
    /// What none of its models can do.
    missing: Abilities,
    /// The patterns of its models' names, where they are distinctive.
    families: &'static [&'static str],
    /// The model to ask it for when it is the fallback of another provider.
    fallback_model: &'static str,
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
static TABLE: [Entry; 16] = [
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

impl Provider {
    /// All providers.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// The API it speaks.
    pub fn dialect(self) -> Dialect {
        self.0.dialect
    }

    /// In which header its key goes out.
    pub fn key_header(self) -> KeyHeader {
        self.0.key_header
    }

    /// Its URL; `None` if that must be configured.
    pub fn base_url(self) -> Option<&'static str> {
        self.0.base_url
    }

    /// Whether it has `/responses`.
    pub fn has_responses(self) -> bool {
        self.0.has_responses
    }

    /// How it is asked to continue the start of an answer.
    pub fn prefill(self) -> Prefill {
        self.0.prefill
    }

    /// How chat requests must be written for it.
    pub fn quirks(self) -> Quirks {
        self.0.quirks
    }

    /// What is known of a model at this provider.
    pub fn capabilities(self, model: &str) -> Capabilities {
        let known = model::known(model);
        Capabilities {
            missing: known.missing.or(self.0.missing),
            ..known
        }
    }

    /// The usual environment variable for its key; `None` if it needs no key.
    pub fn key_variable(self) -> Option<&'static str> {
        self.0.key_variable
    }

    /// The patterns of its models' names, where they are distinctive.
    pub(super) fn families(self) -> &'static [&'static str] {
        self.0.families
    }

    /// The model to ask it for when it is the fallback of another provider.
    pub(super) fn fallback_model(self) -> &'static str {
        self.0.fallback_model
    }
}

impl Default for Provider {
    /// A placeholder where the configuration has a mistake; never used.
    fn default() -> Self {
        Self(&TABLE[TABLE.len() - 1])
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Provider {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Name)
    }
}

struct Name;

impl Visitor<'_> for Name {
    type Value = Provider;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a provider")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Provider, E> {
        let names = || Provider::all().map(Provider::name);
        Provider::all()
            .find(|provider| provider.name() == name)
            .ok_or_else(|| {
                let hint = did_you_mean(name, names()).unwrap_or_else(|| {
                    format!("known are {}", names().collect::<Vec<_>>().join(", "))
                });
                E::custom(format!("no provider is called `{name}`; {hint}"))
            })
    }
}
