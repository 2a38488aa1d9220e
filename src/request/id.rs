//! The name of a request, as clients, logs and traces know it.

use std::fmt;

/// Identifies one request in headers, logs and error bodies.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestId([u8; PREFIX.len() + DIGITS]);

/// How the text of an id begins.
const PREFIX: [u8; 4] = *b"req_";
/// The hexadecimal digits of a random number.
const DIGITS: usize = 32;

impl RequestId {
    /// A fresh random id.
    pub fn random() -> Self {
        let mut text = [0; _];
        let (prefix, digits) = text.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(&PREFIX);
        let random = fastrand::u128(..).to_ne_bytes();
        for (pair, byte) in digits.chunks_exact_mut(2).zip(random) {
            let digit = |four: u8| b"0123456789abcdef"[usize::from(four & 15)];
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte)]);
        }
        Self(text)
    }

    /// Its digits as a number.
    pub fn number(&self) -> u128 {
        let digits = self.0[PREFIX.len()..].iter();
        // Letters are nine above their last four bits, and they alone have the seventh.
        let value = |digit: u8| (digit & 15) + 9 * (digit >> 6);
        digits.fold(0, |number, digit| number << 4 | u128::from(value(*digit)))
    }

    /// The bytes of its text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The id as text; always visible ASCII.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
