//! Why a command fails.

use crate::config::Problems;

/// The message when there is no configuration.
const NO_CONFIGURATION: &str = "\
backstop: there is no configuration. Do one of these:

  export a provider's key and start again (the first one is preferred, the others stand in for it):
      export OPENAI_API_KEY=...        also ANTHROPIC_API_KEY, QIANFAN_API_KEY, GEMINI_API_KEY, DEEPSEEK_API_KEY,
                                       MISTRAL_API_KEY, GROQ_API_KEY, OPENROUTER_API_KEY, TOGETHER_API_KEY
  write ./backstop.yaml, or name a file (config.example.yaml documents every key):
      backstop serve --config FILE
  see it work without any key:
      backstop demo";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] Problems),
    /// There is no configuration.
    #[error("{}", NO_CONFIGURATION)]
    NoConfig,
    /// Any other error.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}
