//! What a form of log lines writes, for the tests of forms.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::with_default;
use tracing_subscriber::fmt::FormatEvent;
use tracing_subscriber::fmt::format::DefaultFields;
use tracing_subscriber::registry::Registry;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is written while this logs, without colours.
pub(super) fn written<F>(form: F, log: impl FnOnce()) -> String
where
    F: FormatEvent<Registry, DefaultFields> + Send + Sync + 'static,
{
    let written = Written::default();
    let writer = written.clone();
    let lines = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .event_format(form);
    with_default(lines.finish(), log);
    let bytes = written.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}
