//! Why a command fails.

use crate::config::Problems;

/// The message when there is no configuration.
const NO_CONFIGURATION: &str = "\
backstop: there is no configuration. Do one of these:

  export keys of providers and start again (each serves its own models first, and stands in for the others):
      export OPENAI_API_KEY=...        also ANTHROPIC_API_KEY, QIANFAN_API_KEY, GEMINI_API_KEY, DEEPSEEK_API_KEY,
                                       MISTRAL_API_KEY, GROQ_API_KEY, OPENROUTER_API_KEY and others: see the guide
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
    /// There is no configuration; what is missing for keys that are set.
    #[error("{NO_CONFIGURATION}{}", notes(.0))]
    NoConfig(Vec<String>),
    /// Any other error.
    #[error("{0:#}")]
    Other(anyhow::Error),
}

/// Below the message, a line for each.
fn notes(sentences: &[String]) -> String {
    let lines = sentences.iter().map(|sentence| format!("\n{sentence}"));
    match sentences {
        [] => String::new(),
        _ => format!("\n{}", lines.collect::<String>()),
    }
}

/// A configuration that is wrong is one wherever it is found out.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast() {
            Ok(problems) => Self::Config(problems),
            Err(error) => Self::Other(error),
        }
    }
}
