//! Writes turns and their blocks.

use serde_json::value::RawValue;

use super::media::{document, image};
use super::wire::{Block, Message, Request, Said};
use crate::dialect::conversation::{
    Api, Call, CallResult, Content, Dropped, Field, Input, NOTHING, Names, Part, Role, Signature,
    Thought, Turn, Unsaid, as_arguments,
};

/// Writes turns into a request.
pub(super) struct Turns<'a> {
    /// The names of tools.
    pub(super) names: &'a mut Names,
    /// What is left out.
    pub(super) dropped: &'a mut Dropped,
    /// Whether the model takes messages of the system amid the conversation.
    pub(super) takes_system_amid: bool,
}

impl Turns<'_> {
    /// Writes all turns. The instructions at the beginning are the system's; at the front, later ones would invalidate the
    /// cache of what precedes them.
    pub(super) fn write(&mut self, turns: Vec<Turn>, request: &mut Request) -> Result<(), Unsaid> {
        let mut turns = turns.into_iter().peekable();
        let mut shown = Vec::new();
        while let Some(turn) = turns.next_if(|turn| turn.role == Role::System) {
            let (texts, others) = self.instructions(turn.parts)?;
            request.system.extend(texts);
            shown.extend(others);
        }
        let messages = &mut request.messages;
        add("user", shown, messages);
        while let Some(turn) = turns.next() {
            if turn.role != Role::Assistant {
                self.end_answer(messages);
            }
            match turn.role {
                Role::User => {
                    let mut blocks = self.blocks(turn.parts, Role::User)?;
                    let has_more = messages.last().is_some_and(|last| last.role == "user")
                        || turns.peek().is_some_and(|next| next.role == Role::System);
                    if blocks.is_empty() && !has_more {
                        blocks.push(Block::text(NOTHING));
                    }
                    add("user", blocks, messages);
                }
                Role::Assistant => {
                    let blocks = self.blocks(turn.parts, Role::Assistant)?;
                    add("assistant", blocks, messages);
                }
                Role::System => {
                    let mut parts = turn.parts;
                    while let Some(more) = turns.next_if(|turn| turn.role == Role::System) {
                        parts.extend(more.parts);
                    }
                    let is_last = turns.peek().is_none_or(|next| next.role == Role::Assistant);
                    self.instruct(parts, is_last, messages)?;
                }
            }
        }
        self.end_answer(messages);
        if messages.first().is_none_or(|first| first.role != "user") {
            messages.insert(0, Message::new("user", vec![Block::text(NOTHING)]));
        }
        Ok(())
    }

    /// Takes thoughts that nothing follows off the assistant's message: an answer that broke off behind them has left them, and
    /// they are refused.
    fn end_answer(&mut self, messages: &mut Vec<Message>) {
        let Some(last) = messages.pop_if(|last| last.role == "assistant") else {
            return;
        };
        let mut content = last.content;
        while content.pop_if(|block| block.is_thought()).is_some() {
            self.dropped.field(Field::Thoughts);
        }
        add("assistant", content, messages);
    }

    /// A later instruction. It may stand only between a user's message and the answer, else it becomes part of the user's
    /// message.
    fn instruct(
        &mut self,
        parts: Vec<Part>,
        is_before_answer: bool,
        messages: &mut Vec<Message>,
    ) -> Result<(), Unsaid> {
        let (texts, others) = self.instructions(parts)?;
        add("user", others, messages);
        let is_behind_user = messages.last().is_some_and(|last| last.role == "user");
        let role = match self.takes_system_amid && is_behind_user && is_before_answer {
            true => "system",
            false => "user",
        };
        add(role, texts, messages);
        Ok(())
    }

    /// The texts of instructions, and what else is in them.
    fn instructions(&mut self, parts: Vec<Part>) -> Result<(Vec<Block>, Vec<Block>), Unsaid> {
        let blocks = self.blocks(parts, Role::System)?;
        Ok(blocks
            .into_iter()
            .partition(|block| matches!(block.said, Said::Text { .. })))
    }

    fn blocks(&mut self, parts: Vec<Part>, role: Role) -> Result<Vec<Block>, Unsaid> {
        let mut blocks = Vec::with_capacity(parts.len());
        for part in parts {
            let said = self.said(part.content, role)?;
            blocks.extend(said.map(|said| Block::new(said, part.cache)));
        }
        Ok(blocks)
    }

    /// `None`: it is left out, or there is nothing in it, which is not accepted.
    fn said(&mut self, content: Content, role: Role) -> Result<Option<Said>, Unsaid> {
        Ok(match content {
            Content::Text(text) | Content::Refusal(text) => {
                says_something(&text).then_some(Said::Text { text })
            }
            Content::Image { .. } | Content::Document { .. } if role == Role::Assistant => {
                // Only users can show something.
                self.dropped.named("content");
                None
            }
            Content::Image { media, detail } => {
                self.dropped.keep(detail, Field::Detail, false);
                Some(image(media)?)
            }
            Content::Document {
                media,
                name,
                context,
            } => document(media, name, context)?,
            Content::Audio { .. } => return Err(Unsaid("audio")),
            Content::Thought(thought) => self.thought(thought),
            Content::Call(call) => Some(self.call(call)),
            Content::Result(result) => Some(self.result(result)?),
        })
    }

    /// Only its provider accepts a thought, and only as it signed it.
    fn thought(&mut self, thought: Thought) -> Option<Said> {
        match thought.signature {
            Some(Signature {
                of: Api::Messages,
                data,
                is_redacted,
                ..
            }) => Some(match is_redacted {
                true => Said::RedactedThinking { data },
                false => Said::Thinking {
                    thinking: thought.text,
                    signature: data,
                },
            }),
            Some(_) | None => {
                self.dropped.field(Field::Thoughts);
                None
            }
        }
    }

    fn call(&mut self, call: Call) -> Said {
        let arguments = match call.input {
            Input::Json(arguments) => arguments,
            Input::Text(text) => as_arguments(&text),
        };
        Said::ToolUse {
            id: call.id,
            name: self.names.sent(&call.name, call.namespace.as_deref()),
            // By now they are the JSON of an object.
            input: RawValue::from_string(arguments).unwrap_or_else(|_| RawValue::NULL.to_owned()),
        }
    }

    fn result(&mut self, result: CallResult) -> Result<Said, Unsaid> {
        let mut content = self.blocks(result.parts, Role::User)?;
        if content.is_empty() {
            content.push(Block::text(NOTHING));
        }
        Ok(Said::ToolResult {
            tool_use_id: result.id,
            is_error: result.is_error,
            content,
        })
    }
}

/// Adds blocks to the last message if its role is the same, else as a new message.
fn add(role: &'static str, blocks: Vec<Block>, messages: &mut Vec<Message>) {
    if blocks.is_empty() {
        return;
    }
    match messages.last_mut().filter(|last| last.role == role) {
        Some(last) => last.content.extend(blocks),
        None => messages.push(Message::new(role, blocks)),
    }
}

/// White space alone is rejected.
fn says_something(text: &str) -> bool {
    !text.trim().is_empty()
}
