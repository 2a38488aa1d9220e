//! `backstop hash-key`: the digest of a key, to be written in its place.

use std::io::{self, Read};

use anyhow::{Context, bail};

use super::print::print;
use crate::config::KeyDigest;

/// A longer text is no key.
const LONGEST: u64 = 64 << 10;

/// Reads a key from standard input, where no list of processes and no history of a shell shows it, and prints its digest.
pub(super) fn run() -> anyhow::Result<()> {
    let mut text = String::new();
    let mut input = io::stdin().lock().take(LONGEST + 1);
    input
        .read_to_string(&mut text)
        .context("cannot read the key from standard input")?;
    let key = text.trim();
    if key.is_empty() {
        bail!(
            "no key came on standard input; for example: openssl rand -hex 24 | tee key | backstop hash-key"
        );
    }
    if text.len() as u64 > LONGEST {
        bail!("what came on standard input is no key: it is longer than 64 KiB");
    }
    if key.contains(char::is_whitespace) {
        bail!("what came on standard input is no key: it has white space in it");
    }
    print(&format!("{}\n", KeyDigest::of(key.as_bytes())))
}
