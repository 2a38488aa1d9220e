//! The terminal: keys come one by one and unseen, and everything is as before when it is let go.

use std::io::{self, IsTerminal, Read};
use std::thread;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::sync::mpsc;

use crate::cli::print::tell;
use crate::config::process_environment;

/// A terminal that gives keys.
pub(super) struct Terminal {
    before: Termios,
    keys: mpsc::Receiver<u8>,
}

/// Whether somebody can press keys and see a table that changes.
pub(super) fn is_there() -> bool {
    let is_dumb = process_environment("TERM").is_none_or(|name| name == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb
}

impl Terminal {
    /// Takes the terminal. Ctrl-C comes as a key, so that nothing ends before the terminal is as it was.
    pub(super) fn take() -> anyhow::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut taken = before.clone();
        taken
            .local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN);
        tcsetattr(io::stdin(), OptionalActions::Now, &taken)?;
        // Nothing but the process's end can stop a thread that reads from a terminal.
        let (sender, keys) = mpsc::channel(16);
        thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || read(&sender))?;
        Ok(Self { before, keys })
    }

    /// The next key. Without a terminal there is none ever again.
    pub(super) async fn key(&mut self) -> u8 {
        match self.keys.recv().await {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // If that fails, the terminal has gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        tell("\x1b[?25h");
    }
}

/// Columns and rows; those of the smallest usual terminal, if it does not say.
pub(super) fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            (usize::from(size.ws_col), usize::from(size.ws_row))
        }
        _ => (80, 24),
    }
}

fn read(keys: &mpsc::Sender<u8>) {
    let mut bytes = [0; 32];
    while let Ok(count @ 1..) = io::stdin().read(&mut bytes) {
        for key in single_keys(&bytes[..count]) {
            if keys.blocking_send(key).is_err() {
                return;
            }
        }
    }
}

/// What was pressed, without arrows and function keys: they are sequences (`ESC [ A`, `ESC O P`), and mean nothing here.
fn single_keys(mut pressed: &[u8]) -> Vec<u8> {
    let mut keys = Vec::new();
    while let Some((key, rest)) = pressed.split_first() {
        pressed = match rest {
            [b'[' | b'O', sequence @ ..] if *key == 0x1b => {
                let end = sequence
                    .iter()
                    .position(|byte| (0x40..=0x7e).contains(byte));
                &sequence[end.map_or(sequence.len(), |end| end + 1)..]
            }
            _ => {
                keys.push(*key);
                rest
            }
        };
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::single_keys;

    #[test]
    fn sequences_are_left_out_and_keys_behind_them_count() {
        assert_eq!(single_keys(b"1\x1b[Aq"), b"1q");
        assert_eq!(single_keys(b"\x1bOP\x1b[15~h\x1b["), b"h");
        assert_eq!(single_keys(b"\x1b"), b"\x1b");
    }
}
