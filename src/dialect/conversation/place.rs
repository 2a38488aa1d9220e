//! Where in a stream its client is: what a writer must know to go on with it.

use serde_json::Value;

use super::answer::Begin;

/// Where in a stream its client is.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// How the answer began.
    pub begin: Begin,
    /// How many calls have begun.
    pub calls: usize,
    /// The block or item that is open.
    pub open: Option<OpenPart>,
    /// The number of the block or item that is open, else of the next one.
    pub index: usize,
    /// The items that are complete, where the end of the answer repeats them.
    pub output: Vec<Value>,
    /// The number of the next event, where events are numbered.
    pub number: u64,
    /// What the client has behind which nobody else can go on.
    pub obstacle: Option<&'static str>,
}

/// A block or an item whose beginning the client has.
#[derive(Clone, Debug, Default)]
pub struct OpenPart {
    /// Its id, where it has one.
    pub id: String,
    /// Whether it is a thought; else it is a text.
    pub is_thought: bool,
    /// Its parts that are complete, where it has several.
    pub parts: Vec<Value>,
    /// What the client has of the text of its open part, where the end of that repeats it.
    pub text: String,
    /// Whether a part is open: more of it can be told, and its end.
    pub is_ready: bool,
}
