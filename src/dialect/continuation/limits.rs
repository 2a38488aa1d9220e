//! Where a continued answer must stop: at a stop sequence that started before the seam, or after so many tokens.

use serde_json::Value;

use super::ask::LIMITS;

/// Why an answer stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// A stop sequence.
    Sequence,
    /// The limit of tokens.
    Length,
}

/// The limits of one continuation.
#[derive(Debug)]
pub(super) struct OutputLimits {
    /// The rests of stop sequences that started before the seam.
    straddling: Vec<String>,
    /// The new text, while it may be part of one of them.
    head: String,
    /// How many more events with text may come.
    left: Option<u64>,
}

impl OutputLimits {
    /// The limits for a request whose answer so far is `so_far`, with so many tokens.
    pub(super) fn new(request: &Value, so_far: &str, tokens: u64) -> Self {
        let most = LIMITS.iter().find_map(|limit| request[*limit].as_u64());
        let stops = match (&request["stop"], &request["stop_sequences"]) {
            (Value::String(stop), _) => vec![stop.as_str()],
            (Value::Array(stops), _) | (_, Value::Array(stops)) => {
                stops.iter().filter_map(Value::as_str).collect()
            }
            _ => Vec::new(),
        };
        Self {
            straddling: stops
                .into_iter()
                .flat_map(|stop| rests(stop, so_far))
                .collect(),
            head: String::new(),
            left: most.map(|most| most.saturating_sub(tokens)),
        }
    }

    /// The part of the next piece of text that may go out, and whether the answer stops there. `is_over`: it is the
    /// last piece.
    pub(super) fn take(&mut self, piece: &str, is_over: bool) -> (String, Option<Stop>) {
        self.head.push_str(piece);
        if self
            .straddling
            .iter()
            .any(|rest| self.head.starts_with(rest))
        {
            return (String::new(), Some(Stop::Sequence));
        }
        let head = &self.head;
        self.straddling
            .retain(|rest| rest.starts_with(head.as_str()));
        if !self.straddling.is_empty() && !is_over {
            return (String::new(), None);
        }
        let text = std::mem::take(&mut self.head);
        let Some(left) = self.left.as_mut().filter(|_| !text.is_empty()) else {
            return (text, None);
        };
        if *left == 0 {
            return (String::new(), Some(Stop::Length));
        }
        *left -= 1;
        (text, None)
    }
}

/// The rests of a stop sequence, one for each prefix of it that is the end of a text.
fn rests(stop: &str, so_far: &str) -> Vec<String> {
    stop.char_indices()
        .skip(1)
        .filter(|(cut, _)| so_far.ends_with(&stop[..*cut]))
        .map(|(cut, _)| stop[cut..].to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{OutputLimits, Stop};

    #[test]
    fn a_stop_sequence_may_lie_across_the_seam() {
        let limits = || OutputLimits::new(&json!({"stop": ["END.", "###"]}), "so E", 3);
        let mut stopped = limits();
        assert_eq!(stopped.take("N", false), (String::new(), None));
        assert_eq!(
            stopped.take("D. more", false),
            (String::new(), Some(Stop::Sequence))
        );
        let mut other = limits();
        assert_eq!(other.take("N", false), (String::new(), None));
        assert_eq!(other.take("Z", false), ("NZ".to_owned(), None));
        assert_eq!(
            other.take("END.", false),
            ("END.".to_owned(), None),
            "the upstream's business"
        );
        let mut over = limits();
        assert_eq!(over.take("N", true), ("N".to_owned(), None));
    }

    #[test]
    fn what_was_said_counts_as_part_of_the_length() {
        let mut limits =
            OutputLimits::new(&json!({"max_completion_tokens": 5}), "one two three", 3);
        assert_eq!(limits.take(" four", false), (" four".to_owned(), None));
        assert_eq!(limits.take("", false), (String::new(), None));
        assert_eq!(limits.take(" five", false), (" five".to_owned(), None));
        assert_eq!(
            limits.take(" six", false),
            (String::new(), Some(Stop::Length))
        );
    }
}
