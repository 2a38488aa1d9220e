//! A client that asks the same question again and again, of the proxy or of a provider.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::Value;
use tokio::time::Instant;

use crate::cli::ask::{ask_within, client};
use crate::upstream::Client;
use crate::wire::headers::JSON;
use crate::wire::upload::Upload;

const QUESTION: &str =
    r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;
/// How long such a client waits for the end of an answer.
const PATIENCE: Duration = Duration::from_secs(8);

/// Who is asked.
#[derive(Clone)]
pub(super) struct Asker {
    client: Client,
    url: String,
}

/// An answer that came in full.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) text: String,
    /// Which upstream the proxy names.
    pub(super) by: Option<String>,
    pub(super) took: Duration,
}

/// An answer, or why there is none.
pub(super) type Asked = Result<Answer, String>;

/// What came of the questions that somebody was asked.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) answered: usize,
    pub(super) failed: usize,
    pub(super) last: Option<Asked>,
}

impl Count {
    pub(super) fn note(&mut self, asked: Asked) {
        match &asked {
            Ok(_) => self.answered += 1,
            Err(_) => self.failed += 1,
        }
        self.last = Some(asked);
    }

    /// The last answer, or why there was none.
    pub(super) fn last_words(&self) -> String {
        match &self.last {
            None => "nothing yet".to_owned(),
            Some(Ok(answer)) => format!("\"{}\"", answer.text),
            Some(Err(reason)) => format!("nothing: {reason}"),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            answered, failed, ..
        } = self;
        let asked = answered + failed;
        write!(f, "{asked} requests, {answered} answered, {failed} failed")
    }
}

impl Asker {
    pub(super) fn of(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self {
            client: client(address)?,
            url: format!("http://{address}/v1/chat/completions"),
        })
    }

    pub(super) async fn ask(&self) -> Asked {
        let asked_at = Instant::now();
        let answered = self.question().await;
        let (text, by) = answered.map_err(|error| in_words(&error))?;
        Ok(Answer {
            text,
            by,
            took: asked_at.elapsed(),
        })
    }

    async fn question(&self) -> anyhow::Result<(String, Option<String>)> {
        let request = Request::post(&self.url)
            .header(CONTENT_TYPE, JSON)
            .body(Upload::from(Bytes::from_static(QUESTION.as_bytes())))?;
        let (head, body) = ask_within(PATIENCE, &self.client, request).await?;
        if !head.status.is_success() {
            let error: Value = serde_json::from_slice(&body).unwrap_or_default();
            let words = error["error"]["message"].as_str().unwrap_or_default();
            bail!("{} {words}", head.status.as_u16());
        }
        let by = head.headers.get("x-backstop-upstream");
        let by = by.and_then(|name| Some(name.to_str().ok()?.to_owned()));
        Ok((text_of(&String::from_utf8_lossy(&body))?, by))
    }
}

/// An error without what only programmers want to know.
fn in_words(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    match text.split_once(": error reading") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

/// The text of a stream of chunks.
fn text_of(stream: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    for data in stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
    {
        if data == "[DONE]" {
            return Ok(text);
        }
        let chunk: Value = serde_json::from_str(data).context("the stream is no JSON")?;
        if let Some(message) = chunk["error"]["message"].as_str() {
            bail!("the answer broke off: {message}");
        }
        text += chunk["choices"][0]["delta"]["content"]
            .as_str()
            .unwrap_or_default();
    }
    bail!(
        "the answer broke off after {} words",
        text.split_whitespace().count()
    )
}

#[cfg(test)]
mod tests {
    use super::text_of;

    #[test]
    fn an_answer_is_whole_or_none() {
        let piece = "data: {\"choices\":[{\"delta\":{\"content\":\"one two\"}}]}\n\n";
        assert_eq!(
            text_of(&format!("{piece}{piece}data: [DONE]\n\n")).unwrap(),
            "one twoone two"
        );
        assert!(
            text_of(piece)
                .unwrap_err()
                .to_string()
                .contains("after 2 words")
        );
        assert!(text_of("data: {\"error\":{\"message\":\"gone\"}}\n\n").is_err());
    }
}
