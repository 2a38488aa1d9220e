//! Reads the messages of a chat.

use serde_json::Value;

use super::read_content::texts_of;
use super::read_parts::{Strange, read_parts};
use crate::dialect::conversation::fields::{
    Object, object, said, says_something, take, take_arguments, take_list, take_object, take_text,
    take_words,
};
use crate::dialect::conversation::{
    Api, Call, Content, Dropped, Input, Part, Role, Signature, Thought, Turn, Unsaid,
};

/// Reads the messages. What one side says in several messages is one turn, but system messages stay apart.
pub(super) fn read_turns(messages: Vec<Value>, dropped: &mut Dropped) -> Result<Vec<Turn>, Unsaid> {
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    for message in messages {
        let mut message = object(message);
        let (role, mut parts) = read_message(&mut message, dropped)?;
        let mark = said(take(&mut message, "cache_control"));
        if let (Some(last), Some(mark)) = (parts.last_mut(), mark) {
            last.cache.get_or_insert(mark);
        }
        name_rest(&message, dropped);
        Turn::push(&mut turns, role, parts);
    }
    Ok(turns)
}

fn read_message(message: &mut Object, dropped: &mut Dropped) -> Result<(Role, Vec<Part>), Unsaid> {
    let role = take_text(message, "role").unwrap_or_default();
    Ok(match role.as_str() {
        "system" | "developer" => (Role::System, said_by_client(message, dropped)?),
        "assistant" => (Role::Assistant, answer(message, dropped)?),
        "tool" => {
            let id = take_text(message, "tool_call_id").unwrap_or_default();
            take(message, "name");
            (Role::User, vec![result(id, message, dropped)?])
        }
        "function" => {
            let name = take_text(message, "name").unwrap_or_default();
            (
                Role::User,
                vec![result(id_of_function(&name), message, dropped)?],
            )
        }
        _ => (Role::User, said_by_client(message, dropped)?),
    })
}

fn said_by_client(message: &mut Object, dropped: &mut Dropped) -> Result<Vec<Part>, Unsaid> {
    read_parts(take(message, "content"), Strange::Refused, dropped)
}

fn result(id: String, message: &mut Object, dropped: &mut Dropped) -> Result<Part, Unsaid> {
    let parts = read_parts(take(message, "content"), Strange::Told, dropped)?;
    Ok(Part::result(id, parts, false))
}

/// The older function calls have no ids.
fn id_of_function(name: &str) -> String {
    format!("call_{name}")
}

fn answer(message: &mut Object, dropped: &mut Dropped) -> Result<Vec<Part>, Unsaid> {
    let mut parts = Vec::new();
    if let Some(text) = thought(message, dropped) {
        parts.push(Part::new(Content::Thought(Thought {
            text,
            signature: None,
        })));
    }
    parts.extend(read_parts(
        take(message, "content"),
        Strange::LeftOut,
        dropped,
    )?);
    if let Some(refusal) = take_words(message, "refusal") {
        parts.push(Part::new(Content::Refusal(refusal)));
    }
    let calls = take_list(message, "tool_calls");
    let older = take_object(message, "function_call");
    // llama-cpp-python says each call in both ways.
    let has_older = calls.is_empty() && !older.is_empty();
    parts.extend(calls.into_iter().flat_map(call));
    if has_older {
        parts.push(function_call(older));
    }
    // A mark of `DeepSeek` and Mistral: whatever ends with an answer is to be continued.
    take(message, "prefix");
    audio(message, &mut parts, dropped)?;
    Ok(parts)
}

/// Earlier audio is stored at the provider that made it; some clients send back what was said.
fn audio(message: &mut Object, parts: &mut Vec<Part>, dropped: &mut Dropped) -> Result<(), Unsaid> {
    let mut audio = take_object(message, "audio");
    if audio.is_empty() {
        return Ok(());
    }
    match take_text(&mut audio, "transcript") {
        Some(said) => parts.push(Part::text(said)),
        None if parts.is_empty() => return Err(Unsaid("audio")),
        None => {}
    }
    dropped.named("messages.audio");
    Ok(())
}

/// What the model thought, under any of the usual names. Several of them say the same.
fn thought(message: &mut Object, dropped: &mut Dropped) -> Option<String> {
    let names = ["reasoning_content", "reasoning", "thinking"];
    let texts = names.map(|name| take_words(message, name));
    let details = take_list(message, "reasoning_details");
    let sent = texts.into_iter().flatten().next();
    sent.or_else(|| {
        if details.is_empty() {
            return None;
        }
        let text: String = details.iter().map(texts_of).collect();
        if text.is_empty() {
            dropped.named("messages.reasoning_details");
        }
        (!text.is_empty()).then_some(text)
    })
}

/// A call, and what proves the thought that led to it.
fn call(call: Value) -> impl Iterator<Item = Part> {
    let mut call = object(call);
    let mut google = take_object(&mut take_object(&mut call, "extra_content"), "google");
    let data = take_text(&mut google, "thought_signature").unwrap_or_default();
    let proof = Signature::of(Api::Chat, &data, false).map(|signature| {
        Part::new(Content::Thought(Thought {
            text: String::new(),
            signature: Some(signature),
        }))
    });
    let id = take_text(&mut call, "id").unwrap_or_default();
    let mut custom = take_object(&mut call, "custom");
    let (name, input) = if custom.is_empty() {
        let mut function = take_object(&mut call, "function");
        (take_text(&mut function, "name"), arguments(&mut function))
    } else {
        let input = take_text(&mut custom, "input").unwrap_or_default();
        (take_text(&mut custom, "name"), Input::Text(input))
    };
    let call = Part::new(Content::Call(Call {
        id,
        name: name.unwrap_or_default(),
        namespace: None,
        input,
    }));
    proof.into_iter().chain([call])
}

fn function_call(mut function: Object) -> Part {
    let name = take_text(&mut function, "name").unwrap_or_default();
    Part::new(Content::Call(Call {
        id: id_of_function(&name),
        input: arguments(&mut function),
        name,
        namespace: None,
    }))
}

fn arguments(function: &mut Object) -> Input {
    Input::Json(take_arguments(function, "arguments"))
}

/// Names the fields that nobody has taken.
fn name_rest(message: &Object, dropped: &mut Dropped) {
    for (field, value) in message {
        if says_something(value) {
            dropped.named(&format!("messages.{field}"));
        }
    }
}
