//! Finds the end of what is plain in a string of a JSON text.

use memchr::memchr2;

/// So much of a string is looked through in words of eight bytes.
const IN_WORDS: usize = 64;

/// How many bytes of a string come before the first quote, backslash or control character.
pub(super) fn plain(text: &[u8]) -> usize {
    let mut start = 0;
    while start < IN_WORDS
        && let Some(eight) = text[start..].first_chunk()
    {
        let marks = marks(u64::from_le_bytes(*eight));
        if marks != 0 {
            return start + marks.trailing_zeros() as usize / 8;
        }
        start += 8;
    }
    let rest = &text[start..];
    let is_control = |byte: &u8| *byte < b' ';
    let Some(end) = memchr2(b'"', b'\\', rest) else {
        return start + rest.iter().position(is_control).unwrap_or(rest.len());
    };
    let rest = &rest[..end];
    // Without a branch for each byte, which is many times as fast; a control character is an error.
    match rest.iter().fold(false, |has, byte| has | is_control(byte)) {
        true => start + rest.iter().position(is_control).unwrap_or(end),
        false => start + end,
    }
}

/// The highest bit of the first byte (the lowest one) that is a quote, a backslash or a control character; bits above that
/// one mean nothing. See "Bit Twiddling Hacks", *Determine if a word has a byte less than n*.
fn marks(eight: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let below = |eight: u64, limit: u8| eight.wrapping_sub(ONES * u64::from(limit)) & !eight;
    let is = |byte: u8| below(eight ^ (ONES * u64::from(byte)), 1);
    (below(eight, b' ') | is(b'"') | is(b'\\')) & (ONES << 7)
}
