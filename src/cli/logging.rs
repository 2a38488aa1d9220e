//! Logs: readable on a terminal, otherwise one JSON object per line. Writing a line never blocks the caller.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal, Write};
use std::panic;
use std::thread;

use anyhow::Context;
use clap::ValueEnum;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt;

use super::log_filter::LogFilter;
use crate::config::process_environment;
use crate::log::{Json, Text};
use crate::output::STDERR;
use crate::state;

/// The form of log lines.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// A short line for people.
    Text,
    /// One object per line, with all fields.
    Json,
}

/// Sends log lines and panics to standard error from here on.
pub(super) fn start(filter: &LogFilter, format: LogFormat) -> anyhow::Result<()> {
    let is_terminal = io::stderr().is_terminal();
    let filter = filter.build().context("--log")?;
    let lines = tracing_subscriber::fmt::layer()
        // Such an error would be written to standard error at once, even if that blocks.
        .log_internal_errors(false)
        .with_writer(|| Line);
    let is_text = match format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    if is_text {
        let has_colours = is_terminal && process_environment("NO_COLOR").is_none();
        let lines = lines.with_ansi(has_colours).event_format(Text);
        registry().with(lines).with(filter).init();
    } else {
        let lines = lines.event_format(Json);
        registry().with(lines).with(filter).init();
    }
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Opens standard error for log lines.
pub(super) fn open() -> io::Result<()> {
    STDERR.start(io::stderr(), |lines| {
        tracing::warn!(
            lines,
            "{lines} log lines were lost: they could not be written to standard error"
        );
    })
}

/// The default hook would write to standard error itself, and block until it is read.
fn log_panic(info: &panic::PanicHookInfo<'_>) {
    let thread = thread::current();
    let name = thread.name().unwrap_or_default();
    if name.starts_with(state::THREADS) {
        tracing::debug!("the database panicked, which is coped with: {info}");
        return;
    }
    let backtrace = Backtrace::capture();
    let is_captured = backtrace.status() == BacktraceStatus::Captured;
    let place = info.location().map(|place| format!(" at {place}"));
    tracing::error!(
        location = info.location().map(tracing::field::display),
        backtrace = is_captured.then(|| tracing::field::display(backtrace)),
        "a thread panicked{}: {}",
        place.unwrap_or_default(),
        info.payload_as_str()
            .map_or("for a reason without words", without_quotes)
    );
}

/// The words of a panic up to the first quote: it may be a prompt or a key that could not be cut or read.
fn without_quotes(words: &str) -> &str {
    words.split(['`', '"', '\'']).next().unwrap_or_default()
}

/// A log line: `tracing` writes each one in a single call.
struct Line;

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        STDERR.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
