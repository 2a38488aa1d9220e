//! The filter of `--log`: a level, and levels by module. What can only be a slip of the pen is an error.

use std::str::FromStr;

use strsim::jaro_winkler;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{ParseError, Targets};

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
const OURS: &str = "backstop";
/// How similar two words are of which one is probably meant to be the other.
const SIMILAR: f64 = 0.8;

/// A filter that `tracing` takes.
#[derive(Clone, Debug)]
pub(super) struct LogFilter(String);

/// Why a text is no filter, and what is one.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0}\n\n  \
     a level: off, error, warn, info, debug, trace\n  \
     levels by module, the longest name wins: warn,backstop=debug or info,backstop::upstream=trace,h2=debug"
)]
pub(super) struct NoFilter(String);

impl LogFilter {
    /// The filter itself.
    pub(super) fn build(&self) -> Result<Targets, ParseError> {
        self.0.parse()
    }
}

impl FromStr for LogFilter {
    type Err = NoFilter;

    fn from_str(text: &str) -> Result<Self, NoFilter> {
        let parts = text.split(',').map(str::trim);
        let filter = Self(parts.collect::<Vec<_>>().join(","));
        for part in text.split(',') {
            check(part.trim()).map_err(NoFilter)?;
        }
        match filter.build() {
            Ok(_) => Ok(filter),
            Err(error) => Err(NoFilter(error.to_string())),
        }
    }
}

/// `tracing` takes a word that it does not know for the name of a module, which shows nothing.
fn check(part: &str) -> Result<(), String> {
    let (module, level) = match part.split_once('=') {
        Some((module, level)) => (Some(module.trim()), level.trim()),
        None => (None, part),
    };
    // `tracing` takes nothing for `error`.
    if level.is_empty() || level.parse::<LevelFilter>().is_err() {
        let place = module.map_or_else(String::new, |module| format!(" (of `{module}`)"));
        let hint = nearest(level, &LEVELS);
        let hint = hint.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
        return Err(format!("`{level}`{place} is not a level{hint}"));
    }
    let name = module.and_then(|module| module.split(['[', ':']).next());
    match name {
        Some(name) if name != OURS && nearest(name, &[OURS]).is_some() => Err(format!(
            "there is no module `{name}`; did you mean `{OURS}`?"
        )),
        Some(_) | None => Ok(()),
    }
}

fn nearest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    let typed = typed.to_ascii_lowercase();
    let similar = known
        .iter()
        .map(|name| (jaro_winkler(&typed, name), *name))
        .filter(|(similarity, _)| *similarity >= SIMILAR);
    similar
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::LogFilter;

    #[test]
    fn what_is_meant_is_taken() {
        for text in [
            "off",
            "debug",
            "INFO",
            "warn,backstop=debug",
            "info, backstop::upstream=trace",
            "h2=debug",
        ] {
            assert!(text.parse::<LogFilter>().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_told_with_what_was_meant() {
        for (text, expected) in [
            ("debgu", "`debgu` is not a level; did you mean `debug`?"),
            ("warning", "did you mean `warn`?"),
            ("", "`` is not a level"),
            ("info,", "`` is not a level"),
            ("backstop", "`backstop` is not a level"),
            (
                "info,backstop=debgu",
                "`debgu` (of `backstop`) is not a level; did you mean `debug`?",
            ),
            (
                "info,bakcstop::log=debug",
                "there is no module `bakcstop`; did you mean `backstop`?",
            ),
        ] {
            let error = text.parse::<LogFilter>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(
                error.contains("off, error, warn, info, debug, trace"),
                "{error}"
            );
        }
    }
}
