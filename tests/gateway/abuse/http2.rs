//! Malformed and malicious HTTP/2.

use futures_util::future::join_all;

use super::{CHAT, Stage};
use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, Frames, HEADERS, INITIAL_WINDOW, PING,
    PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, data, field, head, number, post,
    setting,
};
use crate::harness::{chat, within};

/// What is sent after the preface.
type Case = (&'static str, Vec<u8>);

fn join(frames: impl IntoIterator<Item = Frame>) -> Vec<u8> {
    frames.into_iter().flat_map(|frame| frame.bytes()).collect()
}

/// So many of them, on streams of their own.
fn flood(count: u32, frames: impl Fn(u32) -> Vec<Frame>) -> Vec<u8> {
    join((0..count).flat_map(|n| frames(2 * n + 1)))
}

fn open(stream: u32) -> Frame {
    Frame::new(HEADERS, END_HEADERS, stream, post(CHAT))
}

fn floods() -> Vec<Case> {
    let pad = field("x", &"y".repeat(1000));
    vec![
        (
            "rapid reset",
            flood(2000, |n| {
                vec![open(n), Frame::new(RST_STREAM, 0, n, number(8))]
            }),
        ),
        ("streams above the limit", flood(1000, |n| vec![open(n)])),
        (
            "pings",
            join((0..5000).map(|_| Frame::new(PING, 0, 0, *b"12345678"))),
        ),
        (
            "settings",
            join((0..5000).map(|_| Frame::new(SETTINGS, 0, 0, []))),
        ),
        (
            "changes of the window",
            join((0..2000).map(|n| Frame::new(SETTINGS, 0, 0, setting(INITIAL_WINDOW, n)))),
        ),
        (
            "priorities",
            join((0..5000).map(|_| Frame::new(PRIORITY, 0, 1, [0, 0, 0, 1, 0]))),
        ),
        (
            "a head that never ends",
            join(
                [Frame::new(HEADERS, 0, 1, post(CHAT))]
                    .into_iter()
                    .chain((0..2000).map(|_| Frame::new(CONTINUATION, 0, 1, pad.clone()))),
            ),
        ),
        (
            "empty continuations",
            join(
                [Frame::new(HEADERS, 0, 1, post(CHAT))]
                    .into_iter()
                    .chain((0..5000).map(|_| Frame::new(CONTINUATION, 0, 1, []))),
            ),
        ),
        (
            "empty data",
            join(
                [open(1)]
                    .into_iter()
                    .chain((0..5000).map(|_| Frame::new(DATA, 0, 1, []))),
            ),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn states() -> Vec<Case> {
    let end = Frame::new(DATA, END_STREAM, 1, "{}");
    vec![
        (
            "data on an idle stream",
            join([Frame::new(DATA, 0, 1, "x")]),
        ),
        (
            "data after the end",
            join([open(1), end.clone(), end.clone()]),
        ),
        (
            "a head after the end",
            join([open(1), end.clone(), open(1)]),
        ),
        ("data on no stream", join([Frame::new(DATA, 0, 0, "x")])),
        (
            "an even stream",
            join([Frame::new(HEADERS, END_HEADERS, 2, post(CHAT))]),
        ),
        ("a stream that went by", join([open(5), open(3)])),
        (
            "a continuation of nothing",
            join([Frame::new(CONTINUATION, END_HEADERS, 1, post(CHAT))]),
        ),
        (
            "something within a head",
            join([
                Frame::new(HEADERS, 0, 1, post(CHAT)),
                Frame::new(PING, 0, 0, [0; 8]),
            ]),
        ),
        (
            "a promise",
            join([Frame::new(PUSH_PROMISE, END_HEADERS, 1, number(2))]),
        ),
        (
            "a window that overflows",
            join([
                open(1),
                Frame::new(WINDOW_UPDATE, 0, 1, number(0x7fff_ffff)),
            ]),
        ),
        (
            "the connection's that overflows",
            join([Frame::new(WINDOW_UPDATE, 0, 0, number(0x7fff_ffff))]),
        ),
        (
            "no step of the window",
            join([Frame::new(WINDOW_UPDATE, 0, 0, number(0))]),
        ),
        (
            "a setting too large",
            join([Frame::new(
                SETTINGS,
                0,
                0,
                setting(INITIAL_WINDOW, u32::MAX),
            )]),
        ),
        (
            "a priority of itself",
            join([Frame::new(PRIORITY, 0, 1, [0, 0, 0, 1, 0])]),
        ),
        (
            "a reset of an idle stream",
            join([Frame::new(RST_STREAM, 0, 9, number(8))]),
        ),
    ]
}

fn sizes() -> Vec<Case> {
    vec![
        ("a ping of seven", join([Frame::new(PING, 0, 0, [0; 7])])),
        ("half a setting", join([Frame::new(SETTINGS, 0, 0, [0; 5])])),
        (
            "settings of a stream",
            join([Frame::new(SETTINGS, 0, 1, [])]),
        ),
        (
            "a reset of three",
            join([open(1), Frame::new(RST_STREAM, 0, 1, [0; 3])]),
        ),
        (
            "a step of three",
            join([Frame::new(WINDOW_UPDATE, 0, 0, [0; 3])]),
        ),
        (
            "a frame too large",
            join([open(1), Frame::new(DATA, 0, 1, vec![0; 20_000])]),
        ),
        (
            "padding longer than the frame",
            join([open(1), Frame::new(DATA, 8, 1, [9, 1])]),
        ),
        (
            "a frame that does not end",
            vec![0, 64, 0, HEADERS, 4, 0, 0, 0, 1, 0],
        ),
        ("an unknown frame", join([Frame::new(0xbe, 0xff, 1, "x")])),
        ("a preface again", crate::frames::PREFACE.to_vec()),
        (
            "HTTP/1",
            b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn heads() -> Vec<Case> {
    let usual = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", CHAT),
        (":authority", "localhost"),
    ];
    let with = |more: &[(&str, &str)]| {
        let fields = head(&[&usual[..], more].concat());
        let body = Frame::new(DATA, END_STREAM, 1, chat().to_string());
        join([Frame::new(HEADERS, END_HEADERS, 1, fields), body])
    };
    let without = |name: &str| {
        let left: Vec<_> = usual.into_iter().filter(|(has, _)| *has != name).collect();
        join([Frame::new(
            HEADERS,
            END_HEADERS | END_STREAM,
            1,
            head(&left),
        )])
    };
    let long = "y".repeat(4000);
    let giant: Vec<_> = (0..30).map(|_| ("x", long.as_str())).collect();
    vec![
        ("upper case", with(&[("X-A", "b")])),
        ("a connection", with(&[("connection", "close")])),
        (
            "a transfer coding",
            with(&[("transfer-encoding", "chunked")]),
        ),
        ("an upgrade", with(&[("upgrade", "websocket")])),
        ("a line end in a value", with(&[("x-a", "b\r\nhost: y")])),
        ("a line end in a name", with(&[("x\r\na", "b")])),
        ("a colon in a name", with(&[("x:a", "b")])),
        (
            "a pseudo header later",
            with(&[("x-a", "b"), (":path", "/v1/hidden")]),
        ),
        ("two paths", with(&[(":path", "/v1/hidden")])),
        ("an unknown pseudo header", with(&[(":x", "y")])),
        ("another host", with(&[("host", "y")])),
        ("a wrong length", with(&[("content-length", "3")])),
        ("no path", without(":path")),
        ("no method", without(":method")),
        ("no scheme", without(":scheme")),
        ("no authority", without(":authority")),
        (
            "an index that is not there",
            join([Frame::new(
                HEADERS,
                END_HEADERS,
                1,
                [0xff, 0xff, 0xff, 0x7f],
            )]),
        ),
        ("a giant list", {
            let block = head(&[&usual[..], &giant].concat());
            let mut frames = vec![Frame::new(HEADERS, 0, 1, &block[..100])];
            let rest = block[100..].chunks(16_000);
            frames.extend(rest.map(|part| Frame::new(CONTINUATION, 0, 1, part)));
            frames.last_mut().unwrap().flags = END_HEADERS;
            join(frames)
        }),
    ]
}

#[tokio::test]
async fn no_frames_do_harm_to_others() {
    let stage = Stage::start().await;
    let address = stage.gateway.gateway.address();
    let cases = [floods(), states(), sizes(), heads()].concat();
    let play = |(name, bytes): Case| async move {
        let mut raw = Frames::open(address, &[]).await;
        raw.send_bytes(&bytes).await;
        let frames = within(raw.until_closed()).await;
        let served = frames.iter().filter(|frame| frame.status() == Some(200));
        assert!(served.clone().count() <= 1, "{name}: {frames:?}");
        for stream in served.map(|frame| frame.stream) {
            let answer = String::from_utf8(data(&frames, stream)).unwrap();
            assert!(answer.contains("Hello from only."), "{name}: {answer}");
        }
        (name, frames)
    };
    let mut answered = 0;
    for some in cases.chunks(8) {
        for (name, frames) in join_all(some.iter().cloned().map(play)).await {
            let served = frames
                .iter()
                .filter(|frame| frame.status() == Some(200))
                .count();
            let may_be_served = ["a connection", "a transfer coding", "an unknown frame"];
            assert!(
                served == 0 || may_be_served.contains(&name),
                "{name}: {frames:?}"
            );
            answered += served;
        }
    }
    stage.upstream_has_got(answered);
    stage.is_unharmed().await;
}
