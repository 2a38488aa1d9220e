//! What a simulator does: the answer, its speed, its framing and its fault.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::{Fault, Received};

/// What a simulator does with every request until it is given another script.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The text of the answer; `Hello from NAME.` when absent.
    pub text: Option<String>,
    /// What goes wrong.
    pub fault: Fault,
    /// The wait before the head of any answer, good or bad.
    pub answer_delay: Duration,
    /// The wait before the first content token; an answer that is not streamed waits before its head.
    pub first_token_delay: Duration,
    /// The wait between two content tokens.
    pub token_delay: Duration,
    /// Headers added to good answers, also to those that break later on.
    pub headers: Vec<(String, String)>,
    /// How the events of a stream are put on the wire.
    pub framing: Framing,
    /// What happens to a request with a prefill.
    pub continuing: Continuing,
    /// How many requests a connection of HTTP/2 takes at a time, announced when it is opened.
    pub streams: Option<u32>,
    /// Of so many requests only the last one meets the fault; 0 and 1: every one does.
    pub one_in: usize,
    /// Of all requests only a share meets the fault, drawn at random.
    pub draw: Option<Draw>,
    /// Only requests that come sooner after the last one without the fault meet it; zero: all do.
    pub spacing: Duration,
    /// Only requests that name this model meet the fault.
    pub only_model: Option<String>,
    /// Only requests with one of these keys meet the fault; empty: all do.
    pub only_keys: Vec<String>,
    /// Only requests whose path has this end meet the fault.
    pub only_path: Option<String>,
    /// Only requests with this text in their body meet the fault.
    pub only_body: Option<String>,
}

/// A share of the requests, drawn by a generator with a seed: the same ones each time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// From 0 (no request) to 1 (every request).
    pub share: f64,
    /// Other seeds draw other requests.
    pub seed: u64,
}

/// What happens to a request whose last message is the start of the answer (prefill), perhaps with an instruction
/// behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Continuing {
    /// The prefill is history: the answer starts over.
    #[default]
    Never,
    /// The answer continues it.
    Exactly,
    /// The answer repeats it and continues.
    WithEcho,
    /// The instruction asks for certain first words; the answer begins with them and continues.
    OnInstruction,
    /// The answer is another one.
    Unrelated,
}

/// How the events of a stream are put on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// LF line ends and one event per chunk.
    #[default]
    Usual,
    /// CRLF line ends and one event per chunk.
    CrLf,
    /// LF line ends and one byte per chunk.
    OneBytePerChunk,
}

impl Script {
    /// Every request is answered well and at once.
    pub fn healthy() -> Self {
        Self::default()
    }

    /// Every request is answered well with this text.
    pub fn answer(text: impl Into<String>) -> Self {
        Self::healthy().with_text(text)
    }

    /// Every request meets this fault.
    pub fn fault(fault: Fault) -> Self {
        Self {
            fault,
            ..Self::default()
        }
    }

    /// Every request is answered with this status and the error body typical of it.
    pub fn status(code: u16) -> Self {
        Self::fault(Fault::status(code))
    }

    /// The same script with this answer text.
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// The same script with so many requests at a time on a connection of HTTP/2.
    pub fn with_streams(mut self, most: u32) -> Self {
        self.streams = Some(most);
        self
    }

    /// The same script with the fault for one of so many requests only.
    pub fn with_one_in(mut self, requests: usize) -> Self {
        self.one_in = requests;
        self
    }

    /// The same script with the fault for this share of the requests only.
    pub fn with_share(mut self, share: f64, seed: u64) -> Self {
        self.draw = Some(Draw { share, seed });
        self
    }

    /// The same script with the fault only for requests that come sooner after the last one without it: a rate limit.
    pub fn with_spacing(mut self, spacing: Duration) -> Self {
        self.spacing = spacing;
        self
    }

    /// The same script with the fault for one model only.
    pub fn with_only_model(mut self, model: impl Into<String>) -> Self {
        self.only_model = Some(model.into());
        self
    }

    /// The same script with the fault for this key only, and for those that were named before.
    pub fn with_only_key(mut self, key: impl Into<String>) -> Self {
        self.only_keys.push(key.into());
        self
    }

    /// The same script with the fault for paths with this end only.
    pub fn with_only_path(mut self, end: impl Into<String>) -> Self {
        self.only_path = Some(end.into());
        self
    }

    /// The same script with the fault for bodies with this text in them only.
    pub fn with_only_body(mut self, text: impl Into<String>) -> Self {
        self.only_body = Some(text.into());
        self
    }

    /// The script for one request, the `number`th from 1, so long after the last one without the fault.
    pub(super) fn for_request(
        self: &Arc<Self>,
        request: &Received,
        number: usize,
        since_last: Option<Duration>,
    ) -> Arc<Self> {
        let is_too_soon =
            self.spacing.is_zero() || since_last.is_some_and(|since| since < self.spacing);
        if is_too_soon && self.is_drawn(number) && self.is_about(request) {
            return Arc::clone(self);
        }
        Arc::new(Self {
            fault: Fault::None,
            ..Self::clone(self)
        })
    }

    fn is_drawn(&self, number: usize) -> bool {
        let is_in_turn = self.one_in < 2 || number.is_multiple_of(self.one_in);
        is_in_turn && self.draw.is_none_or(|draw| draw.has(number))
    }

    fn is_about(&self, request: &Received) -> bool {
        let key = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        let is_one_of = |keys: &[String]| keys.iter().any(|only| key == Some(only));
        let is_in_body = |text: &str| String::from_utf8_lossy(&request.body).contains(text);
        (self.only_keys.is_empty() || is_one_of(&self.only_keys))
            && self.only_body.as_deref().is_none_or(is_in_body)
            && self
                .only_path
                .as_deref()
                .is_none_or(|only| request.path.ends_with(only))
            && (self.only_model.is_none() || self.only_model == request.model())
    }

    /// The same script with this wait before the head of any answer.
    pub fn with_answer_delay(mut self, delay: Duration) -> Self {
        self.answer_delay = delay;
        self
    }

    /// The same script with this wait before the first content token.
    pub fn with_first_token_delay(mut self, delay: Duration) -> Self {
        self.first_token_delay = delay;
        self
    }

    /// The same script with this wait between two content tokens.
    pub fn with_token_delay(mut self, delay: Duration) -> Self {
        self.token_delay = delay;
        self
    }

    /// The same script with one more header on good answers.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same script, with this treatment of a prefill.
    pub fn with_continuing(mut self, continuing: Continuing) -> Self {
        self.continuing = continuing;
        self
    }

    /// The same script with this framing of streams.
    pub fn with_framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// How long an answer of so many tokens takes when it is not streamed.
    pub(super) fn whole_delay(&self, tokens: usize) -> Duration {
        let pauses = u32::try_from(tokens.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first_token_delay
            .saturating_add(self.token_delay.saturating_mul(pauses))
    }

    pub(super) fn refuses(&self) -> bool {
        matches!(self.fault, Fault::Refuse)
    }
}

impl Draw {
    /// Whether the `number`th request is drawn.
    fn has(&self, number: usize) -> bool {
        // Not the next number of a generator: requests come in any order, and a script does not change.
        let mut hasher = SipHasher13::new_with_keys(self.seed, 0);
        number.hash(&mut hasher);
        (hasher.finish() as f64 / u64::MAX as f64) < self.share
    }
}

#[cfg(test)]
mod tests {
    use super::Draw;

    #[test]
    fn a_draw_is_random_and_the_same_each_time() {
        for share in [0.0, 0.3, 0.5, 1.0] {
            let drawn = |seed| (0..1000).map(move |number| Draw { share, seed }.has(number));
            let count = drawn(1).filter(|is_drawn| *is_drawn).count();
            assert!(
                (count as f64 - 1000.0 * share).abs() < 50.0,
                "{share}: {count}"
            );
            assert!(drawn(1).eq(drawn(1)));
            assert_eq!(drawn(1).eq(drawn(2)), share == 0.0 || share == 1.0);
        }
        // One that is drawn says nothing about the next one.
        let half = |number| {
            Draw {
                share: 0.5,
                seed: 7,
            }
            .has(number)
        };
        let pairs = (0..1000)
            .filter(|number| half(*number) && half(number + 1))
            .count();
        assert!((200..300).contains(&pairs), "{pairs}");
    }
}
