//! One value for each of the two scopes that an attempt concerns.

/// A value for the upstream, and one for the model at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Both<T> {
    pub(super) upstream: T,
    pub(super) model: T,
}
