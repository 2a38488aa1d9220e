//! Finding the place in a reply where the text goes on that the client has already.

use crate::config::Prefill;

/// How much of the end of a text is looked for, in bytes.
const ANCHOR: usize = 48;
/// A shorter anchor may stand anywhere by chance; it must stand at the beginning.
const TELLING: usize = 24;
/// How much a reply may say before it comes to the point, in bytes.
const DIGRESSION: usize = 256;

/// What has become of the search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// More of the reply is needed.
    Undecided,
    /// The text goes on with this.
    Found(String),
    /// The reply does not go on where the text stopped.
    NotFound,
}

/// The search in one reply.
#[derive(Debug)]
pub(super) struct Seam {
    /// The text that the client has, without the white space at its end.
    said: String,
    /// That white space.
    space: String,
    way: Way,
    reply: String,
}

/// What is known of the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It begins with what is new.
    Exact,
    /// It begins with what is new, or repeats all that was said.
    Echo,
    /// It repeats the last words, or all that was said.
    Words,
}

impl Seam {
    /// In a reply to a request that was to be continued in this way.
    pub(super) fn new(said: &str, prefill: Prefill, is_plain_prompt: bool) -> Self {
        let (trimmed, way) = match prefill {
            // A plain prompt is gone on with to the letter.
            _ if is_plain_prompt => (said, Way::Exact),
            Prefill::None => (said.trim_end(), Way::Words),
            Prefill::Prefix => (said.trim_end(), Way::Echo),
            Prefill::Trailing | Prefill::Vllm => (said.trim_end(), Way::Exact),
        };
        Self {
            said: trimmed.to_owned(),
            space: said[trimmed.len()..].to_owned(),
            way,
            reply: String::new(),
        }
    }

    /// Takes the next piece of the reply; `is_over`: the last one.
    pub(super) fn take(&mut self, piece: &str, is_over: bool) -> Match {
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
                Err(Pending) => return Match::NotFound,
            },
        };
        match found {
            Some(rest) if is_over || !self.is_within_space(rest) => {
                Match::Found(self.without_known_space(rest).to_owned())
            }
            None if self.reply.len() > self.said.len() + DIGRESSION => Match::NotFound,
            _ => Match::Undecided,
        }
    }

    /// Behind a repetition of all that was said; `None`: it is none.
    fn past_repetition(&self) -> Option<Result<&str, Pending>> {
        if let Some(rest) = self.reply.strip_prefix(&self.said) {
            return Some(Ok(rest));
        }
        self.said.starts_with(&self.reply).then_some(Err(Pending))
    }

    /// Behind the words that were to be repeated.
    fn past_words(&self, is_over: bool) -> Result<&str, Pending> {
        match self.past_repetition() {
            Some(Err(Pending)) if !is_over => return Err(Pending),
            Some(Ok(rest)) => return Ok(rest),
            _ => {}
        }
        let anchor = anchor(&self.said);
        if let Some(rest) = self.reply.trim_start().strip_prefix(anchor) {
            return Ok(rest);
        }
        match self.reply.match_indices(anchor).collect::<Vec<_>>()[..] {
            [(start, _)] if anchor.len() >= TELLING => Ok(&self.reply[start + anchor.len()..]),
            _ => Err(Pending),
        }
    }

    /// Whether it cannot be told yet how much of the white space at the seam is repeated.
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
    let start = text.len().saturating_sub(ANCHOR);
    let start = (start..text.len())
        .find(|place| text.is_char_boundary(*place))
        .unwrap_or(text.len());
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

    use super::{Match, Seam, anchor};
    use crate::config::Prefill;

    /// What is new in a reply, given piece by piece; `None` if the seam is not found.
    fn new_text(said: &str, prefill: Prefill, reply: &str) -> Option<String> {
        let mut seam = Seam::new(said, prefill, false);
        let mut pieces = reply.chars().peekable();
        while let Some(letter) = pieces.next() {
            match seam.take(letter.encode_utf8(&mut [0; 4]), pieces.peek().is_none()) {
                Match::Undecided => {}
                Match::Found(rest) => return Some(rest + &pieces.collect::<String>()),
                Match::NotFound => return None,
            }
        }
        match seam.take("", true) {
            Match::Found(rest) => Some(rest),
            _ => None,
        }
    }

    const SAID: &str = "The quick brown fox jumps over the lazy dog and then ";

    #[test]
    fn a_continuation_begins_with_what_is_new() {
        for prefill in [Prefill::Trailing, Prefill::Vllm, Prefill::Prefix] {
            assert_eq!(
                new_text(SAID, prefill, " it sleeps.").unwrap(),
                "it sleeps."
            );
            assert_eq!(new_text(SAID, prefill, "it sleeps.").unwrap(), "it sleeps.");
            assert_eq!(new_text("Hel", prefill, "lo").unwrap(), "lo");
        }
    }

    #[test]
    fn an_echo_is_left_out() {
        let echo = format!("{SAID}it sleeps.");
        assert_eq!(
            new_text(SAID, Prefill::Prefix, &echo).unwrap(),
            "it sleeps."
        );
        assert_eq!(new_text("Hel", Prefill::Prefix, "Hello").unwrap(), "lo");
    }

    #[test]
    fn asked_in_words_only_what_verifiably_fits_is_used() {
        let words = |reply: &str| new_text(SAID, Prefill::None, reply);
        assert_eq!(
            words(&format!("{} it sleeps.", anchor(SAID.trim_end()))).unwrap(),
            "it sleeps."
        );
        assert_eq!(words(&format!("{SAID}it sleeps.")).unwrap(), "it sleeps.");
        let polite = format!("Of course: {} it sleeps.", anchor(SAID.trim_end()));
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
        let said = "快速的棕色狐狸跳过了懒狗，然后它睡着了，梦见了一只非常大的猫";
        let reply = format!("{said}。完");
        for prefill in [Prefill::None, Prefill::Prefix] {
            assert_eq!(new_text(said, prefill, &reply).unwrap(), "。完");
        }
    }

    proptest! {
        #[test]
        fn wherever_a_text_is_cut_a_repetition_of_it_goes_on_there(
            text in "[a-z ,.\\né]{1,200}", cut in 0usize..200,
        ) {
            let cut = (0..=cut.min(text.len())).rev().find(|cut| text.is_char_boundary(*cut)).unwrap_or(0);
            let (said, rest) = text.split_at(cut);
            if !said.trim_end().is_empty() {
                prop_assert_eq!(new_text(said, Prefill::None, &text).unwrap(), rest);
                prop_assert_eq!(new_text(said, Prefill::Prefix, &text).unwrap(), rest);
            }
        }
    }
}
