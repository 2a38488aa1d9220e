//! By what an error is known: its codes, its types, and its words in small letters.

/// By what an error is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark {
    /// One of its codes or types.
    Code(&'static str),
    /// How its code begins.
    CodeBegins(&'static str),
    /// How its code ends.
    CodeEnds(&'static str),
    /// How its message begins.
    Begins(&'static str),
    /// How its message ends, but for punctuation.
    Ends(&'static str),
    /// What its message has somewhere.
    Says(&'static str),
}
