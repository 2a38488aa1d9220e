//! What a client has received so far of a stream that may have to be continued.

use serde_json::{Map, Value};

use crate::request::Endpoint;

/// A longer text is not kept, and not continued.
const LONGEST: usize = 1 << 20;

/// The text so far, and what identifies the answer that it belongs to.
#[derive(Clone, Debug)]
pub struct Transcript {
    endpoint: Endpoint,
    pub(super) text: String,
    /// Events with text; as many tokens, roughly.
    pub(super) tokens: u64,
    /// The usage that the upstream has reported.
    pub(super) usage: Value,
    /// What all chunks of a chat have in common; for Responses the response object.
    pub(super) identity: Map<String, Value>,
    pub(super) place: Place,
    obstacle: Option<&'static str>,
}

/// Where in a response its text is.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) item_id: Value,
    pub(super) output_index: u64,
    pub(super) content_index: u64,
    pub(super) sequence_number: u64,
}

impl Transcript {
    /// The transcript of a stream that has not started.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            text: String::new(),
            tokens: 0,
            usage: Value::Null,
            identity: Map::new(),
            place: Place::default(),
            obstacle: None,
        }
    }

    /// Why the answer so far cannot be continued.
    pub fn obstacle(&self) -> Option<&'static str> {
        if self.text.is_empty() {
            return Some("no text");
        }
        self.obstacle
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Notes an event that goes to the client.
    pub fn note(&mut self, data: &[u8]) {
        if self.obstacle.is_some() {
            return;
        }
        let Ok(Value::Object(event)) = serde_json::from_slice(data) else {
            return;
        };
        match self.endpoint {
            Endpoint::Responses => self.note_response_event(&event),
            _ => self.note_chunk(event),
        }
        if self.text.len() > LONGEST {
            self.obstacle = Some("too long");
        }
    }

    fn note_chunk(&mut self, mut chunk: Map<String, Value>) {
        if let Some(usage) = chunk.remove("usage").filter(|usage| !usage.is_null()) {
            self.usage = usage;
        }
        let choices = chunk.remove("choices").unwrap_or_default();
        let choices = choices.as_array().map_or(&[][..], Vec::as_slice);
        if self.identity.is_empty() {
            self.identity = chunk;
        }
        match choices {
            [] => {}
            [choice] if choice["index"].as_u64().unwrap_or(0) == 0 => self.note_choice(choice),
            _ => self.obstacle = Some("n"),
        }
    }

    fn note_choice(&mut self, choice: &Value) {
        if is_filled(&choice["logprobs"]) {
            self.obstacle = Some("logprobs");
        }
        if let Some(text) = choice["text"].as_str() {
            self.say(text);
        }
        let Some(delta) = choice["delta"].as_object() else {
            return;
        };
        for (field, value) in delta.iter().filter(|(_, value)| is_filled(value)) {
            match (field.as_str(), value) {
                ("role", _) => {}
                ("content", Value::String(text)) => self.say(text),
                ("tool_calls" | "function_call", _) => self.obstacle = Some("tools"),
                ("refusal", _) => self.obstacle = Some("refusal"),
                ("audio", _) => self.obstacle = Some("audio"),
                ("annotations", _) => self.obstacle = Some("citations"),
                (field, _) if field.starts_with("reasoning") || field == "thinking" => {
                    self.obstacle = Some("reasoning");
                }
                _ => self.obstacle = Some("unknown content"),
            }
        }
    }

    fn note_response_event(&mut self, event: &Map<String, Value>) {
        let field = |name: &str| event.get(name).unwrap_or(&Value::Null);
        let index = |name: &str| field(name).as_u64().unwrap_or(0);
        self.place.sequence_number = index("sequence_number");
        match field("type").as_str().unwrap_or_default() {
            "response.created" => {
                self.identity = field("response").as_object().cloned().unwrap_or_default();
            }
            "response.in_progress" | "response.queued" | "keepalive" => {}
            "response.output_item.added" => match field("item")["type"].as_str() {
                Some("message") => {
                    self.place.item_id = field("item")["id"].clone();
                    self.place.output_index = index("output_index");
                }
                Some("reasoning") => self.obstacle = Some("reasoning"),
                _ => self.obstacle = Some("tools"),
            },
            "response.content_part.added" if field("part")["type"] == "output_text" => {
                self.place.content_index = index("content_index");
            }
            "response.output_text.delta" => {
                if self.place.item_id.is_null() {
                    self.place.item_id = field("item_id").clone();
                }
                if let Some(text) = field("delta").as_str() {
                    self.say(text);
                }
            }
            "response.content_part.added" | "response.refusal.delta" => {
                self.obstacle = Some("refusal");
            }
            "response.output_text.annotation.added" => self.obstacle = Some("citations"),
            "response.output_text.done" => self.obstacle = Some("nothing left to say"),
            _ => self.obstacle = Some("unknown content"),
        }
    }

    fn say(&mut self, text: &str) {
        self.text.push_str(text);
        self.tokens += u64::from(!text.is_empty());
    }
}

pub(super) fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::Transcript;
    use crate::request::Endpoint;

    fn transcript_of(endpoint: Endpoint, events: &[&str]) -> Transcript {
        let mut transcript = Transcript::new(endpoint);
        for event in events {
            transcript.note(event.as_bytes());
        }
        transcript
    }

    #[test]
    fn text_is_kept_and_everything_else_is_an_obstacle() {
        let chat = |delta: &str| {
            let chunk = format!("{{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}");
            transcript_of(
                Endpoint::ChatCompletions,
                &[r#"{"choices":[{"delta":{"content":"Hello"}}]}"#, &chunk],
            )
        };
        let plain = chat(r#"{"content":" you","refusal":null}"#);
        assert_eq!((plain.text.as_str(), plain.tokens), ("Hello you", 2));
        assert_eq!(plain.obstacle(), None);
        for (delta, obstacle) in [
            (r#"{"tool_calls":[{}]}"#, "tools"),
            (r#"{"reasoning_content":"hm"}"#, "reasoning"),
            (r#"{"refusal":"no"}"#, "refusal"),
            (r#"{"audio":{"data":"x"}}"#, "audio"),
            (r#"{"annotations":[{}]}"#, "citations"),
            (r#"{"images":[1]}"#, "unknown content"),
        ] {
            assert_eq!(chat(delta).obstacle(), Some(obstacle), "{delta}");
        }
        assert_eq!(
            transcript_of(Endpoint::ChatCompletions, &[]).obstacle(),
            Some("no text")
        );
    }

    #[test]
    fn the_place_of_a_responses_text_is_remembered() {
        let transcript = transcript_of(
            Endpoint::Responses,
            &[
                r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1"}}"#,
                r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"message","id":"msg_1"}}"#,
                r#"{"type":"response.output_text.delta","sequence_number":7,"delta":"Hi","item_id":"msg_1"}"#,
            ],
        );
        assert_eq!(transcript.obstacle(), None);
        assert_eq!(transcript.place.item_id, "msg_1");
        assert_eq!(
            (
                transcript.place.output_index,
                transcript.place.sequence_number
            ),
            (1, 7)
        );
        assert_eq!(transcript.identity["id"], "resp_1");
    }
}
