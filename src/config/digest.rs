//! The SHA-256 digest of a key: whoever reads it in the configuration does not have the key.

use std::fmt;

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use serde::de::{Deserialize, Deserializer, Error};

/// The digest of a key. A key that was drawn at random cannot be found from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; SHA256_OUTPUT_LEN]);

impl KeyDigest {
    /// The digest of a key.
    pub fn of(key: &[u8]) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest(&SHA256, key).as_ref());
        Self(bytes)
    }

    /// Reads 64 hexadecimal digits.
    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        if text.len() != 2 * bytes.len() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl<'de> Deserialize<'de> for KeyDigest {
    /// The error does not have the text: perhaps it is the key itself.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(text.trim()).ok_or_else(|| {
            D::Error::custom(
                "is no SHA-256 digest: write the 64 hexadecimal digits that `backstop hash-key` prints",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::KeyDigest;

    #[test]
    fn a_digest_is_written_as_every_tool_writes_it() {
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(KeyDigest::of(b"abc").to_string(), abc);
        assert_eq!(format!("{:?}", KeyDigest::of(b"abc")), "****");
        assert_eq!(KeyDigest::parse(abc), Some(KeyDigest::of(b"abc")));
        assert_eq!(
            KeyDigest::parse(&abc.to_uppercase()),
            Some(KeyDigest::of(b"abc"))
        );
        for wrong in [
            "",
            "abc",
            &abc[1..],
            &format!("{}x", &abc[1..]),
            &format!("+1{}", &abc[2..]),
            &format!("{abc}00"),
            &"ä".repeat(32),
        ] {
            assert_eq!(KeyDigest::parse(wrong), None, "{wrong}");
        }
    }
}
