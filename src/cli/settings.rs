//! Finding the configuration: a named file, `./backstop.yaml`, or the provider keys in the environment.

use std::path::Path;

use super::{ConfigArgs, Failure};
use crate::config::{Config, from_environment, process_environment};

const FILE: &str = "backstop.yaml";
const ENVIRONMENT: &str = "the configuration made from the environment";

/// What to say when there is none.
pub(super) const NO_CONFIGURATION: &str = "\
backstop: there is no configuration. Do one of these:

  export a provider's key and start again (the first one is preferred, the others stand in for it):
      export OPENAI_API_KEY=...        also ANTHROPIC_API_KEY, QIANFAN_API_KEY, GEMINI_API_KEY, DEEPSEEK_API_KEY,
                                       MISTRAL_API_KEY, GROQ_API_KEY, OPENROUTER_API_KEY, TOGETHER_API_KEY
  write ./backstop.yaml, or name a file (config.example.yaml documents every key):
      backstop serve --config FILE
  see it work without any key:
      backstop demo";

/// A configuration and where it came from.
pub(super) struct Found {
    pub(super) config: Config,
    pub(super) source: String,
    /// Its text, if it was made up here.
    pub(super) made: Option<String>,
}

/// Finds, reads and checks the configuration.
pub(super) fn find(args: &ConfigArgs) -> Result<Found, Failure> {
    let named = args.config.as_deref();
    if let Some(path) = named.or_else(|| Some(Path::new(FILE)).filter(|path| path.exists())) {
        return Ok(Found {
            config: Config::load(path)?,
            source: path.display().to_string(),
            made: None,
        });
    }
    let made = from_environment(&process_environment).ok_or(Failure::NoConfig)?;
    Ok(Found {
        config: Config::parse(ENVIRONMENT, &made, &process_environment)?,
        source: ENVIRONMENT.to_owned(),
        made: Some(made),
    })
}
