//! Whether the model of a request thinks before it speaks, as far as is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the model of a request is known to think: by its name, by what the request asks for, or because an answer has
/// shown it. Then it is known for all attempts of the request, those that are in flight included.
#[derive(Clone, Debug, Default)]
pub struct Thinking(Arc<AtomicBool>);

impl Thinking {
    /// What is known before the first attempt.
    pub fn expected(is_expected: bool) -> Self {
        Self(Arc::new(AtomicBool::new(is_expected)))
    }

    /// Whether it thinks, as far as is known.
    pub fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An answer has shown that it thinks.
    pub fn is_shown(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
