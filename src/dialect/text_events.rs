//! Events of an upstream's stream that add a text in the same way as those before them: they need not be parsed again to be
//! translated.

use std::borrow::Cow;

use memchr::memmem::{find, rfind};

use super::conversation::Piece;
use super::stream::shape::{Kind, Shape, digits};
use crate::wire::sse::Event;

/// Fields without a meaning, which stand at the end of an event and make it as long as others.
const FILLERS: [&str; 2] = ["\"obfuscation\":", "\"p\":"];
/// The field that what is added stands in, in every API. Other events have texts, too, and mean more than that.
const ADDITION: &[u8] = b"\"delta\":";
/// The number of an event, which no translation reads.
const NUMBER: &str = "\"sequence_number\":";

/// How the last events with a text look. Two in a row must have looked the same: the first may have changed what the reader makes
/// of the second.
#[derive(Debug, Default)]
pub(super) struct TextEvents {
    shape: Shape,
    is_sure: bool,
}

impl TextEvents {
    /// The text of the event at the beginning of these bytes, and the length of the event, if it looks like the last ones.
    pub(super) fn read<'a>(&self, bytes: &'a [u8]) -> Option<(&'a str, usize)> {
        if !self.is_sure {
            return None;
        }
        let usual = self.shape.read(bytes)?;
        let text = std::str::from_utf8(bytes.get(usual.text)?).ok()?;
        Some((text, usual.length))
    }

    /// Learns from an event that has been parsed to these pieces.
    pub(super) fn note(&mut self, event: &Event<'_>, pieces: &[Piece<'_>]) {
        match pieces {
            [Piece::Text(Cow::Borrowed(text))] if find(event.raw, ADDITION).is_some() => {
                let usual = self.shape.read(event.raw);
                self.is_sure = usual.is_some_and(|usual| usual.length == event.raw.len());
                if !self.is_sure {
                    self.shape.learn(event, values(event.raw, text));
                }
            }
            // With an escape in it, for example.
            [Piece::Text(_)] => {}
            // What comes next may mean something else.
            _ => *self = Self::default(),
        }
    }
}

/// What may be different in the next event.
fn values<'a>(raw: &'a [u8], text: &'a str) -> impl Iterator<Item = (Kind, &'a str)> {
    let raw = std::str::from_utf8(raw).unwrap_or_default();
    let behind = |name: &str, at: Option<usize>| raw.get(at? + name.len()..);
    let fillers = FILLERS.into_iter().filter_map(move |name| {
        let value = behind(name, rfind(raw.as_bytes(), name.as_bytes()))?;
        let value = value.strip_suffix("}\n\n")?;
        let is_last = value.len() > 1 && value.rfind('"') == Some(value.len() - 1);
        is_last.then_some((Kind::Filler, value))
    });
    let number = behind(NUMBER, find(raw.as_bytes(), NUMBER.as_bytes()))
        .and_then(|value| Some((Kind::Number, value.get(..digits(value.as_bytes())?)?)));
    fillers.chain(number).chain([(Kind::Plain, text)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_oneof, proptest};

    use super::TextEvents;
    use crate::dialect::conversation::{Api, Names, Piece, Reading};
    use crate::dialect::form::readable;
    use crate::wire::sse;

    /// Events as upstreams send them, with a text at `@` and a number at `#`.
    const EVENTS: [(Api, &str); 14] = [
        (
            Api::Chat,
            r#"{"id":"c","choices":[{"index":0,"delta":{"content":"@"},"finish_reason":null}],"obfuscation":"@"}"#,
        ),
        (
            Api::Chat,
            r#"{"id":"c","choices":[{"index":0,"delta":{"content":"@"}}],"p":"abc"}"#,
        ),
        (Api::Chat, r#"{"choices":[{"message":{"content":"@"}}]}"#),
        (Api::Chat, r#"{"choices":[{"text":"@"}]}"#),
        (
            Api::Chat,
            r#"{"choices":[{"delta":{"reasoning_content":"@"}}]}"#,
        ),
        (
            Api::Chat,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":#,"id":"a","function":{"name":"f","arguments":"@"}}]}}]}"#,
        ),
        (
            Api::Chat,
            r#"{"choices":[{"delta":{"content":"@"},"finish_reason":"stop"}],"usage":{"prompt_tokens":#}}"#,
        ),
        (
            Api::Messages,
            r#"{"type":"content_block_start","index":#,"content_block":{"type":"text","text":"@"}}"#,
        ),
        (
            Api::Messages,
            r#"{"type":"content_block_delta","index":#,"delta":{"type":"text_delta","text":"@"}}"#,
        ),
        (
            Api::Messages,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"@"}}"#,
        ),
        (Api::Messages, r#"{"type":"content_block_stop","index":#}"#),
        (
            Api::Responses,
            r#"{"type":"response.output_text.delta","sequence_number":#,"output_index":0,"content_index":0,"delta":"@","obfuscation":"@"}"#,
        ),
        (
            Api::Responses,
            r#"{"type":"response.output_text.done","sequence_number":#,"output_index":0,"content_index":0,"text":"@"}"#,
        ),
        (
            Api::Responses,
            r#"{"type":"response.reasoning_text.delta","sequence_number":#,"delta":"@"}"#,
        ),
    ];

    /// What a stream adds to an answer, what its reader knows at the end, and how many events were not parsed.
    fn follow(api: Api, stream: &[u8]) -> (Vec<Piece<'static>>, String, usize) {
        let mut reader = (api.form().reader)(&Reading::of(Names::of(&[], 64, &[])));
        let (mut texts, mut all, mut usual, mut at) = (TextEvents::default(), Vec::new(), 0, 0);
        while at < stream.len() {
            if let Some((text, length)) = texts.read(&stream[at..]) {
                reader.said(text);
                all.push(Piece::Text(text.to_owned().into()));
                usual += 1;
                at += length;
                continue;
            }
            let event = sse::event_at(stream, at);
            at = event.end;
            let data = readable(event.data.as_deref().unwrap());
            let mut pieces = Vec::new();
            reader.read(event.name, &data, &mut pieces);
            texts.note(&event, &pieces);
            all.extend(pieces.into_iter().map(Piece::into_owned));
        }
        (all, format!("{reader:?}"), usual)
    }

    /// The same events; with these line ends each is parsed.
    fn written(events: &[String], line_end: &str) -> Vec<u8> {
        let text: String = events
            .iter()
            .map(|event| format!("data: {event}{line_end}{line_end}"))
            .collect();
        text.into_bytes()
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            6 => "[ -!#-\\[\\]-~äж中🦀]{0,6}",
            1 => proptest::sample::select(vec![r"\n\u00e9", r"\ud83d", r"\x", "\\", "\"", "\t", r#"x","error":{"code":1},"y":""#])
                .prop_map(str::to_owned),
        ]
    }

    proptest! {
        #[test]
        fn what_is_not_parsed_adds_the_same(
            api in 0..EVENTS.len(),
            events in proptest::collection::vec(
                (any::<proptest::sample::Index>(), 0..4u8, text(), text(), 0..3u8), 1..16),
        ) {
            let api = EVENTS[api].0;
            let own: Vec<&str> = EVENTS.iter().filter(|event| event.0 == api).map(|event| event.1).collect();
            let mut template = own[0];
            let mut stream = Vec::new();
            for (which, changes, first, second, number) in events {
                if changes == 0 {
                    template = own[which.index(own.len())];
                }
                let event = template.replacen('@', &first, 1).replace('#', &number.to_string());
                stream.push(event.replacen('@', &second, 1));
            }
            let quick = follow(api, &written(&stream, "\n"));
            let parsed = follow(api, &written(&stream, "\r\n"));
            assert_eq!(parsed.2, 0);
            assert_eq!((quick.0, quick.1), (parsed.0, parsed.1));
        }
    }

    #[test]
    fn texts_are_parsed_twice_and_what_comes_behind_another_event_is_parsed_again() {
        for which in [0, 1, 8, 11] {
            let (api, template) = EVENTS[which];
            let event = |number: usize| {
                let text = template.replace('@', ["a", " b", "ä"][number % 3]);
                text.replace('#', if api == Api::Messages { "0" } else { "5" })
            };
            let mut events: Vec<String> = (0..5).map(event).collect();
            // A chat begins with its first text.
            let first = if api == Api::Chat { 2 } else { 3 };
            assert_eq!(follow(api, &written(&events, "\n")).2, first, "{template}");
            events.push("{\"type\":\"ping\"}".to_owned());
            events.extend((0..3).map(event));
            let both = first + 1;
            assert_eq!(follow(api, &written(&events, "\n")).2, both, "{template}");
        }
    }
}
