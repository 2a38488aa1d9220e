//! `backstop status`: how things stand, as a table.
//!
//! Exit codes: 0 if all is well, 1 if something is wrong, 2 if backstop cannot be asked.

use std::cell::Cell;
use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use super::arguments::StatusArgs;
use super::operators::Operators;
use super::print::{print, print_while_read, push};
use super::settings::admin_address;
use super::status_table::{Colours, table};
use crate::config::process_environment;
use crate::output::STDERR;

const WELL: u8 = 0;
const WRONG: u8 = 1;
const UNKNOWN: u8 = 2;
/// How often the table is drawn.
const PACE: Duration = Duration::from_secs(1);
/// Begins at the top of an empty screen.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Asks once, or again and again until it is interrupted.
pub(super) async fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let address = match admin_address(&args.proxy) {
        Ok(address) => address,
        Err(problems) => return Ok(unknown(&problems)),
    };
    let asked = Asked {
        operators: Operators::at(address)?,
        is_json: args.json,
    };
    if args.watch {
        return watch(&asked).await;
    }
    match asked.answer().await {
        Ok(answer) => {
            print(&asked.shown(&answer))?;
            Ok(ExitCode::from(code(&answer)))
        }
        Err(error) => Ok(unknown(&format!("backstop: {error:#}"))),
    }
}

/// Says why it cannot be asked.
fn unknown(why: &dyn Display) -> ExitCode {
    push(&STDERR, why);
    ExitCode::from(UNKNOWN)
}

/// Whom to ask, and how to show what it says.
struct Asked {
    operators: Operators,
    is_json: bool,
}

/// Draws anew until it is interrupted, at whatever moment, or until nobody reads it any more.
async fn watch(asked: &Asked) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let last_code = Cell::new(UNKNOWN);
    tokio::select! {
        _ = interrupt.recv() => {}
        drawn = asked.draw(&last_code) => drawn?,
    }
    Ok(ExitCode::from(last_code.get()))
}

impl Asked {
    /// Draws anew for as long as somebody reads it, and notes the exit code. Where backstop is gone, that is said, above what
    /// was known last.
    async fn draw(&self, last_code: &Cell<u8>) -> anyhow::Result<()> {
        let clear = if io::stdout().is_terminal() {
            CLEAR
        } else {
            ""
        };
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = String::new();
        loop {
            ticks.tick().await;
            let drawn = match self.answer().await {
                Ok(answer) => {
                    last = self.shown(&answer);
                    last_code.set(code(&answer));
                    last.clone()
                }
                Err(error) => {
                    last_code.set(UNKNOWN);
                    let known = match (self.is_json, last.is_empty()) {
                        (false, false) => format!("\nWhat was known last:\n\n{last}"),
                        (false, true) | (true, _) => String::new(),
                    };
                    self.gone(&error) + &known
                }
            };
            if !print_while_read(&format!("{clear}{drawn}"))? {
                return Ok(());
            }
        }
    }

    /// The status, with the availability where there is one.
    async fn answer(&self) -> anyhow::Result<Value> {
        let mut status = self.operators.get("/api/status").await?;
        let is_ours = status["condition"].is_string();
        ensure!(is_ours, "what answers is no backstop");
        // Figures are not worth failing for.
        status["availability"] = self
            .operators
            .get("/api/availability")
            .await
            .unwrap_or_default();
        Ok(status)
    }

    fn shown(&self, answer: &Value) -> String {
        if self.is_json {
            return format!("{answer}\n");
        }
        let has_colours = io::stdout().is_terminal() && process_environment("NO_COLOR").is_none();
        table(answer, Colours(has_colours))
    }

    fn gone(&self, error: &anyhow::Error) -> String {
        match self.is_json {
            true => format!("{}\n", json!({ "error": format!("{error:#}") })),
            false => format!("backstop: {error:#}\n"),
        }
    }
}

fn code(answer: &Value) -> u8 {
    match answer["condition"].as_str() {
        Some("well") => WELL,
        _ => WRONG,
    }
}
