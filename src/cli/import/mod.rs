//! `backstop import`: turns another program's configuration into ours, and says what it left out.
//!
//! ```text
//! LiteLLM's file ─▶ deployments (model_list) ─▶ routes (fallbacks, aliases, order) ─▶ our text ─▶ checked as `check` does
//!                   settings ─▶ timeouts, clients, notify                              notes: what was left out, and why
//! ```

mod catalog;
mod deployment;
mod groups;
mod models;
mod notes;
mod params;
mod place;
mod routes;
mod settings;
mod text;
mod upstreams;
mod values;

use std::path::Path;

use anyhow::Context;
use serde_yaml::Value;

use self::groups::Groups;
use self::notes::Notes;
use self::settings::Settings;
use super::arguments::{ImportArgs, ImportFrom};
use super::failure::Failure;
use super::print::{print, push};
use crate::config::{Config, Problems, read_text};
use crate::output::STDERR;

/// What the result is called in messages.
const RESULT: &str = "the imported configuration";

/// Prints our configuration to standard output, and notes to standard error. A result that is not valid is printed as
/// well, and its problems are returned as the error.
pub(super) fn run(args: &ImportArgs) -> Result<(), Failure> {
    let ImportFrom::Litellm { file } = &args.from;
    let text = read_text(file).map_err(|wrong| anyhow::anyhow!("{} {wrong}", file.display()))?;
    let name = file.file_name().unwrap_or(file.as_os_str());
    let imported = import(Path::new(name), &text)
        .with_context(|| format!("cannot import {}", file.display()))?;
    print(&imported.text)?;
    if !imported.notes.is_empty() {
        push(&STDERR, &imported.notes);
    }
    let config = Config::parse(RESULT, &imported.text, &|name| {
        Some(text::placeholder(&imported.text, name))
    })?;
    if !config.warnings.is_empty() {
        let warnings = Problems {
            source: RESULT.to_owned(),
            list: config.warnings,
            files: Vec::new(),
        };
        push(&STDERR, format!("warnings:\n{}", warnings.lines()));
    }
    Ok(())
}

struct Imported {
    text: String,
    notes: Notes,
}

fn import(name: &Path, text: &str) -> anyhow::Result<Imported> {
    // The error of the parser could quote a key.
    let mut file: Value = serde_yaml::from_str(text).map_err(|error| match error.location() {
        Some(place) => anyhow::anyhow!("line {} is not valid YAML", place.line()),
        None => anyhow::anyhow!("it is not valid YAML"),
    })?;
    file.apply_merge().context("a merge key has no mapping")?;
    let mut notes = Notes::default();
    let (upstreams, deployments) = deployment::read(&file, &mut notes)?;
    let settings = Settings::read(&file, &mut notes);
    let groups = Groups::of(&deployments, &mut notes);
    let routes = routes::build(&groups, &deployments, &settings, &mut notes);
    let text = text::write(name, &upstreams, &routes, &settings);
    let variables = text::variables(&text);
    if !variables.is_empty() {
        notes.tell(format!(
            "it needs these environment variables: {}",
            variables.join(", ")
        ));
    }
    Ok(Imported { text, notes })
}

#[cfg(test)]
mod tests;
