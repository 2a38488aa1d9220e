//! `GET /incidents.atom`: the incidents as an Atom feed (RFC 4287), made of what `/api/incidents` says.

use std::fmt::Write;

use http::header::HeaderValue;
use http::{Response, StatusCode};
use serde_json::Value;

use super::badge::escaped;
use super::respond;
use crate::wire::body::Body;

/// A feed of these incidents. `host` is where this backstop was asked, `now` is RFC 3339.
pub(super) fn answer(incidents: &[Value], host: &str, now: &str) -> Response<Body> {
    let atom = HeaderValue::from_static("application/atom+xml; charset=utf-8");
    respond::with_type(StatusCode::OK, atom, document(incidents, host, now))
}

fn document(incidents: &[Value], host: &str, now: &str) -> String {
    let host = escaped(host);
    let changes = incidents.iter().map(changed_at);
    let updated = changes.max().unwrap_or(now);
    let mut feed = format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
<title>Incidents that backstop saw</title>
<id>tag:{host},2026:backstop</id>
<link rel="self" type="application/atom+xml" href="http://{host}/incidents.atom"/>
<link rel="alternate" type="text/html" href="http://{host}/"/>
<updated>{updated}</updated>
<author><name>backstop</name></author>
"#
    );
    for incident in incidents {
        entry(&mut feed, incident, &host);
    }
    feed + "</feed>\n"
}

/// Without the port: a tag names who gave it (RFC 4151), and a feed is the same one at another port.
fn entry(feed: &mut String, incident: &Value, host: &str) {
    let (what, ended) = (title(incident), incident["ended_at"].as_str());
    let title = match ended {
        Some(_) => format!("{what}: over"),
        None => what,
    };
    let id = &incident["id"];
    let (started, updated) = (text(&incident["started_at"]), changed_at(incident));
    // Writing to a string cannot fail.
    let _ = write!(
        feed,
        r#"<entry>
<title>{}</title>
<id>tag:{host},2026:backstop/incident/{id}</id>
<link rel="alternate" type="text/html" href="http://{host}/#incidents"/>
<published>{started}</published>
<updated>{updated}</updated>
<content type="text">{}</content>
</entry>
"#,
        escaped(&title),
        escaped(&content(incident)),
    );
}

fn title(incident: &Value) -> String {
    let cause = text(&incident["cause"]).replace('_', " ");
    match (incident["upstream"].as_str(), incident["model"].as_str()) {
        (Some(upstream), Some(model)) => format!("{model} at {upstream} was down ({cause})"),
        (Some(upstream), None) => format!("{upstream} was down ({cause})"),
        (None, _) => format!("Our own network was lost ({cause})"),
    }
}

fn content(incident: &Value) -> String {
    let number = |name: &str| incident[name].as_u64().unwrap_or_default();
    let ended = incident["ended_at"].as_str().unwrap_or("it goes on");
    let words = incident["words"].as_str();
    let words = words.map(|words| format!(" It said: {words}"));
    format!(
        "From {} until {ended}. {} attempts failed, {} requests were answered elsewhere, {} requests of clients failed.{}",
        text(&incident["started_at"]),
        number("requests"),
        number("moved"),
        number("noticed"),
        words.unwrap_or_default(),
    )
}

fn changed_at(incident: &Value) -> &str {
    let ended = incident["ended_at"].as_str();
    ended.unwrap_or_else(|| text(&incident["started_at"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::document;

    #[test]
    fn a_feed_has_what_the_rfc_wants_and_nothing_breaks_out_of_it() {
        let incident = json!({"id": 7, "upstream": "openai", "model": "<gpt>", "cause": "overloaded",
            "words": "a & b\u{0}\u{ffff} ]]>", "started_at": "2026-11-27T20:00:00Z", "ended_at": null,
            "requests": 40, "moved": 120, "noticed": 2});
        let feed = document(&[incident], "127.0.0.1:4001", "2026-11-27T21:00:00Z");
        for part in [
            "<updated>2026-11-27T20:00:00Z</updated>",
            "<title>&lt;gpt&gt; at openai was down (overloaded)</title>",
            "<author><name>backstop</name></author>",
            "It said: a &amp; b   ]]&gt;",
            "120 requests were answered elsewhere",
        ] {
            assert!(feed.contains(part), "{part}: {feed}");
        }
        let empty = document(&[], "127.0.0.1:4001", "2026-11-27T21:00:00Z");
        assert!(
            empty.contains("<updated>2026-11-27T21:00:00Z</updated>"),
            "{empty}"
        );
    }
}
