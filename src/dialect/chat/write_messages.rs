//! Writes the turns of a conversation as the messages of a chat.

use serde_json::Value;

use super::request_body::{Call, Called, FUNCTION, Message, Part, Said, Shown};
use super::write_parts::write_part;
use crate::catalogue::Quirks;
use crate::dialect::conversation::{
    Api, BREAK, CallResult, Content, Conversation, Dropped, Field, Input, NOTHING, Names,
    Part as Told, Role, SHOWN, Thought, Turn, Unsaid, as_arguments, form_of, reminder,
    thoughts::{NO_SIGNATURE, google, wants_signatures},
};

/// The assistant's message that is inserted between results of tools and a user's message.
const TAKEN_NOTE: &str = "OK.";

/// The messages while they are written.
pub(super) struct Transcript<'a> {
    pub(super) messages: Vec<Message>,
    quirks: &'a Quirks,
    origin: Api,
    signs_calls: bool,
    /// Whether caching marks mean something there.
    keeps_marks: bool,
    names: &'a mut Names,
    dropped: &'a mut Dropped,
    /// Whether some message with calls lacks the thoughts that led to them; `None`: there are no calls.
    pub(super) lacks_thoughts: Option<bool>,
}

impl<'a> Transcript<'a> {
    /// For a model of a provider with these quirks.
    pub(super) fn new(
        quirks: &'a Quirks,
        model: &str,
        origin: Api,
        names: &'a mut Names,
        dropped: &'a mut Dropped,
    ) -> Self {
        Self {
            messages: Vec::new(),
            quirks,
            origin,
            signs_calls: quirks.wants_signed_calls && wants_signatures(model),
            keeps_marks: !quirks.has_plain_turns && is_claude(model),
            names,
            dropped,
            lacks_thoughts: None,
        }
    }

    /// Writes all turns.
    pub(super) fn write(&mut self, conversation: &mut Conversation) -> Result<(), Unsaid> {
        let turns = std::mem::take(&mut conversation.turns);
        self.messages.reserve(2 * turns.len());
        let mut shown = Vec::new();
        for Turn { role, parts } in turns {
            if role != Role::System {
                self.show(std::mem::take(&mut shown));
            }
            match role {
                Role::System => shown.extend(self.instruct(parts)?),
                Role::User => self.question(parts)?,
                Role::Assistant => self.answer(parts),
            }
        }
        self.show(shown);
        // Nobody takes a request in which nothing is said.
        if self.messages.is_empty() {
            self.ask(Said::Text(NOTHING.to_owned()));
        }
        Ok(())
    }

    /// Adds to the instructions at the beginning.
    pub(super) fn explain(&mut self, texts: &[String]) {
        if texts.is_empty() {
            return;
        }
        let text = texts.join("\n\n");
        let first = self.messages.first_mut();
        match first.and_then(|first| first.said_by("system")) {
            Some(said) => said.add(Said::Text(text)),
            None => self.messages.insert(0, Message::text("system", text)),
        }
    }

    /// The templates of many models accept system messages at the beginning only: later ones become part of the user's
    /// message, marked in the way that coding agents use for models without system messages. Returns what is no text: only
    /// users can show something.
    fn instruct(&mut self, parts: Vec<Told>) -> Result<Vec<Part>, Unsaid> {
        let mut said = Vec::with_capacity(parts.len());
        for part in parts {
            said.extend(self.part(part)?);
        }
        let (texts, others): (Vec<Part>, Vec<Part>) = said.into_iter().partition(Part::is_text);
        if texts.is_empty() {
            return Ok(others);
        }
        let said = Said::of(texts, "\n\n");
        let is_beginning = self.messages.iter().all(|message| message.role == "system");
        if !is_beginning && !self.quirks.is_original() {
            let text = said.into_text();
            self.ask(Said::Text(reminder(&text)));
            return Ok(others);
        }
        match self.last_said_by("system") {
            Some(before) => before.add(said),
            None => self.messages.push(Message::new("system", Some(said))),
        }
        Ok(others)
    }

    fn last_said_by(&mut self, role: &str) -> Option<&mut Said> {
        self.messages.last_mut()?.said_by(role)
    }

    /// A part, with its mark if that means something there.
    fn part(&mut self, part: Told) -> Result<Option<Part>, Unsaid> {
        let cache_control = self.mark(part.cache);
        let shown = write_part(part.content, self.origin)?;
        Ok(shown.map(|shown| Part {
            shown,
            cache_control,
        }))
    }

    fn mark(&mut self, mark: Option<Value>) -> Option<Value> {
        self.dropped
            .keep(mark, Field::CacheControl, self.keeps_marks)
    }

    /// A user's turn: results come first, each in a message of its own; what they show is shown by the user.
    fn question(&mut self, parts: Vec<Told>) -> Result<(), Unsaid> {
        let mut shown = Vec::new();
        let mut said = Vec::new();
        for part in parts {
            match part.content {
                Content::Result(result) => {
                    let mark = self.mark(part.cache);
                    self.result(result, mark, &mut shown)?;
                }
                content => said.extend(self.part(Told { content, ..part })?),
            }
        }
        shown.append(&mut said);
        self.show(shown);
        Ok(())
    }

    /// Adds parts to the user's message.
    fn show(&mut self, parts: Vec<Part>) {
        if !parts.is_empty() {
            self.ask(Said::of(parts, "\n\n"));
        }
    }

    /// Adds to the user's message.
    fn ask(&mut self, said: Said) {
        if let Some(before) = self.last_said_by("user") {
            return before.add(said);
        }
        let is_answer = self.messages.last().is_some_and(|last| last.role == "tool");
        if is_answer && self.quirks.answers_tools {
            self.messages.push(Message::text("assistant", TAKEN_NOTE));
        }
        self.messages.push(Message::new("user", Some(said)));
    }

    fn result(
        &mut self,
        result: CallResult,
        mark: Option<Value>,
        shown: &mut Vec<Part>,
    ) -> Result<(), Unsaid> {
        let mut texts = Vec::new();
        let before = shown.len();
        for part in result.parts {
            match self.part(part)? {
                Some(text) if text.is_text() => texts.push(text),
                other => shown.extend(other),
            }
        }
        if texts.is_empty() && shown.len() > before {
            texts.push(Part::text(SHOWN));
        }
        if result.is_error {
            match texts.first_mut().map(|first| &mut first.shown) {
                Some(Shown::Text { text }) => text.insert_str(0, "Error: "),
                _ => texts.push(Part::text("Error")),
            }
        }
        if let (Some(last), Some(mark)) = (texts.last_mut(), mark) {
            last.cache_control = Some(mark);
        }
        let mut message = Message::new("tool", Some(Said::of(texts, "\n")));
        message.tool_call_id = Some(self.id(&result.id));
        self.messages.push(message);
        Ok(())
    }

    fn answer(&mut self, parts: Vec<Told>) {
        let mut text = String::new();
        let mut thoughts = String::new();
        let mut calls = Vec::new();
        let mut signed = None;
        let mut is_apart = false;
        for part in parts {
            if part.cache.is_some() {
                self.dropped.field(Field::CacheControl);
            }
            let is_said = matches!(part.content, Content::Text(_) | Content::Refusal(_));
            if is_said && is_apart && !text.is_empty() {
                text += BREAK;
            }
            is_apart = !is_said;
            match part.content {
                Content::Text(said) | Content::Refusal(said) if text.is_empty() => text = said,
                Content::Text(said) | Content::Refusal(said) => text += &said,
                Content::Call(call) => {
                    let name = self.names.sent(&call.name, call.namespace.as_deref());
                    let extra_content = signed.take().unwrap_or_default();
                    calls.push(self.call(call.id, name, call.input, extra_content));
                }
                Content::Thought(thought) => {
                    let proof = self.think(thought, &mut thoughts);
                    signed = proof.map(|proof| google(&proof)).or(signed);
                }
                // No model says these in a chat.
                Content::Image { .. } | Content::Document { .. } | Content::Audio { .. } => {
                    self.dropped.named("messages.content");
                }
                Content::Result(_) => {}
            }
        }
        if text.is_empty() && calls.is_empty() {
            return;
        }
        if self.signs_calls && calls.iter().all(|call| call.extra_content.is_null()) {
            for call in &mut calls {
                call.extra_content = google(NO_SIGNATURE);
            }
        }
        if !calls.is_empty() {
            let without = self.lacks_thoughts.unwrap_or(false);
            self.lacks_thoughts = Some(without || thoughts.is_empty());
        }
        let content = (!text.is_empty()).then_some(Said::Text(text));
        let mut message = Message::new("assistant", content);
        message.tool_calls = calls;
        message.reasoning_content = (!thoughts.is_empty()).then_some(thoughts);
        self.messages.push(message);
    }

    /// Only some take thoughts back; a thought of another API belongs to another provider. Returns what proves it, for Google,
    /// whose proofs go with the calls that follow.
    fn think(&mut self, thought: Thought, thoughts: &mut String) -> Option<String> {
        match thought.signature {
            Some(signature) if signature.of == Api::Chat && self.quirks.wants_signed_calls => {
                return Some(signature.data);
            }
            Some(signature) if signature.of != Api::Chat => {}
            _ if self.quirks.wants_thoughts_back => {
                thoughts.push_str(&thought.text);
                return None;
            }
            _ => {}
        }
        self.dropped.field(Field::Thoughts);
        None
    }

    fn call(&self, id: String, name: String, input: Input, extra_content: Value) -> Call {
        let arguments = match input {
            Input::Json(json) => json,
            Input::Text(text) => as_arguments(&text),
        };
        Call {
            id: self.id(&id),
            kind: FUNCTION,
            function: Called { name, arguments },
            extra_content,
        }
    }

    /// The id of a call, in a form that the provider accepts.
    fn id(&self, id: &str) -> String {
        form_of(self.quirks.call_ids)(id)
    }
}

/// Whether a model is Claude, behind whichever gateway: those hand its caching marks on (`OpenRouter`, `LiteLLM`,
/// Databricks).
fn is_claude(model: &str) -> bool {
    model.contains("claude")
}
