//! The mark of a request that the server is too busy for.

/// An extension of a request: more requests arrive than the process can handle, and this one is to be refused without
/// further work.
#[derive(Clone, Copy, Debug)]
pub struct Overloaded;
