//! The part of the WebSocket protocol (RFC 6455) that a relay needs: frame boundaries, Close frames, and the
//! subprotocols of a handshake. The payload of frames is not read.

use http::header::{CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL, UPGRADE};

/// The opcode of a Close frame.
const CLOSE: u8 = 0x8;
/// Two bytes, up to eight bytes of extended length, and four bytes of masking key.
const LONGEST_HEAD: usize = 14;
/// The largest payload of a control frame, including the two bytes of the code.
const LONGEST_REASON: usize = 123;

/// Follows the frames of one direction by their heads. Reserved bits and opcodes are ignored: extensions may use them.
#[derive(Debug, Default)]
pub struct Frames {
    head: [u8; LONGEST_HEAD],
    /// How much of the head has arrived.
    known: usize,
    /// How much of the payload is still to come, once the head is complete.
    payload: Option<u64>,
    has_closed: bool,
}

impl Frames {
    /// Reads the next bytes.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        loop {
            if let Some(left) = self.payload {
                let taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                bytes = &bytes[taken..];
                let left = left - taken as u64;
                if left > 0 {
                    self.payload = Some(left);
                    return;
                }
                self.end_frame();
            }
            let Some((first, rest)) = bytes.split_first() else {
                return;
            };
            self.head[self.known] = *first;
            self.known += 1;
            bytes = rest;
            self.payload = payload_after(&self.head[..self.known]);
        }
    }

    /// Whether the last frame has ended and the next has not begun: only then may another frame be inserted.
    pub fn is_between(&self) -> bool {
        self.known == 0
    }

    /// Whether a complete Close frame has passed: the conversation is over, and a lost connection does not matter.
    pub fn has_closed(&self) -> bool {
        self.has_closed
    }

    fn end_frame(&mut self) {
        self.has_closed |= self.head[0] & 0x0f == CLOSE;
        self.known = 0;
        self.payload = None;
    }
}

/// The length of the payload after a head, once the head is complete.
fn payload_after(head: &[u8]) -> Option<u64> {
    let second = *head.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (length, size) = match second & 0x7f {
        126 => (big_endian(head.get(2..4)?), 4),
        127 => (big_endian(head.get(2..10)?), 10),
        short => (u64::from(short), 2),
    };
    (head.len() == size + mask).then_some(length)
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// A Close frame as servers send it, unmasked, with a code (RFC 6455, section 7.4) and a reason in ASCII.
pub fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    let reason = &reason.as_bytes()[..reason.len().min(LONGEST_REASON)];
    let mut frame = vec![0x80 | CLOSE, reason.len() as u8 + 2];
    frame.extend_from_slice(&code.to_be_bytes());
    frame.extend_from_slice(reason);
    frame
}

/// Whether a handshake requests, or accepts, the WebSocket protocol.
pub fn is_handshake(headers: &HeaderMap) -> bool {
    let names = |name, wanted: &str| {
        let mut entries = entries(headers, name);
        entries.any(|entry| entry.eq_ignore_ascii_case(wanted))
    };
    names(&CONNECTION, "upgrade") && names(&UPGRADE, "websocket")
}

/// Restores the hop-by-hop headers of a handshake, which were not forwarded.
pub fn put_handshake(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// The subprotocols that are offered.
pub fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    entries(headers, &SEC_WEBSOCKET_PROTOCOL)
}

/// Offers only the subprotocols that `keep` selects; removes the header if none are left.
pub fn keep_subprotocols(headers: &mut HeaderMap, keep: impl Fn(&str) -> bool) {
    if !headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        return;
    }
    let kept: Vec<&str> = subprotocols(headers).filter(|name| keep(name)).collect();
    let kept = HeaderValue::try_from(kept.join(", ")).ok();
    match kept.filter(|kept| !kept.is_empty()) {
        Some(kept) => {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, kept);
        }
        None => {
            headers.remove(SEC_WEBSOCKET_PROTOCOL);
        }
    }
}

/// The entries of a header that holds a list, over all its lines.
fn entries<'a>(
    headers: &'a HeaderMap,
    name: &http::HeaderName,
) -> impl Iterator<Item = &'a str> + use<'a> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::SEC_WEBSOCKET_PROTOCOL;
    use proptest::prelude::*;

    use super::{
        Frames, close_frame, is_handshake, keep_subprotocols, put_handshake, subprotocols,
    };

    /// A frame with this opcode and so much payload.
    fn frame(opcode: u8, size: usize, is_masked: bool) -> Vec<u8> {
        let mask = if is_masked { 0x80 } else { 0 };
        let mut frame = vec![0x80 | opcode];
        match size {
            ..126 => frame.push(mask | size as u8),
            126..65_536 => {
                frame.push(mask | 126);
                frame.extend_from_slice(&(size as u16).to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend_from_slice(&(size as u64).to_be_bytes());
            }
        }
        if is_masked {
            frame.extend_from_slice(&[0x88, 1, 2, 3]);
        }
        // Payload that looks like Close frames.
        frame.extend(std::iter::repeat_n(0x88, size));
        frame
    }

    #[test]
    fn the_end_of_a_frame_is_known_whatever_its_length() {
        for size in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
            for is_masked in [false, true] {
                let mut frames = Frames::default();
                assert!(frames.is_between());
                let bytes = frame(2, size, is_masked);
                let (last, before) = bytes.split_last().unwrap();
                frames.pass(before);
                assert!(!frames.is_between(), "{size} {is_masked}");
                frames.pass(&[*last]);
                assert!(frames.is_between(), "{size} {is_masked}");
                assert!(!frames.has_closed(), "{size} {is_masked}");
            }
        }
    }

    #[test]
    fn a_close_frame_counts_once_it_is_whole() {
        let mut frames = Frames::default();
        let close = close_frame(1012, "again");
        assert_eq!(close, b"\x88\x07\x03\xf4again");
        frames.pass(&close[..4]);
        assert!(!frames.has_closed());
        frames.pass(&close[4..]);
        assert!(frames.has_closed());

        let mut frames = Frames::default();
        frames.pass(&frame(8, 0, true));
        assert!(frames.has_closed());
    }

    #[test]
    fn a_reason_is_never_longer_than_a_control_frame_may_be() {
        let close = close_frame(1012, &"x".repeat(500));
        assert_eq!((close.len(), close[1]), (127, 125));
    }

    #[test]
    fn subprotocols_are_found_over_several_lines_and_left_out_by_name() {
        let mut headers = HeaderMap::new();
        headers.append(
            SEC_WEBSOCKET_PROTOCOL,
            "realtime, secret.x".parse().unwrap(),
        );
        headers.append(SEC_WEBSOCKET_PROTOCOL, "beta".parse().unwrap());
        let names: Vec<_> = subprotocols(&headers).collect();
        assert_eq!(names, ["realtime", "secret.x", "beta"]);
        keep_subprotocols(&mut headers, |name| !name.starts_with("secret."));
        assert_eq!(headers[SEC_WEBSOCKET_PROTOCOL], "realtime, beta");
        keep_subprotocols(&mut headers, |_| false);
        assert!(headers.is_empty());
    }

    #[test]
    fn a_handshake_names_both_the_upgrade_and_the_protocol() {
        let mut headers = HeaderMap::new();
        headers.insert("upgrade", "websocket".parse().unwrap());
        assert!(!is_handshake(&headers));
        headers.insert("connection", "keep-alive, upgrade".parse().unwrap());
        assert!(is_handshake(&headers));
        headers.insert("upgrade", "h2c".parse().unwrap());
        assert!(!is_handshake(&headers));
        put_handshake(&mut headers);
        assert!(is_handshake(&headers));
    }

    proptest! {
        #[test]
        fn any_split_tells_the_same(
            sizes in proptest::collection::vec((0u8..3, 0usize..70_000, any::<bool>()), 1..6),
            cut in 1usize..5000,
        ) {
            let mut bytes = Vec::new();
            for (opcode, size, is_masked) in sizes {
                bytes.extend(frame(opcode, size, is_masked));
            }
            let mut frames = Frames::default();
            for part in bytes.chunks(cut) {
                frames.pass(part);
            }
            prop_assert!(frames.is_between());
            prop_assert!(!frames.has_closed());
            frames.pass(&close_frame(1000, ""));
            prop_assert!(frames.has_closed());
        }
    }
}
