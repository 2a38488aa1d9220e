//! JSON schemas, in the form that each API takes.

use serde_json::Value;

/// Whose rules a schema must keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taker {
    /// `OpenAI` and those that copy it.
    OpenAi,
    /// Anthropic.
    Anthropic,
}

/// The schema of a tool's arguments; what it cannot say there is told in the description.
pub fn of_tool(schema: Value, taker: Taker, description: &mut Option<String>) -> Value {
    let _ = (taker, description);
    schema
}

/// The schema of an answer; `None`: it cannot be enforced there.
pub fn of_answer(schema: Value, taker: Taker) -> Option<Value> {
    let _ = taker;
    Some(schema)
}

/// Whether `OpenAI` can enforce a schema strictly: every object is closed and requires all of its properties.
pub fn is_strict(schema: &Value) -> bool {
    let _ = schema;
    false
}
