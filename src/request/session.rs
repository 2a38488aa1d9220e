//! The conversation that a request belongs to: a number that is equal for all its requests.

use crate::wire::mix::number_of;

/// So many bytes tell a conversation from others.
const ENOUGH: usize = 1024;

/// What tells which conversation a request belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Session<'a> {
    /// The client says so.
    Named(u64),
    /// The first messages in the body: later requests of a conversation repeat the earlier messages.
    Begun(&'a [u8]),
}

impl Session<'_> {
    /// Its number.
    pub fn number(self) -> u64 {
        match self {
            Self::Named(number) => number,
            Self::Begun(body) => number_of(&body[..body.len().min(ENOUGH)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ENOUGH, Session};

    #[test]
    fn a_conversation_that_goes_on_is_the_same_one() {
        let start = "x".repeat(ENOUGH);
        let number = |body: &str| Session::Begun(body.as_bytes()).number();
        assert_eq!(number(&format!("{start} and on")), number(&start));
        assert_ne!(number("one"), number("other"));
        assert_eq!(Session::Named(7).number(), 7);
    }
}
