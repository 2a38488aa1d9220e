//! The providers we know: one table with one entry each, and where else a provider differs from most.

use super::ability::Ability::{Audio, Logprobs, Several};
use super::ability::{Abilities, Ability};
use super::api::{Dialect, KeyHeader, Messages, Prefill, Serves};
use super::quirks::Quirks;

/// A line of the table.
#[derive(PartialEq, Eq)]
pub(super) struct Entry {
    /// Its name in the configuration.
    pub(super) name: &'static str,
    pub(super) dialect: Dialect,
    pub(super) key_header: KeyHeader,
    /// `None`: must be configured.
    pub(super) base_url: Option<&'static str>,
    /// Where each customer has a URL of their own: its form.
    pub(super) url_form: Option<&'static str>,
    /// The usual environment variables for its key, the first one that is set counts; empty: no key is needed.
    pub(super) key_variables: &'static [&'static str],
    pub(super) prefill: Prefill,
    pub(super) has_responses: bool,
    /// Where it speaks Anthropic's API besides.
    pub(super) messages: Option<Messages>,
    pub(super) quirks: Quirks,
    /// What none of its models can do.
    pub(super) missing: Abilities,
    /// The patterns of its models' names, where they are distinctive.
    pub(super) families: &'static [&'static str],
    /// Whose models it serves.
    pub(super) serves: Serves,
    /// The models to ask it for when it is the fallback of another provider, the preferred one first; empty: it is not used
    /// unless the configuration says so.
    pub(super) fallback_models: &'static [&'static str],
}

impl Entry {
    /// A provider with `OpenAI`'s API, chats alone.
    const fn chats(name: &'static str) -> Self {
        Self {
            name,
            dialect: Dialect::OpenAi,
            key_header: KeyHeader::Bearer,
            base_url: None,
            url_form: None,
            key_variables: &[],
            prefill: Prefill::None,
            has_responses: false,
            messages: None,
            quirks: Quirks::OLDER,
            missing: Abilities::of(&[]),
            families: &[],
            serves: Serves::Any,
            fallback_models: &[],
        }
    }

    const fn at(self, base_url: &'static str) -> Self {
        Self {
            base_url: Some(base_url),
            ..self
        }
    }

    const fn at_own(self, url_form: &'static str) -> Self {
        Self {
            url_form: Some(url_form),
            ..self
        }
    }

    const fn key(self, key_variables: &'static [&'static str]) -> Self {
        Self {
            key_variables,
            ..self
        }
    }

    const fn responses(self) -> Self {
        Self {
            has_responses: true,
            ..self
        }
    }

    /// It speaks Anthropic's API, too, below this path of the same host.
    const fn messages(self, path: &'static str) -> Self {
        Self {
            messages: Some(Messages {
                path,
                only: None,
                counts: false,
            }),
            ..self
        }
    }

    /// Some of its models are served by Anthropic's API alone: those with this word in their names.
    const fn messages_only(self, path: &'static str, part: &'static str) -> Self {
        Self {
            messages: Some(Messages {
                path,
                only: Some(part),
                counts: false,
            }),
            ..self
        }
    }

    /// The same, with `/messages/count_tokens`.
    const fn counting_messages(self, path: &'static str) -> Self {
        Self {
            messages: Some(Messages {
                path,
                only: None,
                counts: true,
            }),
            ..self
        }
    }

    const fn continuing(self, prefill: Prefill) -> Self {
        Self { prefill, ..self }
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

    const fn families(self, families: &'static [&'static str]) -> Self {
        Self { families, ..self }
    }

    /// It serves its own models alone.
    const fn own(self) -> Self {
        Self {
            serves: Serves::Own,
            ..self
        }
    }

    /// It serves open weights besides its own models.
    const fn open(self) -> Self {
        Self {
            serves: Serves::Open,
            ..self
        }
    }

    const fn fallback(self, fallback_models: &'static [&'static str]) -> Self {
        Self {
            fallback_models,
            ..self
        }
    }
}

/// In the order in which they are preferred when a configuration is made from the environment.
///
/// A token that serves other purposes as well (`GITHUB_TOKEN`, `HF_TOKEN`) is no wish to use the provider, so these have
/// no fallback models. URLs that contain a resource, a region, a project or an account must be configured.
#[rustfmt::skip]
pub(super) static TABLE: &[Entry] = &[
    Entry::chats("openai").own().at("https://api.openai.com/v1").key(&["OPENAI_API_KEY"])
        .responses().with(Quirks::OPENAI)
        .families(&["gpt-*", "chatgpt-*", "o1*", "o3*", "o4*"])
        .fallback(&["gpt-6-luna", "gpt-5.6-terra", "gpt-4.1-mini"]),
    Entry {
        dialect: Dialect::Anthropic,
        key_header: KeyHeader::XApiKey,
        ..Entry::chats("anthropic").own().at("https://api.anthropic.com/v1").key(&["ANTHROPIC_API_KEY"])
            .responses().lacking(&[Audio, Several, Logprobs])
            .families(&["claude-*"])
            .fallback(&["claude-sonnet-5-5", "claude-sonnet-5", "claude-sonnet-4-6"])
    },
    Entry::chats("ernie").open().at("https://qianfan.baidubce.com/v2").key(&["QIANFAN_API_KEY"])
        .families(&["ernie-*"])
        .fallback(&["ernie-5.1", "ernie-5.0", "ernie-4.5-turbo-128k"]),
    Entry::chats("gemini").own().at("https://generativelanguage.googleapis.com/v1beta/openai")
        .key(&["GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"])
        .with(Quirks::GEMINI)
        .families(&["gemini-*"])
        .fallback(&["gemini-3.5-flash-lite", "gemini-3.8-flash", "gemini-3.5-flash", "gemini-2.5-flash-lite"]),
    // api-docs.deepseek.com/guides/anthropic_api: both headers are taken.
    Entry::chats("deepseek").own().at("https://api.deepseek.com/v1").key(&["DEEPSEEK_API_KEY"])
        .responses().messages("/anthropic/v1").with(Quirks::DEEPSEEK)
        .families(&["deepseek-*"])
        .fallback(&["deepseek-flash", "deepseek-v4-flash"]),
    Entry::chats("mistral").own().at("https://api.mistral.ai/v1").key(&["MISTRAL_API_KEY"])
        .continuing(Prefill::Prefix).with(Quirks::MISTRAL).lacking(&[Logprobs])
        .families(&["mistral-*", "magistral-*", "ministral-*", "codestral-*", "devstral-*"])
        .fallback(&["mistral-large-latest", "mistral-medium-latest", "mistral-small-latest"]),
    Entry::chats("xai").own().at("https://api.x.ai/v1").key(&["XAI_API_KEY"])
        .responses().with(Quirks::XAI)
        .families(&["grok-*"])
        .fallback(&["grok-4.7", "grok-4.6", "grok-4.5", "grok-4.3"]),
    // alibabacloud.com/help/en/model-studio/anthropic-api-messages
    Entry::chats("qwen").open().at("https://dashscope-intl.aliyuncs.com/compatible-mode/v1")
        .key(&["DASHSCOPE_API_KEY"]).responses().messages("/apps/anthropic/v1")
        .families(&["qwen*", "qwq-*", "qvq-*"])
        .fallback(&["qwen3.8-max", "qwen3.5-plus", "qwen-plus"]),
    // platform.kimi.ai/docs/api/overview
    Entry::chats("moonshot").own().at("https://api.moonshot.ai/v1").key(&["MOONSHOT_API_KEY"])
        .messages("/anthropic/v1").with(Quirks::MOONSHOT)
        .families(&["kimi-*", "moonshot-*"])
        .fallback(&["kimi-k3", "kimi-k2.6", "kimi-k2.5"]),
    // docs.z.ai: ANTHROPIC_BASE_URL=https://api.z.ai/api/anthropic
    Entry::chats("zai").own().at("https://api.z.ai/api/paas/v4").key(&["ZAI_API_KEY"])
        .messages("/api/anthropic/v1")
        .families(&["glm-*"])
        .fallback(&["glm-5.2", "glm-5.1", "glm-5", "glm-4.7"]),
    // platform.minimaxi.com/docs/api-reference/text-anthropic-api
    Entry::chats("minimax").own().at("https://api.minimax.io/v1").key(&["MINIMAX_API_KEY"])
        .messages("/anthropic/v1")
        .families(&["MiniMax-*", "minimax-*"])
        .fallback(&["MiniMax-M3", "MiniMax-M2.7", "MiniMax-M2.5"]),
    Entry::chats("volcengine").open().at("https://ark.cn-beijing.volces.com/api/v3").key(&["ARK_API_KEY"])
        .families(&["doubao-*"]),
    Entry::chats("cohere").own().at("https://api.cohere.ai/compatibility/v1").key(&["COHERE_API_KEY"])
        .lacking(&[Audio, Several])
        .families(&["command-*"])
        .fallback(&["command-a-03-2025"]),
    Entry::chats("perplexity").at("https://api.perplexity.ai").key(&["PERPLEXITY_API_KEY"])
        .with(Quirks::PERPLEXITY)
        .families(&["sonar*"])
        .fallback(&["sonar-pro", "sonar"]),
    Entry::chats("groq").open().at("https://api.groq.com/openai/v1").key(&["GROQ_API_KEY"])
        .responses().with(Quirks::GROQ).lacking(&[Audio, Several, Logprobs])
        .fallback(&["openai/gpt-oss-120b", "openai/gpt-oss-20b"]),
    Entry::chats("cerebras").open().at("https://api.cerebras.ai/v1").key(&["CEREBRAS_API_KEY"])
        .with(Quirks::CEREBRAS).lacking(&[Audio, Several])
        .fallback(&["gpt-oss-120b"]),
    Entry::chats("together").open().at("https://api.together.xyz/v1").key(&["TOGETHER_API_KEY"])
        .fallback(&["openai/gpt-oss-120b", "openai/gpt-oss-20b"]),
    Entry::chats("fireworks").open().at("https://api.fireworks.ai/inference/v1").key(&["FIREWORKS_API_KEY"])
        .fallback(&["accounts/fireworks/models/gpt-oss-120b", "accounts/fireworks/models/gpt-oss-20b"]),
    Entry::chats("deepinfra").at("https://api.deepinfra.com/v1/openai").key(&["DEEPINFRA_API_KEY"])
        .fallback(&["openai/gpt-oss-120b", "openai/gpt-oss-20b"]),
    // docs.sambanova.ai/docs/en/features/anthropic-compatibility
    Entry::chats("sambanova").open().at("https://api.sambanova.ai/v1").key(&["SAMBANOVA_API_KEY"])
        .responses().counting_messages("/v1")
        .fallback(&["gpt-oss-120b"]),
    Entry::chats("nebius").open().at("https://api.tokenfactory.nebius.com/v1").key(&["NEBIUS_API_KEY"])
        .fallback(&["openai/gpt-oss-120b", "openai/gpt-oss-20b"]),
    Entry::chats("nvidia").open().at("https://integrate.api.nvidia.com/v1").key(&["NVIDIA_API_KEY"])
        .fallback(&["openai/gpt-oss-120b", "openai/gpt-oss-20b"]),
    Entry::chats("siliconflow").open().at("https://api.siliconflow.com/v1").key(&["SILICONFLOW_API_KEY"])
        .fallback(&["openai/gpt-oss-120b", "openai/gpt-oss-20b"]),
    Entry::chats("openrouter").at("https://openrouter.ai/api/v1").key(&["OPENROUTER_API_KEY"])
        .responses().with(Quirks::UNKNOWN)
        .fallback(&["openai/gpt-6-luna", "openai/gpt-oss-120b"]),
    Entry::chats("vercel").at("https://ai-gateway.vercel.sh/v1").key(&["AI_GATEWAY_API_KEY"])
        .with(Quirks::UNKNOWN)
        .fallback(&["openai/gpt-6-luna", "openai/gpt-oss-120b"]),
    Entry::chats("huggingface").at("https://router.huggingface.co/v1").key(&["HF_TOKEN"]),
    Entry::chats("github").at("https://models.github.ai/inference").key(&["GITHUB_TOKEN"])
        .with(Quirks::UNKNOWN),
    Entry {
        key_header: KeyHeader::ApiKey,
        ..Entry::chats("azure").at_own("https://NAME.openai.azure.com/openai/v1").key(&["AZURE_OPENAI_API_KEY"]).responses().with(Quirks::OPENAI)
    },
    Entry::chats("bedrock").at_own("https://bedrock-runtime.REGION.amazonaws.com/openai/v1").key(&["AWS_BEARER_TOKEN_BEDROCK"]).with(Quirks::UNKNOWN),
    // docs.aws.amazon.com/bedrock/latest/userguide/inference-messages-api: Claude, and nothing else.
    Entry::chats("bedrock-mantle").at_own("https://bedrock-mantle.REGION.api.aws/v1").key(&["AWS_BEARER_TOKEN_BEDROCK"])
        .responses().messages_only("/anthropic/v1", "claude").with(Quirks::UNKNOWN),
    Entry::chats("vertex").at_own("https://LOCATION-aiplatform.googleapis.com/v1/projects/PROJECT/locations/LOCATION/endpoints/openapi").key(&["VERTEX_ACCESS_TOKEN"]).with(Quirks::GEMINI),
    Entry::chats("cloudflare").at_own("https://api.cloudflare.com/client/v4/accounts/ID/ai/v1").key(&["CLOUDFLARE_API_KEY"]),
    Entry::chats("databricks").at_own("https://HOST/serving-endpoints").key(&["DATABRICKS_TOKEN"]),
    Entry::chats("ollama").at("http://127.0.0.1:11434/v1").responses().lacking(&[Audio, Several]),
    Entry::chats("lmstudio").at("http://127.0.0.1:1234/v1").responses(),
    Entry::chats("vllm").responses().continuing(Prefill::Vllm),
    Entry::chats("sglang").responses(),
    Entry::chats("tgi"),
    Entry::chats("llamacpp").at("http://127.0.0.1:8080/v1").responses().continuing(Prefill::Trailing),
    Entry::chats("litellm").responses().with(Quirks::UNKNOWN),
    Entry::chats("openai-compatible").responses().with(Quirks::UNKNOWN),
];
