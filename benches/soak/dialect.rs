//! The two APIs of the upstreams and the three of the clients, as far as this program writes and reads them.

use serde_json::{Value, json};

use crate::wish::Wish;

/// An API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Chat,
    Messages,
    Responses,
    /// A form with a file.
    Transcription,
}

impl Dialect {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Messages => "/v1/messages",
            Self::Responses => "/v1/responses",
            Self::Transcription => "/v1/audio/transcriptions",
        }
    }

    /// The API of a path.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let all = [
            Self::Chat,
            Self::Messages,
            Self::Responses,
            Self::Transcription,
        ];
        all.into_iter().find(|dialect| path == dialect.path())
    }

    /// The body of a request, with so many bytes of history.
    pub(crate) fn request(self, model: &str, wish: &Wish, streams: bool, history: usize) -> String {
        let prompt = format!("{} {}", wish.prompt(), "past ".repeat(history / 5));
        let message = json!([{"role": "user", "content": prompt}]);
        let body = match self {
            Self::Chat => json!({"model": model, "stream": streams, "messages": message}),
            Self::Messages => {
                json!({"model": model, "stream": streams, "max_tokens": 4096, "messages": message})
            }
            Self::Responses => {
                json!({"model": model, "stream": streams, "store": false, "input": prompt})
            }
            Self::Transcription => return form(model, &prompt),
        };
        body.to_string()
    }

    /// The whole answer of an upstream.
    pub(crate) fn whole(self, wish: &Wish) -> String {
        let text = wish.answer().concat();
        let body = match self {
            Self::Chat => json!({
                "id": format!("chatcmpl-{}", wish.number), "object": "chat.completion", "created": 1, "model": "m",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 9, "completion_tokens": wish.words, "total_tokens": 9 + wish.words},
            }),
            Self::Messages => json!({
                "id": format!("msg_{}", wish.number), "type": "message", "role": "assistant", "model": "m",
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
                "usage": {"input_tokens": 9, "output_tokens": wish.words},
            }),
            Self::Responses | Self::Transcription => json!({"text": text}),
        };
        body.to_string()
    }

    /// The events of a streamed answer: the first and the last ones frame those with the words.
    pub(crate) fn events(self, wish: &Wish) -> Vec<String> {
        let words = wish.answer();
        match self {
            Self::Messages => message_events(wish, &words),
            Self::Chat | Self::Responses | Self::Transcription => chat_events(wish, &words),
        }
    }

    /// The text of a whole answer.
    pub(crate) fn text(self, body: &[u8]) -> Option<String> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let text = match self {
            Self::Chat => &body["choices"][0]["message"]["content"],
            Self::Messages => &body["content"][0]["text"],
            Self::Responses => {
                let items = body["output"].as_array()?;
                let message = items.iter().find(|item| item["type"] == "message")?;
                &message["content"][0]["text"]
            }
            Self::Transcription => &body["text"],
        };
        text.as_str().map(str::to_owned)
    }

    /// The text of a streamed answer, and whether it has come to its right end.
    pub(crate) fn streamed(self, body: &[u8]) -> (String, Ending) {
        let (mut text, mut ending) = (String::new(), Ending::None);
        for line in String::from_utf8_lossy(body).lines() {
            let Some(data) = line.strip_prefix("data: ") else {
                continue;
            };
            if data == "[DONE]" {
                ending = ending.or(Ending::Whole);
                continue;
            }
            let Ok(event) = serde_json::from_str::<Value>(data) else {
                return (text, Ending::None);
            };
            let kind = event["type"].as_str().unwrap_or_default();
            if !event["error"].is_null() || kind == "error" || kind == "response.failed" {
                ending = Ending::Error;
            }
            if kind == "message_stop" || kind == "response.completed" {
                ending = ending.or(Ending::Whole);
            }
            let delta = match self {
                Self::Chat | Self::Transcription => &event["choices"][0]["delta"]["content"],
                Self::Messages => &event["delta"]["text"],
                Self::Responses if kind == "response.output_text.delta" => &event["delta"],
                Self::Responses => &Value::Null,
            };
            text += delta.as_str().unwrap_or_default();
        }
        (text, ending)
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It did not say that it ends.
    None,
    Whole,
    Error,
}

impl Ending {
    fn or(self, other: Self) -> Self {
        if self == Self::None { other } else { self }
    }
}

/// What separates the parts of a form.
pub(crate) const BOUNDARY: &str = "soak-boundary";

fn form(model: &str, prompt: &str) -> String {
    format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--{BOUNDARY}\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\ncontent-type: audio/wav\r\n\r\n{prompt}\r\n\
         --{BOUNDARY}--\r\n"
    )
}

fn chat_events(wish: &Wish, words: &[String]) -> Vec<String> {
    let chunk = |delta: Value, finish: Value| {
        let chunk = json!({
            "id": format!("chatcmpl-{}", wish.number), "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        });
        format!("data: {chunk}\n\n")
    };
    let begin = chunk(json!({"role": "assistant", "content": ""}), Value::Null);
    let words = words
        .iter()
        .map(|word| chunk(json!({"content": word}), Value::Null));
    let end = chunk(json!({}), json!("stop")) + "data: [DONE]\n\n";
    std::iter::once(begin).chain(words).chain([end]).collect()
}

fn message_events(wish: &Wish, words: &[String]) -> Vec<String> {
    let event = |data: Value| {
        let name = data["type"].as_str().unwrap_or_default();
        format!("event: {name}\ndata: {data}\n\n")
    };
    let begin = event(json!({"type": "message_start", "message": {
        "id": format!("msg_{}", wish.number), "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 1}}}))
        + &event(
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        );
    let words = words.iter().map(|word| {
        event(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}))
    });
    let end = event(json!({"type": "content_block_stop", "index": 0}))
        + &event(
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
                "usage": {"output_tokens": wish.words}}),
        )
        + &event(json!({"type": "message_stop"}));
    std::iter::once(begin).chain(words).chain([end]).collect()
}
