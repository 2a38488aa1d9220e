//! The form of log lines for people: time, level and sentence.
//!
//! Our own sentences say everything, so their fields are for the JSON form alone; of the request's id, the beginning is
//! shown. Other crates have no such sentences: their fields are shown.

use std::fmt::{self, Debug, Write};

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Enough of a request's id to find it on a terminal: `req_` and eight digits.
const ID: usize = 12;

/// Writes `11-27 21:43:18 INFO sentence req_3f2a9c01`, with the time in UTC.
#[derive(Clone, Copy, Debug)]
pub struct Text;

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        let now = Timestamp::now().strftime("%m-%d %H:%M:%S");
        if writer.has_ansi_escapes() {
            write!(writer, "\x1b[2m{now}\x1b[0m {}", colour(level))?;
            write!(writer, "{level:>5}\x1b[0m")?;
        } else {
            write!(writer, "{now} {level:>5}")?;
        }
        let target = event.metadata().target();
        let mut line = Line {
            is_ours: target.split("::").next() == Some("backstop"),
            ..Line::default()
        };
        event.record(&mut line);
        writeln!(writer, "{}{}", line.sentence, line.rest)
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        _ => "\x1b[2m",
    }
}

/// A line as its fields are met.
#[derive(Default)]
struct Line {
    is_ours: bool,
    sentence: String,
    rest: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(Plain(&mut self.sentence), " {value:?}"),
            "request" if self.is_ours => {
                let id = format!("{value:?}");
                write!(self.rest, " {}", id.get(..ID).unwrap_or(&id))
            }
            // Its lines stay lines.
            "backtrace" if self.is_ours => write!(self.rest, "\n{value:?}"),
            name if self.is_ours || name.starts_with("log.") => Ok(()),
            name => write!(Plain(&mut self.rest), " {name}={value:?}"),
        };
    }
}

/// Control characters, which could begin a line or move the cursor, are written as escapes: an upstream's words may hold
/// some.
struct Plain<'a>(&'a mut String);

impl Write for Plain<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c.is_control() {
                true => self.0.extend(c.escape_default()),
                false => self.0.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Text;
    use crate::log::written;

    /// What is written behind the time.
    fn written(log: impl FnOnce()) -> String {
        written::written(Text, log)[15..].to_owned()
    }

    #[test]
    fn no_fact_stands_twice() {
        let line = written(|| {
            tracing::warn!(
                request = %"req_0123456789abcdef",
                upstream = "openai",
                "openai is out of rotation"
            );
        });
        assert_eq!(line, " WARN openai is out of rotation req_01234567\n");
        let line = written(|| tracing::info!(target: "h2::codec", stream = 7, "frame"));
        assert_eq!(line, " INFO frame stream=7\n");
    }

    #[test]
    fn words_of_others_cannot_forge_lines() {
        let words = "a\n11-27 21:43:18 ERROR forged\x1b[2J";
        let line = written(|| tracing::info!("it says {words}"));
        assert_eq!(
            line,
            " INFO it says a\\n11-27 21:43:18 ERROR forged\\u{1b}[2J\n"
        );
    }
}
