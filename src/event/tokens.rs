//! What an answer costs.

use std::ops::AddAssign;

/// The tokens of an answer, as its upstream counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Those of the request, cached ones included.
    pub input: u64,
    /// Those of the request that the upstream read from its cache.
    pub cached: u64,
    /// Those of the answer, thoughts included.
    pub output: u64,
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        self.input = self.input.saturating_add(other.input);
        self.cached = self.cached.saturating_add(other.cached);
        self.output = self.output.saturating_add(other.output);
    }
}
