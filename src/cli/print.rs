//! What commands print: waiting for the reader where the text is all that they are for, and never while they serve.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use anyhow::Context;

use crate::output::{Output, STDOUT};

/// Prints a text to standard output. A reader that has gone away has read enough.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match printed {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed.context("cannot write to standard output"),
    }
}

/// Lets [`tell`] print to standard output from here on.
pub(super) fn open() -> io::Result<()> {
    STDOUT.start(io::stdout(), |_| {})
}

/// Prints a text and a line feed while serving: whether anybody reads it makes no difference.
pub(super) fn tell(text: impl Display) {
    push(&STDOUT, text);
}

/// Hands a text and a line feed to an output.
pub(super) fn push(output: &Output, text: impl Display) {
    output.push(format!("{text}\n").as_bytes());
}
