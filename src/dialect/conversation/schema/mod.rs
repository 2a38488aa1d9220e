//! JSON schemas, in the form that each API takes.

mod enforced;
mod fold;
mod keywords;
#[cfg(test)]
mod tests;

use std::mem::take;

use serde_json::{Map, Value};

pub use enforced::is_strict;
use fold::Folded;

use super::dropped::{Dropped, Field};

/// Whose rules the schema of a tool must keep to. All take JSON Schema of 2020-12 without what has no meaning there, whose root
/// describes an object, and whose arrays have items; anything else makes them refuse the whole request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taker {
    /// `OpenAI` and those that copy it: "schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at
    /// the top level".
    OpenAi,
    /// Anthropic: "`input_schema` does not support oneOf, allOf, or anyOf at the top level", "Property keys should match
    /// pattern '^[a-zA-Z0-9_.-]{1,64}$'".
    Anthropic,
}

impl Taker {
    /// What the root must not have. What has alternatives is merged into one object, the rest is told in the description.
    fn not_at_root(self) -> &'static [&'static str] {
        match self {
            Self::OpenAi => &["enum", "not"],
            Self::Anthropic => &[],
        }
    }

    /// Whether an argument may have this name.
    fn takes_name(self, name: &str) -> bool {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        self == Self::OpenAi || (1..=64).contains(&name.len()) && name.bytes().all(is_fine)
    }
}

/// The schema of a tool's arguments; what it cannot say there is told in the description.
pub fn of_tool(schema: Value, taker: Taker, description: &mut Option<String>) -> Value {
    let (schema, notes) = object(schema, taker);
    if !notes.is_empty() {
        let described = description.get_or_insert_default();
        if !described.is_empty() {
            described.push_str("\n\n");
        }
        described.push_str(&notes.join("\n"));
    }
    schema
}

/// The schema of an answer; `None`: it cannot be enforced there. `OpenAI` takes objects only.
pub fn of_answer(mut schema: Value, taker: Taker) -> Option<Value> {
    match taker {
        Taker::OpenAi => {
            if !may_be_object(&schema) {
                return None;
            }
            let (mut schema, notes) = object(schema, taker);
            if !notes.is_empty() {
                enforced::describe(schema.as_object_mut()?, &notes.join("\n"));
            }
            Some(schema)
        }
        Taker::Anthropic => {
            keywords::clean(&mut schema);
            if let Some(fields) = schema.as_object_mut()
                && !fields.contains_key("type")
                && fields.contains_key("properties")
            {
                fields.insert("type".to_owned(), "object".into());
            }
            enforced::is_acceptable(&schema).then(|| enforced::accepted(schema))
        }
    }
}

/// Whether a schema that is asked to be strict can be; that it cannot is noted.
pub fn keeps_strict(asked: Option<bool>, schema: &Value, dropped: &mut Dropped) -> bool {
    let strict = asked.filter(|is_strict| *is_strict);
    let is_taken = is_strict(schema);
    dropped.keep(strict, Field::Strict, is_taken).is_some()
}

/// A schema of an object, and what is not said in it.
fn object(schema: Value, taker: Taker) -> (Value, Vec<String>) {
    let Folded {
        mut fields,
        mut notes,
    } = fold::folded(schema);
    fields.insert("type".to_owned(), "object".into());
    let properties = fields
        .entry("properties")
        .or_insert_with(|| Map::new().into());
    if !properties.is_object() {
        *properties = Map::new().into();
    }
    for keyword in taker.not_at_root() {
        if let Some(value) = fields.shift_remove(*keyword) {
            notes.push(format!("{{{keyword}: {value}}}"));
        }
    }
    leave_open(&mut fields, taker, &mut notes);
    let mut schema = Value::Object(fields);
    keywords::clean(&mut schema);
    (schema, notes)
}

/// Arguments whose names are not accepted can be given all the same, if the model is told about them.
fn leave_open(fields: &mut Map<String, Value>, taker: Taker, notes: &mut Vec<String>) {
    let Some(Value::Object(properties)) = fields.get_mut("properties") else {
        return;
    };
    if properties.keys().all(|name| taker.takes_name(name)) {
        return;
    }
    let (taken, odd): (Map<_, _>, Map<_, _>) = take(properties)
        .into_iter()
        .partition(|(name, _)| taker.takes_name(name));
    *properties = taken;
    for (name, schema) in &odd {
        let name = Value::from(name.as_str());
        notes.push(format!("There is one more argument: {name}: {schema}"));
    }
    if let Some(Value::Array(required)) = fields.get_mut("required") {
        required.retain(|name| name.as_str().is_none_or(|name| !odd.contains_key(name)));
    }
    fields.shift_remove("additionalProperties");
}

/// Whether a schema describes objects, as far as its root tells.
fn may_be_object(schema: &Value) -> bool {
    let Some(fields) = schema.as_object() else {
        return false;
    };
    match fields.get("type") {
        None | Some(Value::Null) => {
            let branches = ["anyOf", "oneOf", "allOf"].into_iter();
            let mut branches = branches
                .filter_map(|name| schema[name].as_array())
                .flatten();
            fields.contains_key("properties")
                || fields.contains_key("$ref")
                || branches.any(is_branch)
        }
        Some(kind) => enforced::is_object(kind),
    }
}

/// Whether a branch says something about an object.
fn is_branch(branch: &Value) -> bool {
    let is_typed = enforced::is_object(&branch["type"]);
    is_typed
        || ["properties", "$ref", "anyOf", "oneOf", "allOf"]
            .iter()
            .any(|name| branch.get(name).is_some())
}
