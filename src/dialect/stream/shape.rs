//! The shape of an event with content: a stream repeats it, and only its text changes. Such events need not be parsed.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;
use serde_json::value::RawValue;

use crate::wire::sse::Event;

/// The longest event whose shape is kept.
const LONGEST: usize = 1 << 10;

/// An event that added to the answer, and what may be different in the next one. All other bytes must be the same, so a
/// parser would come to the same places by the same way.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Shape {
    /// The whole event; empty if no shape is known.
    sample: Vec<u8>,
    /// In the order of their places.
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    /// The inside of a string, or a number.
    place: Range<usize>,
    kind: Kind,
}

/// What may be different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) enum Kind {
    /// A string that is content unless it is empty.
    Text,
    /// The inside of a string that is neither empty nor has escapes.
    Plain,
    /// A string that means nothing here, or is content whatever it says.
    Filler,
    /// The number of the event.
    Number,
}

/// An event of the known shape.
#[derive(Clone, Debug)]
pub(in crate::dialect) struct Usual {
    /// How many bytes it has.
    pub(in crate::dialect) length: usize,
    /// Its number, if it has one.
    pub(super) number: Option<u64>,
    /// Where its text is.
    pub(in crate::dialect) text: Range<usize>,
}

impl Shape {
    /// Learns the shape of an event with content. `values`: what may be different, as it stands in the event.
    pub(in crate::dialect) fn learn<'a>(
        &mut self,
        event: &Event<'a>,
        values: impl IntoIterator<Item = (Kind, &'a str)>,
    ) {
        self.sample.clear();
        self.slots.clear();
        if is_plain(event) && self.find(event, values).is_some() {
            self.sample.extend_from_slice(event.raw);
        }
    }

    /// The event at the beginning of these bytes, if it has this shape.
    pub(in crate::dialect) fn read(&self, bytes: &[u8]) -> Option<Usual> {
        if self.sample.is_empty() {
            return None;
        }
        let (mut at, mut same, mut number, mut text) = (0, 0, None, 0..0);
        for Slot { place, kind } in &self.slots {
            let fixed = &self.sample[same..place.start];
            let rest = bytes[at..].strip_prefix(fixed)?;
            let length = match kind {
                Kind::Text => string(rest).filter(|length| *length > 0)?,
                Kind::Plain => {
                    let is_plain = |length: &usize| memchr(b'\\', &rest[..*length]).is_none();
                    string(rest).filter(|length| *length > 0).filter(is_plain)?
                }
                Kind::Filler => string(rest)?,
                Kind::Number => {
                    let length = digits(rest)?;
                    number = Some(std::str::from_utf8(&rest[..length]).ok()?.parse().ok()?);
                    length
                }
            };
            at += fixed.len();
            if matches!(kind, Kind::Text | Kind::Plain) {
                text = at..at + length;
            }
            at += length;
            same = place.end;
        }
        let fixed = &self.sample[same..];
        let length = at + fixed.len();
        bytes[at..].starts_with(fixed).then_some(Usual {
            length,
            number,
            text,
        })
    }

    /// Finds the places of the values.
    fn find<'a>(
        &mut self,
        event: &Event<'a>,
        values: impl IntoIterator<Item = (Kind, &'a str)>,
    ) -> Option<()> {
        for (kind, value) in values {
            let start = (value.as_ptr() as usize).checked_sub(event.raw.as_ptr() as usize)?;
            let place = match kind {
                Kind::Text | Kind::Filler => {
                    let inside = value.strip_prefix('"')?.strip_suffix('"')?;
                    start + 1..start + 1 + inside.len()
                }
                Kind::Plain | Kind::Number => start..start + value.len(),
            };
            let is_inside = || {
                let around = event.raw.get(start.checked_sub(1)?..=place.end)?;
                (around.starts_with(b"\"") && around.ends_with(b"\"")).then_some(())
            };
            if kind == Kind::Plain {
                is_inside()?;
            }
            event.raw.get(place.clone())?;
            self.slots.push(Slot { place, kind });
        }
        self.slots.sort_unstable_by_key(|slot| slot.place.start);
        let is_apart = |pair: &[Slot]| pair[0].place.end < pair[1].place.start;
        self.slots.windows(2).all(is_apart).then_some(())
    }
}

/// Whether a value is a text with something in it.
pub(super) fn is_text(value: &RawValue) -> bool {
    value.get().starts_with('"') && value.get() != "\"\""
}

/// Whether an event is written as most are: an event of another stream with the same bytes means the same.
fn is_plain(event: &Event<'_>) -> bool {
    let raw = event.raw;
    raw.len() <= LONGEST
        && (raw.starts_with(b"data:") || raw.starts_with(b"event:"))
        && raw.ends_with(b"\n\n")
        && memchr(b'\r', raw).is_none()
        && matches!(event.data, Some(Cow::Borrowed(_)))
        && !event.is_nonstandard
}

/// How long a JSON string is up to its closing quote; `None` if it is none (RFC 8259, section 7).
pub(super) fn string(bytes: &[u8]) -> Option<usize> {
    let (mut length, mut is_ascii) = (0, true);
    loop {
        match *bytes.get(length)? {
            b'"' => break,
            b'\\' => length += escape(&bytes[length..])?,
            0..=0x1f => return None,
            byte => {
                is_ascii &= byte < 0x80;
                length += 1;
            }
        }
    }
    (is_ascii || std::str::from_utf8(&bytes[..length]).is_ok()).then_some(length)
}

/// How long an escape is.
fn escape(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => {
            let code = bytes.get(2..6)?;
            code.iter().all(u8::is_ascii_hexdigit).then_some(6)
        }
        _ => None,
    }
}

/// How many digits a whole number has, which begins with 0 only if it is 0.
pub(in crate::dialect) fn digits(bytes: &[u8]) -> Option<usize> {
    let length = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let is_number = length == 1 || length > 1 && bytes[0] != b'0';
    is_number.then_some(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
    use proptest::sample::Index;

    use crate::dialect::stream::{Signal, StreamReader};
    use crate::request::Endpoint;
    use crate::wire::sse;

    /// Events as upstreams send them, with a text at `@` and a number at `#`.
    const EVENTS: [(Endpoint, &str); 17] = [
        (
            Endpoint::ChatCompletions,
            r#"data: {"id":"c","choices":[{"index":0,"delta":{"content":"@"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"@"}"#,
        ),
        (
            Endpoint::ChatCompletions,
            r#"data: {"p":"@","choices":[{"delta":{"role":"assistant","content":"","reasoning_content":"@"},"finish_reason":""}]}"#,
        ),
        (
            Endpoint::ChatCompletions,
            r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments": "@"}}]}}]}"#,
        ),
        (
            Endpoint::ChatCompletions,
            r#"data: {"choices":[{"delta":{"content":"@"},"finish_reason":"@"}]}"#,
        ),
        (
            Endpoint::ChatCompletions,
            r#"data: {"choices":[{"delta":{"content":"@","reasoning":"@"}}],"usage":{"total_tokens":#}}"#,
        ),
        (
            Endpoint::ChatCompletions,
            r#"data: {"choices":[{"delta":{"content":"@"}}],"error":"@"}"#,
        ),
        (
            Endpoint::ChatCompletions,
            r#"data: {"choices":[{"delta":{"content":"@"}},{"delta":{"content":"@"}}]}"#,
        ),
        (
            Endpoint::ChatCompletions,
            "id: #\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"@\"}}]}\r",
        ),
        (Endpoint::ChatCompletions, "data: [DONE]"),
        (
            Endpoint::Completions,
            r#"data: {"choices":[{"text":"@","index":0,"finish_reason":null}]}"#,
        ),
        (
            Endpoint::Messages,
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"@\"}}",
        ),
        (
            Endpoint::Messages,
            r#"data: {"type":"content_block_delta","index":#,"delta":{"type":"@","thinking":"@"}}"#,
        ),
        (
            Endpoint::Messages,
            r#"data: {"type":"message_delta","delta":{"stop_reason":"@"},"usage":{"output_tokens":#}}"#,
        ),
        (
            Endpoint::Responses,
            r#"data: {"type":"response.output_text.delta","sequence_number":#,"delta":"@","obfuscation":"@"}"#,
        ),
        (
            Endpoint::Responses,
            r#"data: {"type":"response.reasoning_text.delta","delta":"@","sequence_number":#}"#,
        ),
        (
            Endpoint::Responses,
            r#"data: {"type":"response.created","sequence_number":#,"response":{"id":"@"}}"#,
        ),
        (
            Endpoint::Responses,
            r#"data: {"type":"response.completed","sequence_number":#,"response":{"output":[{"type":"@"}]}}"#,
        ),
    ];

    /// Texts as they stand in an event: good ones, escaped ones, and what is no text at all.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => "[ -!#-\\[\\]-~äж中🦀]{0,6}".prop_map(String::into_bytes),
            1 => prop_oneof![
                Just(r#"\n\t\"\\"#), Just(r"\u00e9\ud83e"), Just(r"\u00g9"), Just(r"\x"), Just("\\"), Just("\""),
                Just("\t"), Just("stop"), Just("error"), Just("text_delta"), Just("signature_delta"),
                Just("\n\ndata: x"), Just(r#"","finish_reason":"stop"#), Just(r#"x","error":{"code":1},"y":""#),
            ].prop_map(|text| text.as_bytes().to_vec()),
            1 => proptest::collection::vec(any::<u8>(), 1..4),
        ]
    }

    fn number() -> impl Strategy<Value = &'static str> {
        prop_oneof![
            8 => Just("7"), 8 => Just("12"), 8 => Just("0"), 1 => Just("01"), 1 => Just("-1"), 1 => Just("5.0"),
            1 => Just("1e2"), 1 => Just("null"), 1 => Just("99999999999999999999"), 1 => Just("\"5\""),
        ]
    }

    /// One event, now and then with a byte changed.
    fn event(
        template: &str,
        texts: &[Vec<u8>],
        number: &str,
        damage: Option<(Index, u8)>,
    ) -> Vec<u8> {
        let mut texts = texts.iter().cycle();
        let mut event = Vec::new();
        for byte in template.bytes() {
            match byte {
                b'@' => event.extend_from_slice(texts.next().unwrap()),
                b'#' => event.extend_from_slice(number.as_bytes()),
                byte => event.push(byte),
            }
        }
        if let Some((place, byte)) = damage {
            let place = place.index(event.len());
            event[place] = byte;
        }
        event.extend_from_slice(b"\n\n");
        event
    }

    /// What a reader makes of a stream, all that it knows after each event, and how many events it has not parsed.
    fn follow(endpoint: Endpoint, stream: &[u8], parses_all: bool) -> (Vec<String>, usize) {
        let mut reader = StreamReader::new(endpoint);
        let (mut at, mut seen, mut usual) = (0, Vec::new(), 0);
        while at < stream.len() {
            let known = match parses_all {
                true => None,
                false => reader.read_usual(&stream[at..]),
            };
            let signal = if let Some(length) = known {
                usual += 1;
                at += length;
                Signal::Content
            } else {
                let event = sse::event_at(stream, at);
                at = event.end;
                reader.read(&event)
            };
            let knows = (
                reader.has_content,
                reader.thinks,
                reader.is_complete,
                reader.has_last,
                reader.has_usage,
                reader.tokens,
                &reader.begun,
                reader.sequence_number,
            );
            seen.push(format!("{at} {signal:?} {knows:?}"));
        }
        (seen, usual)
    }

    proptest! {
        #[test]
        fn what_is_not_parsed_means_the_same_as_if_it_were(
            endpoint in 0..EVENTS.len(),
            events in proptest::collection::vec(
                (any::<Index>(), any::<bool>(), proptest::collection::vec(text(), 2), number(),
                 proptest::option::weighted(0.05, (any::<Index>(), any::<u8>()))), 1..12),
        ) {
            let endpoint = EVENTS[endpoint].0;
            let own: Vec<&str> = EVENTS.iter().filter(|event| event.0 == endpoint).map(|event| event.1).collect();
            let mut template = own[0];
            let mut stream = Vec::new();
            for (which, is_other, texts, number, damage) in events {
                if is_other {
                    template = own[which.index(own.len())];
                }
                stream.extend(event(template, &texts, number, damage));
            }
            assert_eq!(follow(endpoint, &stream, false).0, follow(endpoint, &stream, true).0);
        }
    }

    #[test]
    fn only_the_first_of_many_events_is_parsed() {
        for (which, (endpoint, template)) in EVENTS.into_iter().enumerate() {
            let texts = [b" word".to_vec(), br#"\u00e9\n"#.to_vec(), b"x".to_vec()];
            let stream: Vec<u8> = (0..4)
                .flat_map(|nth| event(template, &texts[nth % 3..], &nth.to_string(), None))
                .collect();
            let is_usual = matches!(which, 0..=2 | 9 | 10 | 13 | 14);
            let expected = if is_usual { 3 } else { 0 };
            let usual = follow(endpoint, &stream, false).1;
            assert_eq!(usual, expected, "{template}");
        }
    }
}
