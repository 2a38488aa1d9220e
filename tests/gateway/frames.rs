//! An HTTP/2 connection on which every frame is the test's, allowed or not.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::within;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const ACK: u8 = 1;

pub(crate) const INITIAL_WINDOW: u16 = 4;

/// One frame.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            flags,
            stream,
            payload: payload.into(),
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap().to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// Whether nothing follows it on its stream.
    pub(crate) fn ends(&self, stream: u32) -> bool {
        let is_last = self.kind == RST_STREAM
            || matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0;
        self.stream == stream && is_last
    }

    /// The status of a head of an answer, if it is one of those that have a number of their own.
    pub(crate) fn status(&self) -> Option<u16> {
        const NUMBERED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
        let index = usize::from(self.payload.first()?.checked_sub(0x88)?);
        NUMBERED
            .get(index)
            .copied()
            .filter(|_| self.kind == HEADERS)
    }
}

/// A header field, without any compression.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut block = vec![0];
    for text in [name, value] {
        let length = text.len();
        match u8::try_from(length).ok().filter(|length| *length < 127) {
            Some(length) => block.push(length),
            None => {
                block.push(127);
                let mut rest = length - 127;
                while rest >= 128 {
                    block.push(u8::try_from(rest % 128).unwrap() | 128);
                    rest /= 128;
                }
                block.push(u8::try_from(rest).unwrap());
            }
        }
        block.extend(text.as_bytes());
    }
    block
}

/// The head of a request.
pub(crate) fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    fields
        .iter()
        .flat_map(|(name, value)| field(name, value))
        .collect()
}

/// The head of a usual request.
pub(crate) fn post(path: &str) -> Vec<u8> {
    head(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/json"),
    ])
}

pub(crate) fn number(value: u32) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

pub(crate) fn setting(id: u16, value: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

/// The connection.
pub(crate) struct Frames {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Frames {
    /// Begins with the preface and these settings.
    pub(crate) async fn open(address: SocketAddr, settings: &[u8]) -> Self {
        let mut frames = Self {
            stream: within(TcpStream::connect(address)).await.unwrap(),
            read: Vec::new(),
        };
        let mut hello = PREFACE.to_vec();
        hello.extend(Frame::new(SETTINGS, 0, 0, settings).bytes());
        assert!(frames.send_bytes(&hello).await);
        frames
    }

    /// Sends bytes, unless the other side has closed; returns whether it has not.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        within(self.stream.write_all(bytes)).await.is_ok()
    }

    pub(crate) async fn send(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: impl Into<Vec<u8>>,
    ) -> bool {
        let frame = Frame::new(kind, flags, stream, payload);
        self.send_bytes(&frame.bytes()).await
    }

    /// Posts a body.
    pub(crate) async fn ask(&mut self, stream: u32, path: &str, body: &str) {
        let mut bytes = Frame::new(HEADERS, END_HEADERS, stream, post(path)).bytes();
        bytes.extend(Frame::new(DATA, END_STREAM, stream, body).bytes());
        assert!(self.send_bytes(&bytes).await);
    }

    /// The next frame; `None` once the connection is closed. Pings and settings are acknowledged.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            let frame = self.next_unanswered().await?;
            match frame.kind {
                PING | SETTINGS if frame.flags & ACK == 0 => {
                    let pong = if frame.kind == PING {
                        &frame.payload[..]
                    } else {
                        &[]
                    };
                    self.send(frame.kind, ACK, 0, pong).await;
                }
                PING | SETTINGS => {}
                _ => return Some(frame),
            }
        }
    }

    /// Whether the connection is closed though nothing is acknowledged.
    pub(crate) async fn is_closed_without_answers(&mut self) -> bool {
        while self.next_unanswered().await.is_some() {}
        true
    }

    async fn next_unanswered(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.parse() {
                return Some(frame);
            }
            self.read.reserve(16 << 10);
            let read = within(self.stream.read_buf(&mut self.read)).await;
            if !read.is_ok_and(|count| count > 0) {
                return None;
            }
        }
    }

    fn parse(&mut self) -> Option<Frame> {
        let head: [u8; 9] = self.read.get(..9)?.try_into().unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = self.read.get(9..9 + length)?.to_vec();
        self.read.drain(..9 + length);
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        Some(Frame::new(head[3], head[4], stream, payload))
    }

    /// All frames until a stream is over, or the connection.
    pub(crate) async fn until_end_of(&mut self, stream: u32) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            let is_last = frame.ends(stream);
            frames.push(frame);
            if is_last {
                break;
            }
        }
        frames
    }

    /// All frames until the connection is closed.
    pub(crate) async fn until_closed(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }
}

/// The data of a stream.
pub(crate) fn data(frames: &[Frame], stream: u32) -> Vec<u8> {
    let of_stream = frames
        .iter()
        .filter(|frame| frame.kind == DATA && frame.stream == stream);
    of_stream.flat_map(|frame| frame.payload.clone()).collect()
}
