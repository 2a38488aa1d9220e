//! The configuration: one YAML file, read, checked whole, and never changed afterwards.
//!
//! ```text
//! text ─▶ YAML values ─▶ references expanded ─▶ structs, around every mistake ─▶ checks ─▶ Config, or all Problems
//! ```
//!
//! *Invariant:* of ours only the catalogue is imported here; everybody may import this one.

mod address;
mod capability;
mod check;
mod client;
mod digest;
mod duration;
mod env;
mod environment;
mod error_rule;
mod file;
mod limits;
mod locate;
mod log;
mod moment;
mod notify;
mod path;
mod problem;
mod provider;
mod proxy;
mod quirks;
mod recover;
mod reload;
mod route;
mod secret;
mod server;
mod shared;
mod size;
mod text_file;
mod timeouts;
mod traces;
mod upstream;
mod warn;
mod yaml;

use std::net::SocketAddr;
use std::path::Path as FilePath;

pub use address::parse_address;
pub use capability::{CapabilitiesConfig, ToolsBy};
pub use client::{ClientConfig, ClientLimits};
pub use digest::KeyDigest;
pub use env::process_environment;
pub use environment::{from_environment, keys_without_url};
pub use error_rule::{ErrorRule, Meaning};
pub use file::Config;
pub use limits::LimitsConfig;
pub use log::{LogConfig, RequestLines};
pub use notify::{NotifyConfig, NotifyFormat, NotifyOn};
pub use problem::{Problem, Problems, did_you_mean};
pub use proxy::{ForwardProxy, ProxyScheme};
pub use quirks::{LimitName, QuirksConfig};
pub use reload::ReloadWhen;
pub use route::{
    CandidateConfig, Continuation, HoldConfig, ModelList, Refusals, RouteConfig, Strategy,
};
pub use secret::Secret;
pub use server::{AdminConfig, ListenerTls};
pub use shared::{RedisUrl, SharedConfig};
pub use timeouts::{TimeoutsConfig, TimeoutsOverride};
pub use traces::{Collector, TracesConfig};
pub use upstream::{CredentialFrom, KeySource, SeatQueue, UpstreamConfig, UpstreamId};
pub use yaml::read_text;

use self::problem::Found;
use self::proxy::ProxyVariables;
use self::traces::TraceVariables;

impl Config {
    /// Reads and checks a file, with the variables of this process.
    pub fn load(path: &FilePath) -> Result<Self, Problems> {
        Self::parse(&name_of(path), &yaml::load(path)?, &process_environment)
    }

    /// Reads and checks a text. `source` names it in messages; `variable` looks up environment variables.
    pub fn parse(
        source: &str,
        text: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Problems> {
        let mut value = yaml::read(source, text)?;
        let mut found = Found::default();
        env::expand(&mut value, variable, &mut found);
        let mut config = recover::read(&mut value, &mut found);
        config.proxies = ProxyVariables::read(variable);
        config.trace_variables = TraceVariables::read(variable);
        check::check(&config, &value, &mut found);
        if !found.is_empty() {
            return Err(Problems {
                source: source.to_owned(),
                files: found.files().to_vec(),
                list: found.located(text),
            });
        }
        warn::warn(&config, &mut found);
        for (id, upstream) in &mut config.upstreams {
            let path = path::Path::default().key("upstreams").key(id.as_ref());
            let is_expanded = |name| found.is_expanded(&path.clone().key(name));
            upstream.has_expanded_url = ["base_url", "messages_url"].into_iter().any(is_expanded);
        }
        config.texts_from = found.files().to_vec();
        config.warnings = found.located(text);
        Ok(config)
    }
}

/// The operators' address in a file, whatever else stands there: who asks a running proxy needs no keys. `None`: it is left
/// out.
pub fn admin_address(path: &FilePath) -> Result<Option<SocketAddr>, Problems> {
    let source = name_of(path);
    let text = yaml::load(path)?;
    let value = yaml::read(&source, &text)?;
    let mut address = value["admin"]["listen"].clone();
    let mut found = Found::default();
    env::expand(&mut address, &process_environment, &mut found);
    if found.is_empty() && !address.is_null() {
        match server::address(address) {
            Ok(address) => return Ok(Some(address)),
            Err(error) => found.note(path::Path::default(), error.to_string(), None),
        }
    }
    match found.is_empty() {
        true => Ok(None),
        false => Err(Problems {
            source: format!("{source}: admin.listen"),
            files: Vec::new(),
            list: found.located(&text),
        }),
    }
}

fn name_of(path: &FilePath) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests;
