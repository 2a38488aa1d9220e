//! Malformed HTTP/1 requests.

use futures_util::future::join_all;

use super::{CHAT, HIDDEN, Stage};
use crate::raw::Raw;

/// What is sent, and the expected statuses in order: `""` is a closed connection.
type Case = (&'static str, String, &'static [&'static str]);

const BODY: &str = r#"{"model":"gpt-4o","messages":[]}"#;
/// Its size in both notations.
const SIZE: usize = BODY.len();

const REFUSED: &[&str] = &["400", ""];
const ONE: &[&str] = &["200"];

/// A request with these lines in its head.
fn with(lines: &str, body: &str) -> String {
    format!("POST {CHAT} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\n{body}")
}

fn sized(lines: &str) -> String {
    with(&format!("Content-Length: {SIZE}{lines}"), BODY)
}

fn chunked(body: &str) -> String {
    with("Transfer-Encoding: chunked", body)
}

fn chunks() -> String {
    format!("{SIZE:x}\r\n{BODY}\r\n0\r\n\r\n")
}

fn hidden() -> String {
    format!("GET {HIDDEN} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Ambiguous ends of requests.
#[expect(clippy::too_many_lines, reason = "a table")]
fn framing() -> Vec<Case> {
    let (chunks, hidden) = (chunks(), hidden());
    let te_and = |lines: &str| {
        let lines = format!("Transfer-Encoding: chunked\r\n{lines}");
        with(&lines, &format!("{chunks}{hidden}"))
    };
    let te = |value: &str| {
        let line = format!("Transfer-Encoding{value}\r\nContent-Length: {SIZE}");
        with(&line, &format!("{BODY}{hidden}"))
    };
    vec![
        ("well", sized(""), ONE),
        ("chunked", chunked(&chunks), ONE),
        (
            "two, one after the other",
            sized("") + &sized(""),
            &["200 200"],
        ),
        // Nothing that follows a chunked body is read.
        (
            "chunked, then another",
            chunked(&(chunks.clone() + &hidden)),
            ONE,
        ),
        (
            "both lengths",
            te_and("Content-Length: 4"),
            &["200", "400", ""],
        ),
        (
            "both lengths, none",
            te_and("Content-Length: 0"),
            &["200", "400", ""],
        ),
        (
            "two lengths",
            with("Content-Length: 3\r\nContent-Length: 32", BODY),
            REFUSED,
        ),
        (
            "a list of lengths",
            with("Content-Length: 32, 32", BODY),
            REFUSED,
        ),
        (
            "a signed length",
            with("Content-Length: +32", BODY),
            REFUSED,
        ),
        (
            "a negative length",
            with("Content-Length: -1", BODY),
            REFUSED,
        ),
        (
            "a length in hex",
            with("Content-Length: 0x20", BODY),
            REFUSED,
        ),
        (
            "an endless length",
            with("Content-Length: 99999999999999999999", ""),
            REFUSED,
        ),
        (
            "a length with a space",
            with("Content-Length : 32", BODY),
            REFUSED,
        ),
        ("identity", te(": identity"), REFUSED),
        ("chunked, identity", te(": chunked, identity"), REFUSED),
        ("xchunked", te(": xchunked"), REFUSED),
        ("a space before the colon", te(" : chunked"), REFUSED),
        (
            "a tab before the value",
            te(":\tchunked"),
            &["200", "400", ""],
        ),
        (
            "a vertical tab before the value",
            te(":\u{b}chunked"),
            REFUSED,
        ),
        ("on the next line", te(":\r\n chunked"), REFUSED),
        ("in quotes", te(": \"chunked\""), REFUSED),
        (
            "in HTTP/1.0",
            te(": chunked").replace(
                "HTTP/1.1\r\nHost: localhost\r\nT",
                "HTTP/1.0\r\nHost: localhost\r\nT",
            ),
            REFUSED,
        ),
    ]
}

/// How chunks are written.
#[expect(clippy::too_many_lines, reason = "a table")]
fn chunk_forms() -> Vec<Case> {
    let hidden = hidden();
    let first = |size: &str| chunked(&format!("{size}\r\n{BODY}\r\n0\r\n\r\n{hidden}"));
    let end = |end: &str| chunked(&format!("{SIZE:x}\r\n{BODY}\r\n{end}{hidden}"));
    let long = ["x"; 20_000].concat();
    vec![
        ("zeros before the size", first(&format!("00{SIZE:x}")), ONE),
        ("an extension", first(&format!("{SIZE:x};a=b")), ONE),
        (
            "an endless extension",
            first(&format!("{SIZE:x};{long}")),
            REFUSED,
        ),
        (
            "an extension with a line feed",
            first(&format!("{SIZE:x};a\nb")),
            REFUSED,
        ),
        ("a negative size", first("-20"), REFUSED),
        ("a size with 0x", first("0x20"), REFUSED),
        (
            "a size that overflows",
            first("fffffffffffffffff1"),
            REFUSED,
        ),
        (
            "a size of all there is",
            first("ffffffffffffffff"),
            &["400", "408", "413", ""],
        ),
        ("no size", first(""), REFUSED),
        ("a size with a space before", first(" 20"), REFUSED),
        (
            "a bare line feed after the size",
            chunked(&format!("{SIZE:x}\n{BODY}\r\n0\r\n\r\n")),
            REFUSED,
        ),
        (
            "a chunk too short",
            chunked(&format!("5\r\n{BODY}\r\n0\r\n\r\n")),
            REFUSED,
        ),
        // The rest is never taken for a request: nothing may follow on the connection.
        (
            "a bare line feed at the end",
            end("0\r\n\n"),
            &["200", "400", "408", ""],
        ),
        ("bare line feeds at the end", end("0\n\n"), REFUSED),
        (
            "trailers that are forbidden",
            end("0\r\nContent-Length: 5\r\nHost: y\r\n\r\n"),
            &["200", "400", ""],
        ),
        (
            "a trailer that is none",
            end("0\r\n: x\r\n\r\n"),
            &["200", "400", ""],
        ),
        (
            "endless trailers",
            end(&format!("0\r\na: {long}\r\n\r\n")),
            &["200", "400", ""],
        ),
    ]
}

/// How heads are written.
#[expect(clippy::too_many_lines, reason = "a table")]
fn heads() -> Vec<Case> {
    let many = (0..500)
        .map(|n| format!("\r\nx-{n}: y"))
        .collect::<String>();
    let long = ["x"; 70_000].concat();
    let get = |line: &str| format!("{line}\r\nHost: localhost\r\n\r\n");
    vec![
        (
            "no host",
            format!("POST {CHAT} HTTP/1.1\r\nContent-Length: {SIZE}\r\n\r\n{BODY}"),
            &["400"],
        ),
        ("two hosts", sized("\r\nHost: y"), &["400"]),
        ("two equal hosts", sized("\r\nhost: localhost"), &["400"]),
        (
            "no name as host",
            sized("").replace("Host: localhost", "Host: a b"),
            &["400"],
        ),
        (
            "a user as host",
            sized("").replace("Host: localhost", "Host: a@x"),
            &["400"],
        ),
        (
            "an empty host",
            sized("").replace("Host: localhost", "Host:"),
            &["400"],
        ),
        (
            "no host in HTTP/1.0",
            sized("").replace("1.1\r\nHost: localhost", "1.0"),
            ONE,
        ),
        ("a folded line", sized("\r\nx-a: b\r\n c"), REFUSED),
        (
            "a line that begins with a space",
            sized("").replace("\r\nHost", "\r\n Host"),
            REFUSED,
        ),
        (
            "bare line feeds",
            sized("").replace("\r\n", "\n"),
            &["200", "400", ""],
        ),
        ("bare carriage returns", sized("\rx-a: b"), REFUSED),
        (
            "a carriage return in a value",
            sized("\r\nx-a: b\rc: d"),
            REFUSED,
        ),
        ("a zero in a value", sized("\r\nx-a: b\0c"), REFUSED),
        ("a zero in a name", sized("\r\nx\0a: b"), REFUSED),
        ("a space in a name", sized("\r\nx a: b"), REFUSED),
        ("a space before the colon", sized("\r\nx-a : b"), REFUSED),
        ("no colon", sized("\r\nx-a"), REFUSED),
        ("no name", sized("\r\n: b"), REFUSED),
        ("many lines", sized(&many), &["431", "400", ""]),
        (
            "a long line",
            sized(&format!("\r\nx-a: {long}")),
            &["431", ""],
        ),
        (
            "a long target",
            get(&format!("GET /v1/{long} HTTP/1.1")),
            &["414", "431", ""],
        ),
        ("HTTP/0.9", "GET /v1/models\r\n\r\n".to_owned(), REFUSED),
        ("HTTP/1.2", get("GET /v1/models HTTP/1.2"), REFUSED),
        ("HTTP/2.0", get("GET /v1/models HTTP/2.0"), REFUSED),
        ("another protocol", get("GET /v1/models ICAP/1.0"), REFUSED),
        (
            "an absolute target",
            get("GET http://localhost/v1/models HTTP/1.1"),
            ONE,
        ),
        (
            "an authority as target",
            get("CONNECT x:443 HTTP/1.1"),
            &["400", "404", "405", ""],
        ),
        (
            "an asterisk as target",
            get("GET * HTTP/1.1"),
            &["400", "404", "200", ""],
        ),
        ("no slash", get("GET v1/models HTTP/1.1"), REFUSED),
        ("two spaces", get("GET  /v1/models HTTP/1.1"), REFUSED),
        (
            "an unknown method",
            get("BREW /v1/models HTTP/1.1").replace("/v1/models", HIDDEN),
            &["200", "400", "404", "405"],
        ),
        (
            "an expectation",
            sized("\r\nExpect: 100-continue"),
            &["100 200", "200"],
        ),
        (
            "an unknown expectation",
            sized("\r\nExpect: 200-maybe"),
            &["200", "417"],
        ),
        (
            "an upgrade to h2c",
            get(
                "GET /v1/models HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
            ),
            &["200"],
        ),
        (
            "half a preface",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX".to_owned(),
            REFUSED,
        ),
        (
            "a preface later",
            sized("") + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            &["200 400", "200"],
        ),
        (
            "TLS",
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}".to_owned(),
            REFUSED,
        ),
        ("nothing but line ends", "\r\n\r\n\r\n".repeat(20), REFUSED),
    ]
}

#[tokio::test]
async fn no_form_of_a_request_is_understood_in_two_ways() {
    let stage = Stage::start().await;
    let address = stage.gateway.gateway.address();
    let cases = [framing(), chunk_forms(), heads()].concat();
    let play = |(name, bytes, allowed): Case| async move {
        let mut raw = Raw::open(address).await;
        raw.say(bytes.as_bytes()).await;
        let answer = raw.until_closed().await;
        let statuses = statuses(&answer);
        let offence = format!("{name}: {statuses:?} in {answer}");
        let is_allowed = allowed.contains(&statuses.as_str());
        let served = answer.matches("x-backstop-upstream: only").count();
        (served, (!is_allowed).then_some(offence))
    };
    let mut answered = 0;
    let mut offences = Vec::new();
    for some in cases.chunks(16) {
        for (served, offence) in join_all(some.iter().cloned().map(play)).await {
            answered += served;
            offences.extend(offence);
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n\n"));
    stage.upstream_has_got(answered);
    stage.is_unharmed().await;
}

/// The statuses of all answers.
fn statuses(answers: &str) -> String {
    let heads = answers.split("HTTP/1.").skip(1);
    let statuses = heads.filter_map(|head| head.get(2..5));
    let is_number = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    statuses.filter(is_number).collect::<Vec<_>>().join(" ")
}
