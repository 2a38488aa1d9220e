//! What the fuzz targets share: a stream cut anywhere must be read as the same stream, and nothing that is translated may
//! bring a translator down.

use backstop::catalogue::Dialect;
use backstop::dialect::stream::{Signal, StreamReader};
use backstop::dialect::{RequestKind, StreamTranslator, UpstreamApi, UpstreamRequest};
use backstop::request::Endpoint;
use backstop::wire::sse::{self, Framer};
use bytes::Bytes;

/// Takes cuts and a stream out of arbitrary bytes: each of the first eight is the length of a piece, 0 for none.
pub fn pieces(data: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let (cuts, stream) = data.split_at_checked(8)?;
    let mut rest = stream;
    let mut pieces = Vec::new();
    for cut in cuts {
        let (piece, more) = rest.split_at(usize::from(*cut).min(rest.len()));
        pieces.push(piece);
        rest = more;
    }
    pieces.push(rest);
    Some((pieces, stream))
}

/// Frames the pieces; what comes out, joined, is what went in.
pub fn frame(pieces: &[&[u8]]) -> Vec<u8> {
    let mut framer = Framer::new();
    let mut framed = Vec::new();
    for piece in pieces {
        framed.extend_from_slice(&framer.push(Bytes::copy_from_slice(piece)));
    }
    framed.extend_from_slice(&framer.take_rest());
    framed
}

/// Follows a stream in pieces and whole, and compares.
pub fn supervise(endpoint: Endpoint, data: &[u8]) {
    let Some((pieces, stream)) = pieces(data) else {
        return;
    };
    let mut framer = Framer::new();
    let mut reader = StreamReader::new(endpoint);
    let mut signals = Vec::new();
    for piece in &pieces {
        let whole = framer.push(Bytes::copy_from_slice(piece));
        read(&mut reader, &whole, &mut signals);
    }
    read(&mut reader, &framer.take_rest(), &mut signals);

    let mut at_once = Vec::new();
    let mut other = StreamReader::new(endpoint);
    read(&mut other, stream, &mut at_once);
    assert_eq!(signals, at_once);
    assert_eq!(reader.is_complete(), other.is_complete());
    assert_eq!(reader.missing_end(), other.missing_end());
    let error = reader.interruption(&serde_json::json!({ "message": "m", "code": "c" }));
    assert!(std::str::from_utf8(&error).is_ok());
}

fn read(reader: &mut StreamReader, bytes: &[u8], signals: &mut Vec<Signal>) {
    for event in sse::events(bytes) {
        let signal = reader.read(&event);
        let mut normalised = Vec::new();
        event.write_normalised(&mut normalised);
        // Lines without meaning may be cut into events in more than one way.
        if event.data.is_some() {
            signals.push(signal);
        }
    }
}

/// Upstreams of each API, with a model that is asked in it: chats alone, Messages, and Responses for tools.
const UPSTREAMS: [(UpstreamApi, &str); 3] = [
    (
        UpstreamApi {
            has_responses: false,
            ..UpstreamApi::new(Dialect::OpenAi)
        },
        "m",
    ),
    (UpstreamApi::new(Dialect::Anthropic), "claude-sonnet-4-5"),
    (UpstreamApi::new(Dialect::OpenAi), "gpt-6.2"),
];

/// Puts a request into the other APIs, and a reply back. The bytes are the length of the request, in two of them, the
/// request, and the reply.
pub fn translate(endpoint: Endpoint, data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk() else {
        return;
    };
    let (request, reply) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    for (api, model) in UPSTREAMS {
        let kind = RequestKind {
            endpoint,
            model,
            has_tools: true,
            is_fallback: true,
            is_renamed: true,
            body: request,
        };
        let translated = match api.asking(kind).translated(request) {
            Some(Ok(translated)) => translated,
            // A reply is read, too, where the request is no good.
            Some(Err(_)) => match api.asking(kind).translated(USUAL) {
                Some(usual) => usual.expect("a request"),
                None => continue,
            },
            None => continue,
        };
        serde_json::from_slice::<serde_json::Value>(&translated.body).expect("JSON");
        put_back(&translated, endpoint, reply);
    }
}

/// A request in any API.
const USUAL: &[u8] =
    br#"{"model":"m","messages":[{"role":"user","content":"x"}],"input":"x","max_tokens":9,"stream":true}"#;

fn put_back(translated: &UpstreamRequest, endpoint: Endpoint, reply: &[u8]) {
    assert!(translated.translator.changes());
    let bytes = || Bytes::copy_from_slice(reply);
    let _ = translated.translator.answer(endpoint, bytes(), None);
    let _ = translated.translator.error(400, bytes());
    if let Some(StreamTranslator::Between(mut way)) = translated.translator.translator() {
        let sent = way.translate(reply);
        let rest = way.finish();
        assert!(std::str::from_utf8(&sent.events).is_ok());
        assert!(std::str::from_utf8(&rest.events).is_ok());
    }
}
