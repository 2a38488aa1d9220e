//! The configuration: one YAML file, read, checked whole, and never changed afterwards.
//!
//! ```text
//! text ─▶ YAML values ─▶ variables expanded ─▶ structs, around every mistake ─▶ checks ─▶ Config, or all Problems
//! ```
//!
//! *Invariant:* of ours only the catalogue is imported here; everybody may import this one.

mod capability;
mod check;
mod duration;
mod env;
mod environment;
mod error_rule;
mod file;
mod limits;
mod locate;
mod path;
mod problem;
mod provider;
mod proxy;
mod quirks;
mod recover;
mod route;
mod secret;
mod server;
mod size;
mod timeouts;
mod upstream;

use std::path::Path as FilePath;

use serde_yaml::{Mapping, Value};

pub use capability::{CapabilitiesConfig, ToolsBy};
pub use env::process_environment;
pub use environment::from_environment;
pub use error_rule::{ErrorRule, Meaning};
pub use file::Config;
pub use limits::LimitsConfig;
pub use problem::{Problem, Problems};
pub use proxy::{ForwardProxy, ProxyScheme};
pub use quirks::{LimitName, QuirksConfig};
pub use route::{
    CandidateConfig, Continuation, HoldConfig, ModelList, Refusals, RouteConfig, Strategy,
};
pub use secret::Secret;
pub use server::{AdminConfig, ClientConfig, ListenerTls};
pub use timeouts::{TimeoutsConfig, TimeoutsOverride};
pub use upstream::{CredentialFrom, KeySource, SeatQueue, UpstreamConfig, UpstreamId};

use self::problem::Found;
use self::proxy::ProxyVariables;

impl Config {
    /// Reads and checks a file, with the variables of this process.
    pub fn load(path: &FilePath) -> Result<Self, Problems> {
        let source = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| Problems {
            list: vec![Problem {
                path: String::new(),
                line: None,
                message: format!("cannot be read: {error}"),
                hint: None,
            }],
            source: source.clone(),
        })?;
        Self::parse(&source, &text, &process_environment)
    }

    /// Reads and checks a text. `source` names it in messages; `variable` looks up environment variables.
    pub fn parse(
        source: &str,
        text: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Problems> {
        let mut value = match serde_yaml::from_str(text) {
            Ok(Value::Null) => Value::Mapping(Mapping::new()),
            Ok(value) => value,
            Err(error) => return Err(not_yaml(source, &error)),
        };
        let mut found = Found::default();
        env::expand(&mut value, variable, &mut found);
        let mut config = recover::read(&mut value, &mut found);
        config.proxies = ProxyVariables::read(variable);
        check::check(&config, &value, &mut found);
        match found.into_problems(source, text) {
            None => Ok(config),
            Some(problems) => Err(problems),
        }
    }
}

fn not_yaml(source: &str, error: &serde_yaml::Error) -> Problems {
    let message = error.to_string();
    Problems {
        source: source.to_owned(),
        list: vec![Problem {
            path: String::new(),
            line: error.location().map(|location| location.line()),
            message: format!("not valid YAML: {message}"),
            hint: None,
        }],
    }
}

#[cfg(test)]
mod tests;
