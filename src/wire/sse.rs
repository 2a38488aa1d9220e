//! Server-sent events: splitting a byte stream after whole events, and parsing events (WHATWG HTML, section 9.2).

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

/// Splits a stream of bytes after whole events, so that a stream that breaks never leaves half an event behind.
///
/// Lines may end in LF, CRLF or CR. The output, joined, equals the input.
#[derive(Debug, Default)]
pub struct Framer {
    pending: BytesMut,
    /// How many bytes of `pending` have been scanned.
    scanned: usize,
    /// Whether the line at `scanned` is empty so far.
    at_line_start: bool,
    /// Whether the byte before `scanned` was a CR, to which a LF may still belong.
    after_cr: bool,
    /// Whether the current event has any line yet; blank lines before it end nothing.
    has_line: bool,
}

impl Framer {
    /// A framer at the start of a stream.
    pub fn new() -> Self {
        Self {
            at_line_start: true,
            ..Self::default()
        }
    }

    /// Whether all that has come is whole events: the next byte begins another one.
    pub fn is_between_events(&self) -> bool {
        self.pending.is_empty() && self.at_line_start && !self.has_line && !self.after_cr
    }

    /// Takes the next bytes and returns all events that are complete now, which may be none.
    pub fn push(&mut self, chunk: Bytes) -> Bytes {
        self.push_behind(0, chunk)
    }

    /// The same, where so many of the first bytes are known to be whole events that end with a blank line. Some may be
    /// known only between events.
    pub fn push_behind(&mut self, known: usize, mut chunk: Bytes) -> Bytes {
        // Whole events are passed on without a copy. Only the beginning of another one is kept.
        if self.pending.is_empty() {
            self.scanned = known;
            let end = self.scan(&chunk).unwrap_or(known);
            self.scanned -= end;
            self.pending.extend_from_slice(&chunk[end..]);
            chunk.truncate(end);
            return chunk;
        }
        self.pending.extend_from_slice(&chunk);
        let pending = std::mem::take(&mut self.pending);
        let end = self.scan(&pending);
        self.pending = pending;
        self.take(end)
    }

    /// How many bytes wait for the rest of their event.
    pub fn held(&self) -> usize {
        self.pending.len()
    }

    /// What is left at the end of the stream: an event without its blank line, or part of one.
    pub fn take_rest(&mut self) -> Bytes {
        self.scanned = 0;
        self.pending.split().freeze()
    }

    fn take(&mut self, end: Option<usize>) -> Bytes {
        let Some(end) = end else { return Bytes::new() };
        self.scanned -= end;
        // What is left gets memory of its own, so that it does not keep that of the events before it.
        let mut whole = std::mem::take(&mut self.pending);
        self.pending.extend_from_slice(&whole[end..]);
        whole.truncate(end);
        whole.freeze()
    }

    /// Continues the scan; returns the end of the last whole event in `bytes`.
    fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut end = None;
        while self.scanned < bytes.len() {
            match bytes[self.scanned] {
                b'\n' if self.after_cr => {
                    self.after_cr = false;
                    self.scanned += 1;
                    // The LF of a CRLF that ended an event is sent with it, if it has already arrived.
                    if end == Some(self.scanned - 1) {
                        end = Some(self.scanned);
                    }
                }
                byte @ (b'\n' | b'\r') => {
                    self.after_cr = byte == b'\r';
                    self.scanned += 1;
                    if self.at_line_start && self.has_line {
                        self.has_line = false;
                        end = Some(self.scanned);
                    }
                    self.at_line_start = true;
                }
                _ => {
                    self.after_cr = false;
                    self.at_line_start = false;
                    self.has_line = true;
                    let rest = &bytes[self.scanned..];
                    self.scanned += memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                }
            }
        }
        end
    }
}

/// One event, with the fields that are used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its `data` lines, joined; `None` if it has none, as in a comment.
    pub data: Option<Cow<'a, [u8]>>,
    /// Its name, from the last `event` line.
    pub name: Option<&'a [u8]>,
    /// All its bytes.
    pub raw: &'a [u8],
    /// Whether it has something that clients' parsers fail on: `id` or `retry` lines, a byte order mark, a name without
    /// data, or empty data.
    pub is_nonstandard: bool,
    /// The offset of its first byte in the input.
    pub start: usize,
    /// The offset after its last byte.
    pub end: usize,
}

/// The events in bytes that a [`Framer`] returned; a last event without its blank line counts as well.
pub fn events(bytes: &[u8]) -> impl Iterator<Item = Event<'_>> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        if offset >= bytes.len() {
            return None;
        }
        let event = event_at(bytes, offset);
        offset = event.end;
        Some(event)
    })
}

/// The event that begins at this offset, as [`events`] reads it.
pub fn event_at(bytes: &[u8], start: usize) -> Event<'_> {
    let mut event = Event {
        data: None,
        name: None,
        raw: b"",
        is_nonstandard: false,
        start,
        end: start,
    };
    let mut has_line = false;
    while event.end < bytes.len() {
        let (line, next) = read_line(bytes, event.end);
        event.end = next;
        if !line.is_empty() {
            has_line = true;
            event.take(line);
        } else if has_line {
            break;
        }
    }
    let is_empty = match &event.data {
        None => event.name.is_some(),
        Some(data) => data.is_empty(),
    };
    event.is_nonstandard |= is_empty;
    event.raw = &bytes[start..event.end];
    event
}

impl<'a> Event<'a> {
    /// Parses one line of the event.
    fn take(&mut self, line: &'a [u8]) {
        // A byte order mark may start the stream.
        let unmarked = line.strip_prefix(b"\xef\xbb\xbf");
        self.is_nonstandard |= unmarked.is_some();
        let line = unmarked.unwrap_or(line);
        if let Some(value) = value_of(line, b"data") {
            self.data = Some(match self.data.take() {
                None => Cow::Borrowed(value),
                Some(lines) => {
                    let mut lines = lines.into_owned();
                    lines.push(b'\n');
                    lines.extend_from_slice(value);
                    Cow::Owned(lines)
                }
            });
        } else if let Some(name) = value_of(line, b"event") {
            self.name = Some(name);
        } else if value_of(line, b"id")
            .or_else(|| value_of(line, b"retry"))
            .is_some()
        {
            self.is_nonstandard = true;
        }
    }

    /// Writes the event without its nonstandard parts; writes nothing if nothing is left.
    pub fn write_normalised(&self, to: &mut Vec<u8>) {
        let data = self.data.as_deref().unwrap_or_default();
        if data.is_empty() {
            return;
        }
        if let Some(name) = self.name {
            to.extend_from_slice(b"event: ");
            to.extend_from_slice(name);
            to.push(b'\n');
        }
        for line in data.split(|byte| *byte == b'\n') {
            to.extend_from_slice(b"data: ");
            to.extend_from_slice(line);
            to.push(b'\n');
        }
        to.push(b'\n');
    }
}

/// The line at `start` without its line ending, and the offset of the next line.
fn read_line(bytes: &[u8], start: usize) -> (&[u8], usize) {
    let rest = &bytes[start..];
    let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
    let ending = match rest.get(length..) {
        Some([b'\r', b'\n', ..]) => 2,
        Some([_, ..]) => 1,
        _ => 0,
    };
    (&rest[..length], start + length + ending)
}

fn value_of<'a>(line: &'a [u8], field: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(field)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::{Just, any, prop_oneof, proptest};

    use super::{Framer, events};

    fn data(bytes: &[u8]) -> Vec<String> {
        events(bytes)
            .filter_map(|event| event.data)
            .map(|data| String::from_utf8_lossy(&data).into_owned())
            .collect()
    }

    #[test]
    fn an_event_is_held_back_until_it_is_whole() {
        let mut framer = Framer::new();
        assert_eq!(framer.push(Bytes::from_static(b"data: a")), "");
        assert_eq!(framer.push(Bytes::from_static(b"\n")), "");
        assert_eq!(framer.push(Bytes::from_static(b"\ndata: b")), "data: a\n\n");
        assert_eq!(framer.held(), 7);
        assert_eq!(framer.take_rest(), "data: b");
    }

    #[test]
    fn all_line_ends_are_understood() {
        for stream in [
            "data: a\n\ndata:b\n\n",
            "data: a\r\n\r\ndata:b\r\n\r\n",
            "data: a\r\rdata:b\r\r",
        ] {
            let mut framer = Framer::new();
            let whole = framer.push(Bytes::from(stream));
            assert_eq!(whole, stream);
            assert_eq!(data(&whole), ["a", "b"], "{stream:?}");
        }
    }

    #[test]
    fn several_data_lines_are_one_text_and_comments_are_none() {
        assert_eq!(
            data(b": ping\n\nevent: x\ndata: a\ndata: b\nid: 3\n\n\n\ndata\n\ndata: [DONE]"),
            ["a\nb", "", "[DONE]"]
        );
    }

    #[test]
    fn what_clients_trip_over_is_seen_and_can_be_left_out() {
        let normalised = |stream: &'static str| {
            let mut normalised = Vec::new();
            let mut nonstandard = 0;
            for event in events(stream.as_bytes()) {
                nonstandard += usize::from(event.is_nonstandard);
                event.write_normalised(&mut normalised);
            }
            (nonstandard, String::from_utf8(normalised).unwrap())
        };
        for usual in [
            "data: a\n\n",
            "event: x\ndata: a\n\n",
            "data: a\ndata: b\n\n",
        ] {
            assert_eq!(normalised(usual), (0, usual.to_owned()));
        }
        assert_eq!(normalised(": comment\n\n"), (0, String::new()));
        for (nonstandard, left) in [
            ("id: 0\ndata: a\n\n", "data: a\n\n"),
            ("retry: 10\n\n", ""),
            ("event: ping\n\n", ""),
            ("data:\n\n", ""),
            ("\u{feff}data: a\n\n", "data: a\n\n"),
            (
                "event: x\r\nid: 1\r\ndata: a\r\ndata: b\r\n\r\n",
                "event: x\ndata: a\ndata: b\n\n",
            ),
        ] {
            assert_eq!(
                normalised(nonstandard),
                (1, left.to_owned()),
                "{nonstandard:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_bytes_and_events(
            lines in proptest::collection::vec(
                (prop_oneof![Just("data: x"), Just("data:{}"), Just(": c"), Just("event: e"), Just("")],
                 prop_oneof![Just("\n"), Just("\r\n"), Just("\r")]), 0..24),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
        ) {
            let stream: String = lines.iter().flat_map(|(line, end)| [*line, *end]).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.push(0);
            cuts.push(stream.len());
            cuts.sort_unstable();

            let mut framer = Framer::new();
            let mut joined = Vec::new();
            let mut seen = Vec::new();
            for pair in cuts.windows(2) {
                let whole = framer.push(Bytes::copy_from_slice(&stream.as_bytes()[pair[0]..pair[1]]));
                seen.extend(data(&whole));
                joined.extend_from_slice(&whole);
            }
            let rest = framer.take_rest();
            seen.extend(data(&rest));
            joined.extend_from_slice(&rest);
            assert_eq!(joined, stream.as_bytes());
            assert_eq!(seen, data(stream.as_bytes()));
        }
    }
}
