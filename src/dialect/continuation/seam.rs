//! Finding the seam: the place in a reply where the client's text continues.

use crate::catalogue::Prefill;

/// How much of the end of a text is searched for, in bytes.
const ANCHOR: usize = 48;
/// A shorter anchor may occur anywhere by chance; it must be at the start of the reply.
const TELLING: usize = 24;
/// How much a reply may say before the anchor, in bytes.
const DIGRESSION: usize = 256;

/// The result of the search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// More of the reply is needed.
    Undecided,
    /// The text continues with this.
    Found(String),
    /// The reply does not continue where the text stopped.
    NotFound,
}

/// The search in one reply.
#[derive(Debug)]
pub(super) struct Seam {
    /// The text that the client has, without the white space at its end.
    so_far: String,
    /// That white space.
    space: String,
    way: Way,
    reply: String,
}

/// What is known about the start of the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It starts with the new text.
    Exact,
    /// It starts with the new text, or repeats all of the text so far.
    Echo,
    /// It repeats the last words, or all of the text so far.
    Words,
}

impl Seam {
    /// A search in the reply to a request that was to be continued in this way.
    pub(super) fn new(so_far: &str, prefill: Prefill, is_plain_prompt: bool) -> Self {
        let (trimmed, way) = match prefill {
            // A plain prompt is continued exactly.
            _ if is_plain_prompt => (so_far, Way::Exact),
            Prefill::None => (so_far.trim_end(), Way::Words),
            Prefill::Prefix => (so_far.trim_end(), Way::Echo),
            Prefill::Trailing | Prefill::Vllm => (so_far.trim_end(), Way::Exact),
        };
        Self {
            so_far: trimmed.to_owned(),
            space: so_far[trimmed.len()..].to_owned(),
            way,
            reply: String::new(),
        }
    }

    /// Takes the next piece of the reply; `is_over`: it is the last one.
    pub(super) fn take(&mut self, piece: &str, is_over: bool) -> Search {
        self.reply.push_str(piece);
        let found = match self.way {
            Way::Exact => Some(self.reply.as_str()),
            Way::Echo => match self.past_repetition() {
                Some(Ok(rest)) => Some(rest),
                Some(Err(Pending)) if !is_over => None,
                _ => Some(self.reply.as_str()),
            },
            Way::Words => match self.past_words(is_over) {
                Ok(rest) => Some(rest),
                Err(Pending) if !is_over => None,
                Err(Pending) => return Search::NotFound,
            },
        };
        match found {
            Some(rest) if is_over || !self.is_within_space(rest) => {
                Search::Found(self.without_known_space(rest).to_owned())
            }
            None if self.reply.len() > self.so_far.len() + DIGRESSION => Search::NotFound,
            _ => Search::Undecided,
        }
    }

    /// The text behind a repetition of all of the text so far; `None`: it is not repeated.
    fn past_repetition(&self) -> Option<Result<&str, Pending>> {
        if let Some(rest) = self.reply.strip_prefix(&self.so_far) {
            return Some(Ok(rest));
        }
        self.so_far.starts_with(&self.reply).then_some(Err(Pending))
    }

    /// The text behind the last words, which the reply should repeat.
    fn past_words(&self, is_over: bool) -> Result<&str, Pending> {
        match self.past_repetition() {
            Some(Err(Pending)) if !is_over => return Err(Pending),
            Some(Ok(rest)) => return Ok(rest),
            _ => {}
        }
        let anchor = anchor(&self.so_far);
        if let Some(rest) = self.reply.trim_start().strip_prefix(anchor) {
            return Ok(rest);
        }
        match self.reply.match_indices(anchor).collect::<Vec<_>>()[..] {
            [(start, _)] if anchor.len() >= TELLING => Ok(&self.reply[start + anchor.len()..]),
            _ => Err(Pending),
        }
    }

    /// Whether it is undecided how much of the white space at the seam is repeated.
    fn is_within_space(&self, rest: &str) -> bool {
        rest.len() < self.space.len() && self.space.starts_with(rest)
    }

    fn without_known_space<'a>(&self, rest: &'a str) -> &'a str {
        let mut known = self.space.chars();
        rest.trim_start_matches(|letter| known.next() == Some(letter))
    }
}

struct Pending;

/// The last words of a text.
pub(super) fn anchor(text: &str) -> &str {
    let start = text.ceil_char_boundary(text.len().saturating_sub(ANCHOR));
    // Whole words are easier to repeat.
    let words = match text[start..].find(' ') {
        Some(space) if start > 0 && text.len() - start - space > TELLING => {
            &text[start + space + 1..]
        }
        _ => &text[start..],
    };
    words.trim_start()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{Seam, Search, anchor};
    use crate::catalogue::Prefill;

    /// The new text in a reply that is taken piece by piece; `None` if the seam is not found.
    fn new_text(so_far: &str, prefill: Prefill, reply: &str) -> Option<String> {
        let mut seam = Seam::new(so_far, prefill, false);
        let mut pieces = reply.chars().peekable();
        while let Some(letter) = pieces.next() {
            match seam.take(letter.encode_utf8(&mut [0; 4]), pieces.peek().is_none()) {
                Search::Undecided => {}
                Search::Found(rest) => return Some(rest + &pieces.collect::<String>()),
                Search::NotFound => return None,
            }
        }
        match seam.take("", true) {
            Search::Found(rest) => Some(rest),
            _ => None,
        }
    }

    const SO_FAR: &str = "The quick brown fox jumps over the lazy dog and then ";

    #[test]
    fn a_continuation_begins_with_what_is_new() {
        for prefill in [Prefill::Trailing, Prefill::Vllm, Prefill::Prefix] {
            assert_eq!(
                new_text(SO_FAR, prefill, " it sleeps.").unwrap(),
                "it sleeps."
            );
            assert_eq!(
                new_text(SO_FAR, prefill, "it sleeps.").unwrap(),
                "it sleeps."
            );
            assert_eq!(new_text("Hel", prefill, "lo").unwrap(), "lo");
        }
    }

    #[test]
    fn an_echo_is_left_out() {
        let echo = format!("{SO_FAR}it sleeps.");
        assert_eq!(
            new_text(SO_FAR, Prefill::Prefix, &echo).unwrap(),
            "it sleeps."
        );
        assert_eq!(new_text("Hel", Prefill::Prefix, "Hello").unwrap(), "lo");
    }

    #[test]
    fn asked_in_words_only_what_verifiably_fits_is_used() {
        let words = |reply: &str| new_text(SO_FAR, Prefill::None, reply);
        assert_eq!(
            words(&format!("{} it sleeps.", anchor(SO_FAR.trim_end()))).unwrap(),
            "it sleeps."
        );
        assert_eq!(words(&format!("{SO_FAR}it sleeps.")).unwrap(), "it sleeps.");
        let polite = format!("Of course: {} it sleeps.", anchor(SO_FAR.trim_end()));
        assert_eq!(words(&polite).unwrap(), "it sleeps.");
        assert_eq!(words("it sleeps."), None);
        assert_eq!(words("I am sorry, but I cannot do that."), None);
        assert_eq!(words(&"Something else altogether. ".repeat(50)), None);
        assert_eq!(words(""), None);
    }

    #[test]
    fn a_short_text_must_be_repeated_at_the_beginning() {
        assert_eq!(
            new_text("It is", Prefill::None, "It is red.").unwrap(),
            " red."
        );
        assert_eq!(new_text("It is", Prefill::None, "I say: It is red."), None);
    }

    #[test]
    fn letters_of_several_bytes_do_not_matter() {
        let so_far = "快速的棕色狐狸跳过了懒狗，然后它睡着了，梦见了一只非常大的猫";
        let reply = format!("{so_far}。完");
        for prefill in [Prefill::None, Prefill::Prefix] {
            assert_eq!(new_text(so_far, prefill, &reply).unwrap(), "。完");
        }
    }

    proptest! {
        #[test]
        fn wherever_a_text_is_cut_a_repetition_of_it_goes_on_there(
            text in "[a-z ,.\\né]{1,200}", cut in 0usize..200,
        ) {
            let cut = (0..=cut.min(text.len())).rev().find(|cut| text.is_char_boundary(*cut)).unwrap_or(0);
            let (so_far, rest) = text.split_at(cut);
            if !so_far.trim_end().is_empty() {
                prop_assert_eq!(new_text(so_far, Prefill::None, &text).unwrap(), rest);
                prop_assert_eq!(new_text(so_far, Prefill::Prefix, &text).unwrap(), rest);
            }
        }
    }
}
