//! Numbers by which things are spread: quick, and the same in every process. Nothing is protected by them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// An odd number without a pattern: the golden ratio in 64 bits.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number in which each bit depends on all bits of another (the end of `SplitMix64`: Steele, Lea and Flood, 2014).
pub fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// A number for these bytes.
pub fn number_of(bytes: &[u8]) -> u64 {
    number_with(0, bytes)
}

/// The same, and another one with each seed.
pub fn number_with(seed: u64, bytes: &[u8]) -> u64 {
    mixed(folded(seed ^ bytes.len() as u64, bytes))
}

/// Takes eight bytes at a time.
fn folded(sum: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    words.iter().chain([&last]).fold(sum, |sum, word| {
        (sum ^ u64::from_le_bytes(*word))
            .wrapping_mul(ODD)
            .rotate_left(29)
    })
}

/// A table by names that we have chosen ourselves, or the configuration has: nobody looks for names that collide.
pub type OwnNames<K, V> = HashMap<K, V, BuildHasherDefault<Quick>>;

/// Hashes the names of [`OwnNames`].
#[derive(Debug, Default)]
pub struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = folded(self.0 ^ bytes.len() as u64, bytes);
    }

    fn write_u8(&mut self, number: u8) {
        self.0 ^= u64::from(number);
    }

    fn finish(&self) -> u64 {
        mixed(self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{OwnNames, number_of};

    /// Clients stay with their candidates when another process takes over.
    #[test]
    fn a_number_never_changes() {
        assert_eq!(number_of(b"one conversation"), 0x7ed7_fb7b_66ef_3926);
    }

    #[test]
    fn names_are_found_again() {
        let names = (0..1000).map(|number| format!("name-{number}"));
        let table: OwnNames<String, usize> = names.clone().zip(0..).collect();
        for (place, name) in names.enumerate() {
            assert_eq!(table.get(&*name), Some(&place));
        }
    }

    #[test]
    fn each_byte_and_the_length_count() {
        let long = [b'x'; 1024];
        let mut seen = HashSet::new();
        for length in 0..=long.len() {
            assert!(seen.insert(number_of(&long[..length])), "{length}");
        }
        for place in 0..long.len() {
            let mut other = long;
            other[place] = b'y';
            assert!(seen.insert(number_of(&other)), "{place}");
        }
    }
}
