//! Standard output and standard error, written by threads of their own, so that nobody ever waits for whoever reads them.
//!
//! A pipe that nobody reads, a full disk or a reader that has gone away costs lines, and nothing else. They are counted.

mod queue;
mod writer;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use self::queue::Queue;
use self::writer::Writer;

/// The standard output of this process.
pub static STDOUT: Output = Output::new();
/// The standard error of this process.
pub static STDERR: Output = Output::new();

/// Lines on their way to a file.
#[derive(Debug)]
pub struct Output(Queue);

impl Output {
    const fn new() -> Self {
        Self(Queue::new())
    }

    /// Writes to this file from here on. `announce` is told how many lines were lost, once lines can be written again.
    pub fn start(&'static self, file: impl AsFd, announce: fn(u64)) -> io::Result<()> {
        // A descriptor of its own: the locks of the standard library's handles are for others.
        let mut writer = Writer::new(File::from(file.as_fd().try_clone_to_owned()?));
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || writer.run(&self.0, announce))?;
        Ok(())
    }

    /// Takes a line, or several, that end with a line feed. Without room for it, it is lost.
    pub fn push(&self, line: &[u8]) {
        self.0.push(line);
    }

    /// How many lines were lost so far.
    pub fn lost(&self) -> u64 {
        self.0.lost()
    }

    /// Waits until everything is written, but no longer than that.
    pub fn flush(&self, patience: Duration) {
        self.0.flush(patience);
    }
}
