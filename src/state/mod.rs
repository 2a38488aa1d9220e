//! Files in `state_dir`: what is remembered over a restart. A file that is damaged, held by another process, or full loses
//! what is in it, and has no other effect.

mod file;

pub use file::{FileKind, StateFile, Trouble};

/// The names of the threads that use such files begin with this. It identifies their panics, which are caught and
/// reported in other words.
pub const THREADS: &str = "state-";
