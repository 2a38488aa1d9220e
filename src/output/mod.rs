//! Standard output and standard error, written by threads of their own, so that no task blocks on whoever reads them.
//!
//! If a pipe is not read, a disk is full or a reader has gone away, lines are lost, and nothing else happens. Lost
//! lines are counted.

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

    /// Writes to this file from here on. `announce` gets the number of lost lines, once lines can be written again.
    pub fn start(&'static self, file: impl AsFd, announce: fn(u64)) -> io::Result<()> {
        // A descriptor of its own: the handles of the standard library have locks that others use.
        let mut writer = Writer::new(File::from(file.as_fd().try_clone_to_owned()?));
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || writer.run(&self.0, announce))?;
        Ok(())
    }

    /// Queues one or more lines that end with a line feed. They are lost if there is no room.
    pub fn push(&self, line: &[u8]) {
        self.0.push(line);
    }

    /// How many lines have been lost so far.
    pub fn lost(&self) -> u64 {
        self.0.lost()
    }

    /// Waits until everything has been written, but at most this long.
    pub fn flush(&self, patience: Duration) {
        self.0.flush(patience);
    }
}
