//! What commands print: they wait for the reader if the text is their only purpose, and never while they serve.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use anyhow::Context;

use crate::output::{Output, STDOUT};

/// Prints a text to standard output. A reader that has gone away is not an error.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    print_while_read(text).map(|_| ())
}

/// The same; says whether there is a reader.
pub(super) fn print_while_read(text: &str) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match printed {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        printed => printed
            .map(|()| true)
            .context("cannot write to standard output"),
    }
}

/// Opens standard output for [`tell`].
pub(super) fn open() -> io::Result<()> {
    STDOUT.start(io::stdout(), |_| {})
}

/// Prints a text and a line feed while serving; never waits for a reader.
pub(super) fn tell(text: impl Display) {
    push(&STDOUT, text);
}

/// Writes a text and a line feed to an output.
pub(super) fn push(output: &Output, text: impl Display) {
    output.push(format!("{text}\n").as_bytes());
}
