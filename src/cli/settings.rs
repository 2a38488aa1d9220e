//! Finding the configuration: a named file, `./backstop.yaml`, or the provider keys in the environment.

use std::path::Path;

use super::arguments::ConfigArgs;
use super::failure::Failure;
use crate::config::{Config, from_environment, process_environment};

/// The configuration, if none is named.
pub(super) const FILE: &str = "backstop.yaml";
const ENVIRONMENT: &str = "the configuration made from the environment";

/// A configuration and its source.
pub(super) struct Found {
    pub(super) config: Config,
    pub(super) source: String,
    /// Its text, if it was generated from the environment.
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
    let mut config = Config::parse(ENVIRONMENT, &made, &process_environment)?;
    config.is_made = true;
    Ok(Found {
        config,
        source: ENVIRONMENT.to_owned(),
        made: Some(made),
    })
}
