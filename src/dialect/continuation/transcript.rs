//! What a client has received so far of a stream that may have to be continued.

use serde_json::Value;

use super::called::{CallingTurn, ToldCall};
use super::speech;
use crate::catalogue::Prefill;
use crate::dialect::conversation::{Piece, Place, ReadEvents, Usage};
use crate::dialect::form::readable;
use crate::request::Endpoint;

/// A longer text is not kept, and not continued.
const LONGEST: usize = 1 << 20;

/// Notes the events that a client gets.
#[derive(Debug)]
pub struct Scribe {
    reader: Box<dyn ReadEvents>,
    transcript: Transcript,
}

/// The text so far, and the place of its client in the stream.
#[derive(Clone, Debug)]
pub struct Transcript {
    pub(super) endpoint: Endpoint,
    /// What comes before the text: texts with calls behind them.
    pub(super) turns: Vec<CallingTurn>,
    /// The text, behind the last call if there are any.
    pub(super) text: String,
    /// How long texts and calls are, in bytes.
    length: usize,
    /// Events with text; as many tokens, roughly.
    pub(super) tokens: u64,
    /// Events with thoughts.
    pub(super) thoughts: u64,
    /// The usage that the upstream has reported.
    pub(super) usage: Option<Usage>,
    pub(super) place: Place,
}

impl Scribe {
    /// For a stream that has not started.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            reader: speech::reader(endpoint),
            transcript: Transcript {
                endpoint,
                turns: Vec::new(),
                text: String::new(),
                length: 0,
                tokens: 0,
                thoughts: 0,
                usage: None,
                place: Place::default(),
            },
        }
    }

    /// What the client has received.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Notes an event that goes to the client, by its name and its data.
    pub fn note(&mut self, name: Option<&[u8]>, data: &[u8]) {
        let transcript = &mut self.transcript;
        if transcript.place.obstacle.is_some() || data.is_empty() {
            return;
        }
        if let Ok(event @ Value::Object(_)) = serde_json::from_slice(data) {
            speech::look(transcript.endpoint, &mut transcript.place, &event);
        }
        let data = readable(data);
        let mut pieces = Vec::new();
        self.reader.read(name, &data, &mut pieces);
        for piece in pieces {
            transcript.take(piece);
        }
        if transcript.length > LONGEST {
            transcript.ends_with("too long");
        }
    }
}

impl Transcript {
    /// Why the answer so far cannot be continued.
    pub fn obstacle(&self) -> Option<&'static str> {
        let open = self.place.open.as_ref();
        if self.place.obstacle.is_some() {
            self.place.obstacle
        } else if self.has_calls() && !self.is_behind_calls() {
            Some("a tool call")
        } else if self.text.is_empty() && self.thoughts == 0 {
            Some("no text")
        } else {
            let is_between = open.is_some_and(|open| !open.is_ready);
            is_between.then_some("it broke off between two parts")
        }
    }

    /// Whether the client has the beginning of a call.
    pub(super) fn has_calls(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Whether all calls are whole, and more was said behind them: only then no call can be missing at this place.
    fn is_behind_calls(&self) -> bool {
        let mut calls = self.turns.iter().flat_map(|turn| &turn.calls);
        !self.text.trim().is_empty() && calls.all(ToldCall::is_whole)
    }

    /// The call with this number.
    fn call(&mut self, index: usize) -> &mut ToldCall {
        let is_it = |call: &ToldCall| call.index == index;
        // Mostly the last one.
        let known = self
            .turns
            .iter()
            .enumerate()
            .rev()
            .find_map(|(turn, said)| {
                let place = said.calls.iter().rposition(is_it)?;
                Some((turn, place))
            });
        let (turn, place) = known.unwrap_or_else(|| self.begin_call(index));
        &mut self.turns[turn].calls[place]
    }

    /// Where a new call is put.
    fn begin_call(&mut self, index: usize) -> (usize, usize) {
        if self.turns.is_empty() || !self.text.is_empty() {
            let text = std::mem::take(&mut self.text);
            self.turns.push(CallingTurn {
                text,
                calls: Vec::new(),
            });
        }
        self.place.calls += 1;
        self.length += size_of::<ToldCall>();
        let last = self.turns.len() - 1;
        let calls = &mut self.turns[last].calls;
        calls.push(ToldCall {
            index,
            ..ToldCall::default()
        });
        (last, calls.len() - 1)
    }

    /// Whether an upstream that continues the text in this way may find that nothing is missing but the end.
    pub fn may_be_whole(&self, prefill: Prefill) -> bool {
        let is_prompt = self.endpoint == Endpoint::Completions;
        !self.starts_anew() && (is_prompt || prefill != Prefill::None)
    }

    /// Whether the whole text is asked for again, because the client has none of it yet.
    pub(super) fn starts_anew(&self) -> bool {
        self.text.trim().is_empty()
    }

    fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Begin(begin) => self.place.begin = begin,
            Piece::Usage(usage) => self.usage = Some(usage),
            Piece::Text(text) => {
                self.text.push_str(&text);
                self.length += text.len();
                self.tokens += u64::from(!text.is_empty());
            }
            Piece::Thought(_) | Piece::Signature(_) => self.thoughts += 1,
            Piece::Call {
                index,
                id,
                name,
                is_custom,
            } => self.length += self.call(index).name_it(&id, &name, is_custom),
            Piece::Arguments { index, text } => {
                self.length += text.len();
                self.call(index).arguments.push_str(&text);
            }
            Piece::Called { index, arguments } => {
                let arguments = arguments.as_deref().unwrap_or_default();
                self.length += self.call(index).end(arguments);
            }
            Piece::Refusal(_) => self.ends_with("refusal"),
            Piece::Cited(_) => self.ends_with("citations"),
            Piece::End(_) | Piece::Over => self.ends_with("nothing left to say"),
            Piece::Proof { .. }
            | Piece::Failed(_)
            | Piece::Unseen
            | Piece::Alive
            | Piece::Unreadable => {}
        }
    }

    /// Nobody can go on behind this.
    fn ends_with(&mut self, obstacle: &'static str) {
        self.place.obstacle.get_or_insert(obstacle);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{LONGEST, Scribe, Transcript};
    use crate::request::Endpoint;

    fn transcript_of(endpoint: Endpoint, events: &[&str]) -> Transcript {
        let mut scribe = Scribe::new(endpoint);
        for event in events {
            scribe.note(None, event.as_bytes());
        }
        scribe.transcript().clone()
    }

    #[test]
    fn text_is_kept_and_what_cannot_be_gone_on_with_is_an_obstacle() {
        let chat = |delta: &str| {
            let chunk = format!("{{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}");
            transcript_of(
                Endpoint::ChatCompletions,
                &[r#"{"choices":[{"delta":{"content":"Hello"}}]}"#, &chunk],
            )
        };
        for (delta, said) in [
            (
                r#"{"content":" you","refusal":null,"tool_calls":[]}"#,
                ("Hello you", 2, 0),
            ),
            (r#"{"reasoning_content":"hm"}"#, ("Hello", 1, 1)),
        ] {
            let transcript = chat(delta);
            let received = (
                transcript.text.as_str(),
                transcript.tokens,
                transcript.thoughts,
            );
            assert_eq!((received, transcript.obstacle()), (said, None), "{delta}");
        }
        for (delta, obstacle) in [
            (
                r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}]}"#,
                "a tool call",
            ),
            (r#"{"refusal":"no"}"#, "refusal"),
            (r#"{"audio":{"data":"x"}}"#, "audio"),
            (r#"{"annotations":[{}]}"#, "citations"),
            (r#"{"images":[1]}"#, "unknown content"),
        ] {
            assert_eq!(chat(delta).obstacle(), Some(obstacle), "{delta}");
        }
        let nothing = transcript_of(Endpoint::ChatCompletions, &[]);
        assert_eq!(nothing.obstacle(), Some("no text"));
    }

    #[test]
    fn calls_without_arguments_have_a_length_too() {
        let mut scribe = Scribe::new(Endpoint::ChatCompletions);
        let id = "c".repeat(LONGEST / 100);
        for index in 0..100 {
            assert_eq!(
                scribe.transcript().obstacle(),
                Some(if index == 0 { "no text" } else { "a tool call" })
            );
            let call = json!({ "index": index, "id": format!("{index}{id}"), "function": { "name": "f" } });
            let chunk = json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [call] } }] });
            scribe.note(None, chunk.to_string().as_bytes());
        }
        assert_eq!(scribe.transcript().obstacle(), Some("too long"));
    }

    #[test]
    fn the_place_of_a_text_in_a_response_is_remembered() {
        let transcript = transcript_of(
            Endpoint::Responses,
            &[
                r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1"}}"#,
                r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs_1"}}"#,
                r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"message","id":"msg_1"}}"#,
                r#"{"type":"response.output_text.delta","sequence_number":7,"output_index":1,"delta":"Hi","item_id":"msg_1"}"#,
            ],
        );
        assert_eq!(transcript.obstacle(), None);
        let place = transcript.place;
        let open = place.open.unwrap();
        assert_eq!((open.id.as_str(), open.text.as_str()), ("msg_1", "Hi"));
        assert_eq!((place.index, place.number), (1, 8));
        assert_eq!((place.begin.id.as_str(), place.output.len()), ("resp_1", 1));
    }

    #[test]
    fn the_place_in_a_message_is_that_of_its_open_block() {
        let events = [
            r#"{"type":"message_start","message":{"id":"msg_1","model":"claude"}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi"}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
        ];
        for (count, index, open, obstacle) in [
            (3, 0, Some(true), None),
            (4, 1, None, None),
            (6, 1, Some(false), None),
            (7, 2, None, None),
            (8, 2, None, Some("a tool call")),
        ] {
            let transcript = transcript_of(Endpoint::Messages, &events[..count]);
            let place = &transcript.place;
            let is_thought = place.open.as_ref().map(|open| open.is_thought);
            assert_eq!((place.index, is_thought), (index, open), "{count}");
            assert_eq!(transcript.obstacle(), obstacle, "{count}");
        }
    }
}
