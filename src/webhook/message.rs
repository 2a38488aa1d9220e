//! News in the form that a receiver wants.

use std::time::Duration;

use serde_json::{Value, json};

use super::news::{News, Subject};
use crate::config::NotifyFormat;

/// The version of the JSON form; it changes when a program that reads it would have to.
const VERSION: u32 = 1;
/// So many news are written out in one message; the others are counted.
const MOST: usize = 20;

/// The body of a message about some news.
pub(super) fn body(news: &[News], format: NotifyFormat) -> Value {
    match format {
        NotifyFormat::Json => json!({
            "version": VERSION,
            "source": "backstop",
            "text": text(news, News::text),
            "events": news.iter().take(MOST).map(event).collect::<Vec<_>>(),
            "more": news.len().saturating_sub(MOST),
        }),
        NotifyFormat::Slack => json!({
            "text": text(news, |news| {
                let sign = if news.is_good() { ":large_green_circle:" } else { ":red_circle:" };
                format!("{sign} {}", escaped(&news.text()))
            }),
        }),
    }
}

fn text(news: &[News], line: impl Fn(&News) -> String) -> String {
    let mut lines: Vec<String> = news.iter().take(MOST).map(line).collect();
    if news.len() > MOST {
        lines.push(format!("And {} more.", news.len() - MOST));
    }
    lines.join("\n")
}

/// Slack reads these three as the beginning of links and escapes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn event(news: &News) -> Value {
    let (upstream, model, route, key) = match &news.subject {
        Subject::Scope(scope) => (Some(&scope.upstream), scope.model.as_deref(), None, None),
        Subject::Network => (None, None, None, None),
        Subject::Clients(route) => (None, None, Some(route), None),
        Subject::AccountKey(account) => {
            let key = Some(account.key + 1);
            (Some(&account.upstream), account.model.as_deref(), None, key)
        }
    };
    json!({
        "kind": news.kind(),
        "at": format!("{:.0}", news.at),
        "since": format!("{:.0}", news.since),
        "lasted_ms": news.lasted.as_ref().map(Duration::as_millis).map(|ms| ms as u64),
        "upstream": upstream.map(AsRef::<str>::as_ref),
        "model": model,
        "key": key,
        "route": route.map(AsRef::<str>::as_ref),
        "cause": news.cause,
        "times": news.times,
        "requests": news.requests,
        "text": news.text(),
    })
}
