//! What the fuzz targets share: a stream cut anywhere must be read as the same stream, and nothing that is translated may
//! bring a translator down.

use backstop::dialect::stream::{Signal, StreamReader};
use backstop::dialect::{Delivery, UpstreamApi};
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

/// Translates a request into a language, and a reply back. The bytes are the length of the request, in two of them, the
/// request, and the reply.
pub fn translate(api: UpstreamApi, endpoint: Endpoint, data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk() else {
        return;
    };
    let (request, reply) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    // A reply is read, too, where the request is no good.
    let usual = br#"{"model":"claude-sonnet-4-5","messages":[],"input":"x","stream":true}"#;
    let _ = api.unsupported_feature(endpoint, request, "m");
    let translated = api.translate(
        endpoint,
        Bytes::copy_from_slice(request),
        Delivery::Fallback { model: "m" },
    );
    if let Some(translated) = &translated {
        serde_json::from_slice::<serde_json::Value>(&translated.body).expect("JSON");
    }
    let Some(translated) = translated
        .or_else(|| api.translate(endpoint, Bytes::from_static(usual), Delivery::Verbatim))
    else {
        return;
    };
    assert!(translated.translator.changes());
    let _ = translated.translator.answer(Bytes::copy_from_slice(reply));
    let _ = translated
        .translator
        .error(400, Bytes::copy_from_slice(reply));
    if let Some(mut translator) = translated.translator.translator() {
        let sent = translator.translate(Bytes::copy_from_slice(reply));
        let rest = translator.finish();
        assert!(std::str::from_utf8(&sent).is_ok() || std::str::from_utf8(reply).is_err());
        assert!(std::str::from_utf8(&rest).is_ok());
    }
}
