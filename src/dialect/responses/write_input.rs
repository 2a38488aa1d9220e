//! The turns of a conversation as the input of a request.

use std::collections::HashSet;

use super::items::{Content as Said, Item, Part as Shown};
use crate::dialect::conversation::{
    Api, BREAK, Call, CallResult, Content, Dropped, Field, Input, Media, NOTHING, Names, Part,
    Role, Thought, Turn, USUAL_DETAIL, Unsaid, continue_prompt, document_text, name_of_kind,
};

/// Writes items one after the other.
pub(super) struct Writer<'a> {
    /// The names of tools that are sent.
    pub(super) names: &'a mut Names,
    /// What is left out.
    pub(super) dropped: &'a mut Dropped,
    /// The role of instructions amid the conversation.
    pub(super) instructing: &'static str,
    items: Vec<Item>,
    /// The calls of custom tools.
    custom: HashSet<String>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        names: &'a mut Names,
        dropped: &'a mut Dropped,
        instructing: &'static str,
    ) -> Self {
        Self {
            names,
            dropped,
            instructing,
            items: Vec::new(),
            custom: HashSet::new(),
        }
    }

    /// The items of these turns.
    pub(super) fn write(mut self, turns: Vec<Turn>) -> Result<Vec<Item>, Unsaid> {
        for turn in turns {
            self.turn(turn)?;
        }
        // Nobody takes a request in which nothing is said.
        if self.items.is_empty() {
            self.items.push(Item::Message {
                role: "user",
                content: Said::Text(NOTHING.to_owned()),
            });
        }
        Ok(self.items)
    }

    fn turn(&mut self, turn: Turn) -> Result<(), Unsaid> {
        let role = turn.role;
        let last_said = turn
            .parts
            .iter()
            .rposition(|part| !matches!(part.content, Content::Thought(_)));
        let mut said = Vec::new();
        for (place, part) in turn.parts.into_iter().enumerate() {
            if part.cache.is_some() {
                self.dropped.field(Field::CacheControl);
            }
            match part.content {
                Content::Thought(thought) => {
                    self.say(role, &mut said);
                    // Reasoning that nothing follows is refused.
                    let is_followed = last_said.is_some_and(|last| place < last);
                    self.thought(thought, is_followed);
                }
                Content::Call(call) => {
                    self.say(role, &mut said);
                    self.call(call);
                }
                Content::Result(result) => {
                    self.say(role, &mut said);
                    self.result(result)?;
                }
                content => self.show(content, role, &mut said)?,
            }
        }
        self.say(role, &mut said);
        Ok(())
    }

    /// A message with what has been gathered for it.
    fn say(&mut self, role: Role, said: &mut Vec<Shown>) {
        if said.is_empty() {
            return;
        }
        let role = match role {
            Role::System => self.instructing,
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        self.items.push(match Said::of(std::mem::take(said)) {
            Said::Parts(content) if role == "assistant" => Item::Answer {
                id: format!("msg_{:04}", self.items.len()),
                role,
                status: "completed",
                content,
            },
            content => Item::Message { role, content },
        });
    }

    fn thought(&mut self, thought: Thought, is_followed: bool) {
        match thought.signature {
            Some(signature) if signature.of == Api::Responses && is_followed => {
                let summary = match thought.text {
                    text if text.is_empty() => Vec::new(),
                    text => vec![Shown::SummaryText { text }],
                };
                self.items.push(Item::Reasoning {
                    id: signature.id,
                    summary,
                    encrypted_content: signature.data,
                });
            }
            _ => self.dropped.field(Field::Thoughts),
        }
    }

    fn call(&mut self, call: Call) {
        let name = self.names.sent(&call.name, call.namespace.as_deref());
        let call_id = call.id;
        self.items.push(match call.input {
            Input::Json(arguments) => Item::FunctionCall {
                call_id,
                name,
                arguments,
            },
            Input::Text(input) => {
                self.custom.insert(call_id.clone());
                Item::CustomToolCall {
                    call_id,
                    name,
                    input,
                }
            }
        });
    }

    fn result(&mut self, result: CallResult) -> Result<(), Unsaid> {
        let mut parts = Vec::with_capacity(result.parts.len());
        for part in result.parts {
            self.show(part.content, Role::User, &mut parts)?;
        }
        // The API has no field for it.
        if result.is_error {
            match parts.first_mut() {
                Some(Shown::InputText { text }) => text.insert_str(0, "Error: "),
                _ => parts.insert(
                    0,
                    Shown::InputText {
                        text: "Error".to_owned(),
                    },
                ),
            }
        }
        let (call_id, output) = (result.id, Said::of(parts));
        self.items.push(if self.custom.contains(&call_id) {
            Item::CustomToolCallOutput { call_id, output }
        } else {
            Item::FunctionCallOutput { call_id, output }
        });
        Ok(())
    }

    /// Adds what is shown to a message or to a result.
    fn show(&mut self, content: Content, role: Role, said: &mut Vec<Shown>) -> Result<(), Unsaid> {
        let is_answer = role == Role::Assistant;
        match content {
            Content::Text(text) if text.is_empty() || is_answer && text == BREAK => {}
            Content::Text(text) if is_answer => said.push(Shown::OutputText {
                text,
                annotations: [],
            }),
            Content::Text(text) => said.push(Shown::InputText { text }),
            Content::Refusal(refusal) if is_answer => said.push(Shown::Refusal { refusal }),
            Content::Refusal(text) => said.push(Shown::InputText { text }),
            // The model made them; it has told what it wanted to.
            Content::Image { .. } | Content::Document { .. } | Content::Audio { .. }
                if is_answer =>
            {
                self.dropped.named("messages.content");
            }
            Content::Image { media, detail } => {
                let detail = detail.unwrap_or_else(|| USUAL_DETAIL.to_owned());
                let image_url = media.into_url();
                said.push(Shown::InputImage { image_url, detail });
            }
            Content::Document {
                media,
                name,
                context,
            } => document(media, name, context, said),
            Content::Audio { .. } => return Err(Unsaid("input_audio")),
            // They are items of their own, wherever they are.
            Content::Thought(_) | Content::Call(_) | Content::Result(_) => {}
        }
        Ok(())
    }
}

fn document(media: Media, name: Option<String>, context: Option<String>, said: &mut Vec<Shown>) {
    match media {
        Media::Text(text) => said.push(Shown::InputText {
            text: document_text(name, context, text),
        }),
        Media::Inline { .. } | Media::Url(_) => {
            said.extend(context.map(|text| Shown::InputText { text }));
            said.push(file(media, name));
        }
    }
}

fn file(media: Media, name: Option<String>) -> Shown {
    let (mut filename, mut file_data, mut file_url) = (None, None, None);
    match &media {
        Media::Inline { kind, .. } => {
            filename = Some(name.unwrap_or_else(|| name_of_kind(kind)));
            file_data = Some(media.into_url());
        }
        Media::Url(_) | Media::Text(_) => file_url = Some(media.into_url()),
    }
    Shown::InputFile {
        filename,
        file_data,
        file_url,
    }
}

/// The instructions at the beginning, and the rest of the turns. Without any other turn they are the input.
pub(super) fn split_instructions(turns: &mut Vec<Turn>) -> Option<String> {
    let count = turns.iter().take_while(|turn| is_instruction(turn)).count();
    if count == 0 || count == turns.len() {
        return None;
    }
    let parts = turns.drain(..count).flat_map(|turn| turn.parts);
    let texts = parts.filter_map(|part| match part.content {
        Content::Text(text) => Some(text).filter(|text| !text.is_empty()),
        _ => None,
    });
    let text = texts.collect::<Vec<_>>().join("\n\n");
    (!text.is_empty()).then_some(text)
}

fn is_instruction(turn: &Turn) -> bool {
    turn.role == Role::System && turn.parts.iter().all(|part| part.as_text().is_some())
}

/// The instruction to continue the beginning of an answer, which the API takes for history.
pub(super) fn continued(turns: &[Turn]) -> Option<Turn> {
    let last = turns.last().filter(|turn| turn.role == Role::Assistant)?;
    let prompt = continue_prompt(last.parts.last()?.as_text()?);
    Some(Turn {
        role: Role::User,
        parts: vec![Part::text(prompt)],
    })
}
