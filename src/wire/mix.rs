//! Numbers by which things are spread: quick, and the same in every process. Nothing is protected by them.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use twox_hash::XxHash3_64;

/// A table by names that we have chosen ourselves, or the configuration has: nobody looks for names that collide.
pub type OwnNames<K, V> = HashMap<K, V, RandomState>;

/// A number in which each bit depends on all bits of another.
pub fn mixed(number: u64) -> u64 {
    number_of(&number.to_le_bytes())
}

/// A number for these bytes (XXH3).
pub fn number_of(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

/// The same, and another one with each seed.
pub fn number_with(seed: u64, bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, bytes)
}

#[cfg(test)]
mod tests {
    use super::number_of;

    /// Clients stay with their candidates when another process takes over.
    #[test]
    fn a_number_never_changes() {
        assert_eq!(number_of(b"one conversation"), 0x7627_2070_78c3_d1ca);
    }
}
