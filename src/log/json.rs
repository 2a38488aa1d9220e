//! The form of log lines for programs: an object with time, level, all fields, and the module that speaks.
//!
//! It is the form of `tracing-subscriber`, which takes four times as long for a line: it writes each quote and comma through
//! a check for UTF-8.

use std::fmt;

use jiff::Timestamp;
use serde::Serializer;
use serde::ser::{Error, SerializeMap};
use tracing::{Event, Subscriber};
use tracing_serde::{AsSerde, SerdeMapVisitor};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Room for the line of a request.
const USUAL: usize = 512;

/// Writes `{"timestamp":"2026-11-27T21:43:18.123456Z","level":"INFO","message":"sentence","upstream":"openai","target":"backstop::log"}`,
/// with the time in UTC.
#[derive(Clone, Copy, Debug)]
pub struct Json;

impl<S, N> FormatEvent<S, N> for Json
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
        let line = line(event).map_err(|_| fmt::Error)?;
        writer.write_str(&line)?;
        writer.write_char('\n')
    }
}

fn line(event: &Event<'_>) -> Result<String, serde_json::Error> {
    let mut line = Vec::with_capacity(USUAL);
    let mut json = serde_json::Serializer::new(&mut line);
    let mut fields = json.serialize_map(None)?;
    let now = format_args!("{:.6}", Timestamp::now());
    fields.serialize_entry("timestamp", &now)?;
    fields.serialize_entry("level", &event.metadata().level().as_serde())?;
    let mut visitor = SerdeMapVisitor::new(fields);
    event.record(&mut visitor);
    let mut fields = visitor.take_serializer()?;
    fields.serialize_entry("target", event.metadata().target())?;
    fields.end()?;
    String::from_utf8(line).map_err(serde_json::Error::custom)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::Json;
    use crate::log::written::written;

    #[test]
    fn a_line_is_an_object_with_every_field() {
        let text = written(Json, || {
            let (none, words) = (None::<&str>, "a \"quote\"\nand a line");
            tracing::warn!(upstream = "openai", tries = 2, none, shown = %words, "{words}");
        });
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let mut line: Value = serde_json::from_str(&text).unwrap();
        let time = line["timestamp"].take();
        let time: Timestamp = time.as_str().unwrap().parse().unwrap();
        assert!(Timestamp::now().duration_since(time).as_secs() < 60);
        assert_eq!(
            line,
            json!({
                "timestamp": null,
                "level": "WARN",
                "message": "a \"quote\"\nand a line",
                "upstream": "openai",
                "tries": 2,
                "shown": "a \"quote\"\nand a line",
                "target": module_path!(),
            })
        );
    }
}
