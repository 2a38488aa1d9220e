//! `LiteLLM`'s names of providers: which of ours each one is, where it lies, and which variable its key has by default.

use crate::catalogue::Provider;

/// Where an upstream lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At the provider's own URL, or at `api_base` as it is.
    Own,
    /// The same, but `api_base` is written without `/v1`.
    BelowV1,
    /// At `api_base` only.
    Given,
    /// At `OpenAI`, or at any server with its API.
    OpenAi,
    /// At a resource of Azure `OpenAI`.
    Azure,
    /// At a resource of Azure AI Foundry.
    Foundry,
    /// At Amazon Bedrock in a region.
    Bedrock,
    /// At Vertex AI in a project.
    Vertex,
    /// At Hugging Face's router, or at an endpoint of one's own.
    HuggingFace,
    /// At an account of Cloudflare.
    Cloudflare,
    /// At a workspace of Databricks.
    Databricks,
}

/// A provider by its name in `LiteLLM`'s file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    /// Its name in our configuration.
    pub(super) provider: &'static str,
    /// The variable of its key, if the file names none; empty: it needs no key.
    pub(super) key: &'static str,
    pub(super) place: Place,
}

const fn known(
    name: &'static str,
    provider: &'static str,
    key: &'static str,
    place: Place,
) -> Known {
    Known {
        name,
        provider,
        key,
        place,
    }
}

/// From docs.litellm.ai/docs/providers: the prefix of a model, and the variable of the key.
#[rustfmt::skip]
static TABLE: &[Known] = &[
    known("openai", "openai", "OPENAI_API_KEY", Place::OpenAi),
    known("text-completion-openai", "openai", "OPENAI_API_KEY", Place::OpenAi),
    known("openai_like", "openai-compatible", "", Place::Given),
    known("custom_openai", "openai-compatible", "", Place::Given),
    known("xinference", "openai-compatible", "", Place::Given),
    known("anthropic", "anthropic", "ANTHROPIC_API_KEY", Place::BelowV1),
    known("gemini", "gemini", "GEMINI_API_KEY", Place::Own),
    known("azure", "azure", "AZURE_API_KEY", Place::Azure),
    known("azure_ai", "azure", "AZURE_AI_API_KEY", Place::Foundry),
    known("bedrock", "bedrock", "AWS_BEARER_TOKEN_BEDROCK", Place::Bedrock),
    known("bedrock_converse", "bedrock", "AWS_BEARER_TOKEN_BEDROCK", Place::Bedrock),
    known("vertex_ai", "vertex", "", Place::Vertex),
    known("vertex_ai_beta", "vertex", "", Place::Vertex),
    known("huggingface", "huggingface", "HF_TOKEN", Place::HuggingFace),
    known("mistral", "mistral", "MISTRAL_API_KEY", Place::Own),
    known("deepseek", "deepseek", "DEEPSEEK_API_KEY", Place::Own),
    known("xai", "xai", "XAI_API_KEY", Place::Own),
    known("dashscope", "qwen", "DASHSCOPE_API_KEY", Place::Own),
    known("moonshot", "moonshot", "MOONSHOT_API_KEY", Place::Own),
    known("zai", "zai", "ZAI_API_KEY", Place::Own),
    known("minimax", "minimax", "MINIMAX_API_KEY", Place::Own),
    known("volcengine", "volcengine", "VOLCENGINE_API_KEY", Place::Own),
    known("cohere", "cohere", "COHERE_API_KEY", Place::Own),
    known("cohere_chat", "cohere", "COHERE_API_KEY", Place::Own),
    known("perplexity", "perplexity", "PERPLEXITYAI_API_KEY", Place::Own),
    known("groq", "groq", "GROQ_API_KEY", Place::Own),
    known("cerebras", "cerebras", "CEREBRAS_API_KEY", Place::Own),
    known("together_ai", "together", "TOGETHERAI_API_KEY", Place::Own),
    known("fireworks_ai", "fireworks", "FIREWORKS_AI_API_KEY", Place::Own),
    known("deepinfra", "deepinfra", "DEEPINFRA_API_KEY", Place::Own),
    known("sambanova", "sambanova", "SAMBANOVA_API_KEY", Place::Own),
    known("nebius", "nebius", "NEBIUS_API_KEY", Place::Own),
    known("nvidia_nim", "nvidia", "NVIDIA_NIM_API_KEY", Place::Own),
    known("openrouter", "openrouter", "OPENROUTER_API_KEY", Place::Own),
    known("vercel_ai_gateway", "vercel", "VERCEL_AI_GATEWAY_API_KEY", Place::Own),
    known("github", "github", "GITHUB_API_KEY", Place::Own),
    known("cloudflare", "cloudflare", "CLOUDFLARE_API_KEY", Place::Cloudflare),
    known("databricks", "databricks", "DATABRICKS_API_KEY", Place::Databricks),
    known("ollama", "ollama", "", Place::BelowV1),
    known("ollama_chat", "ollama", "", Place::BelowV1),
    known("lm_studio", "lmstudio", "", Place::Own),
    known("llamafile", "llamacpp", "", Place::Own),
    known("hosted_vllm", "vllm", "", Place::Given),
    known("vllm", "vllm", "", Place::Given),
    known("litellm_proxy", "litellm", "", Place::Given),
];

/// What else `OpenAI` has, by the beginnings of names that belong to no family of chat models.
const OPENAI_TOO: [&str; 6] = [
    "text-embedding-",
    "dall-e-",
    "whisper-",
    "tts-",
    "ft:gpt-",
    "omni-moderation-",
];

/// The provider with this name.
pub(super) fn by_name(name: &str) -> Option<Known> {
    TABLE.iter().find(|known| known.name == name).copied()
}

/// The provider that has a model of this name, where nothing else names one.
pub(super) fn by_model(model: &str) -> Option<Known> {
    if OPENAI_TOO.iter().any(|start| model.starts_with(start)) {
        return by_name("openai");
    }
    let fits = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(start) => model.starts_with(start),
        None => model == *pattern,
    };
    let provider = Provider::all().find(|provider| provider.families().iter().any(&fits))?;
    TABLE
        .iter()
        .find(|known| known.provider == provider.name())
        .copied()
}

#[cfg(test)]
mod tests {
    use super::{TABLE, by_model};
    use crate::catalogue::Provider;

    #[test]
    fn every_name_leads_to_a_provider_of_ours() {
        for known in TABLE {
            let is_ours = Provider::all().any(|provider| provider.name() == known.provider);
            assert!(is_ours, "{}", known.name);
        }
    }

    #[test]
    fn models_without_a_provider_belong_to_those_who_make_them() {
        let provider = |model: &str| by_model(model).map(|known| known.name);
        assert_eq!(provider("gpt-4o"), Some("openai"));
        assert_eq!(provider("text-embedding-ada-002"), Some("openai"));
        assert_eq!(provider("claude-3-haiku-20240307"), Some("anthropic"));
        assert_eq!(provider("unheard-of"), None);
    }
}
