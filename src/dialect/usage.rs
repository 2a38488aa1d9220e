//! What an answer costs, in any API's words.

use super::conversation::{Api, Usage};
use super::{chat, messages, responses};
use crate::event::Tokens;
use crate::request::Endpoint;
use crate::wire::json::{Broken, Reader};

/// A usage object in an answer, read in the words of chats as it comes.
#[derive(Debug, Default)]
pub(super) struct Counted<'a> {
    /// As it was written.
    written: &'a [u8],
    in_chats_words: chat::Counts<'a>,
    /// Whether it could be read.
    is_read: bool,
}

impl<'a> Counted<'a> {
    /// Reads the value that comes next.
    pub(super) fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), Broken> {
        if !self.written.is_empty() {
            return Err(Broken::Twice);
        }
        self.written = reader.written(|reader| {
            self.is_read = reader.try_fill(&mut self.in_chats_words)?;
            Ok(())
        })?;
        Ok(())
    }

    /// The tokens that it counts; `None`: it counts nothing.
    pub(super) fn tokens(&self, endpoint: Endpoint) -> Option<Tokens> {
        match Api::of(endpoint) {
            Some(Api::Chat) | None if !self.is_read => None,
            Some(Api::Chat) | None => chat::counted(&self.in_chats_words).map(Tokens::from),
            Some(_) => tokens(endpoint, std::str::from_utf8(self.written).ok()?),
        }
    }
}

/// The tokens that a usage object counts, as it was written; `None`: it counts nothing.
pub(super) fn tokens(endpoint: Endpoint, usage: &str) -> Option<Tokens> {
    let usage = match Api::of(endpoint) {
        Some(Api::Messages) => messages::usage(usage),
        Some(Api::Responses) => responses::usage(usage),
        Some(Api::Chat) | None => chat::usage(usage),
    };
    usage.map(Tokens::from)
}

/// What a later count of the same answer adds to an earlier one: some upstreams count the request when the answer begins,
/// and the answer when it ends.
pub(super) fn merged(earlier: Option<Tokens>, later: Option<Tokens>) -> Option<Tokens> {
    let (Some(earlier), Some(later)) = (earlier, later) else {
        return earlier.or(later);
    };
    Some(Tokens {
        input: earlier.input.max(later.input),
        cached: earlier.cached.max(later.cached),
        output: earlier.output.max(later.output),
    })
}

impl From<Usage> for Tokens {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.input,
            cached: usage.cached,
            output: usage.output,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{merged, tokens};
    use crate::event::Tokens;
    use crate::request::Endpoint::{self, ChatCompletions, Embeddings, Messages, Responses};

    fn counted(endpoint: Endpoint, usage: &str) -> Option<(u64, u64, u64)> {
        tokens(endpoint, usage).map(|tokens| (tokens.input, tokens.cached, tokens.output))
    }

    #[test]
    fn every_api_counts_cached_tokens_as_part_of_the_input() {
        let chat = r#"{"prompt_tokens":10,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4}}"#;
        let response =
            r#"{"input_tokens":10,"output_tokens":3,"input_tokens_details":{"cached_tokens":4}}"#;
        let message = r#"{"input_tokens":5,"cache_read_input_tokens":4,"cache_creation_input_tokens":1,"output_tokens":3}"#;
        assert_eq!(counted(ChatCompletions, chat), Some((10, 4, 3)));
        assert_eq!(counted(Responses, response), Some((10, 4, 3)));
        assert_eq!(counted(Messages, message), Some((10, 4, 3)));
        assert_eq!(
            counted(Embeddings, r#"{"prompt_tokens":7,"total_tokens":7}"#),
            Some((7, 0, 0))
        );
        for endpoint in [ChatCompletions, Responses, Messages] {
            assert_eq!(counted(endpoint, "null"), None);
        }
    }

    #[test]
    fn a_later_count_completes_an_earlier_one() {
        let count = |input, output| {
            Some(Tokens {
                input,
                cached: 0,
                output,
            })
        };
        assert_eq!(merged(count(10, 1), count(0, 30)), count(10, 30));
        assert_eq!(merged(None, count(1, 2)), count(1, 2));
        assert_eq!(merged(count(1, 2), None), count(1, 2));
    }
}
