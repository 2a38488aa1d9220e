//! Numbers the calls of a stream, whose pieces may lack what tells them apart, and puts their names together.

use super::chunk::CallPart;
use crate::dialect::conversation::lenient::TextOrJson;

/// The calls of one answer so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    known: Vec<Known>,
    /// The number of the older `function_call`, of which an answer has one.
    older: Option<usize>,
}

/// What is known of a call; its place in the list is its number.
#[derive(Debug, Default)]
struct Known {
    /// The index that the upstream gave it; its number, if it gave none.
    index: Option<u64>,
    id: String,
    name: String,
    arguments: Shape,
    has_arguments: bool,
}

impl Calls {
    /// The number of the call that a piece belongs to. `is_first`: it is the first one in its chunk.
    ///
    /// `OpenAI` numbers the calls, and names each in its first piece. Gemini has been seen to give every call the index 0,
    /// old versions of vLLM gave each piece another id, others leave out ids or indexes, or repeat the name. So another
    /// id with a name begins another call, and so does a name where the arguments of the last one are whole.
    pub(super) fn number(&mut self, part: &CallPart<'_>, is_first: bool) -> usize {
        let (id, index) = (part.id.as_text(), part.index.as_count());
        let function = part.function.0.as_ref();
        let name = function.map_or("", |function| function.name.as_text());
        let has_arguments = function.is_some_and(|function| !is_empty(&function.arguments));
        let is_it = |call: &Known| call.id == id && (index.is_none() || call.index == index);
        let known = match id {
            "" => None,
            _ => self.known.iter().rposition(is_it),
        };
        // An id that is known already needs no further thought.
        let place = known.or_else(|| {
            let last = match index {
                Some(_) => self.known.iter().rposition(|call| call.index == index),
                None => self
                    .known
                    .len()
                    .checked_sub(1)
                    .filter(|_| is_first || !id.is_empty()),
            };
            last.filter(|place| self.known[*place].goes_on(id, name, has_arguments))
        });
        let place = place.unwrap_or_else(|| {
            let number = self.known.len();
            self.known.push(Known {
                index: index.or(Some(number as u64)),
                ..Known::default()
            });
            number
        });
        let call = &mut self.known[place];
        call.learn(id, name);
        if let Some(function) = function {
            call.arguments.see(&function.arguments);
            call.has_arguments |= has_arguments;
        }
        place
    }

    /// All that has come of a call's name. Gemini and Mistral have been seen to send names in pieces, as `OpenAI`'s SDK for
    /// Python takes them.
    pub(super) fn name(&self, number: usize) -> &str {
        self.known.get(number).map_or("", |call| &call.name)
    }

    /// The number of the older `function_call`.
    pub(super) fn older(&mut self) -> usize {
        let number = self.older.unwrap_or(self.known.len());
        if self.older.is_none() {
            self.older = Some(number);
            self.known.push(Known::default());
        }
        number
    }

    /// The number of a call of which nothing else comes.
    pub(super) fn next(&mut self) -> usize {
        self.known.push(Known::default());
        self.known.len() - 1
    }
}

impl Known {
    /// Whether a piece may be a further one of this call.
    fn goes_on(&self, id: &str, name: &str, has_arguments: bool) -> bool {
        let is_other_id = !id.is_empty() && !self.id.is_empty() && id != self.id;
        let is_other_name = !name.is_empty() && !self.name.is_empty() && name != self.name;
        let is_whole = self.arguments.is_whole();
        if is_other_id {
            return name.is_empty() && !is_whole;
        }
        if is_other_name {
            // Who gives ids gives another one to another call.
            return id.is_empty() && !self.id.is_empty() && !self.has_arguments;
        }
        // The same name once more: another call, if this one has all it needs.
        let is_repeated = !name.is_empty() && name == self.name && id.is_empty();
        !(is_repeated && is_whole && has_arguments)
    }

    fn learn(&mut self, id: &str, name: &str) {
        if self.id.is_empty() {
            id.clone_into(&mut self.id);
        }
        if name.starts_with(&self.name) {
            name.clone_into(&mut self.name);
        } else if !self.has_arguments {
            self.name += name;
        }
    }
}

fn is_empty(arguments: &TextOrJson<'_>) -> bool {
    match arguments {
        TextOrJson::Nothing => true,
        TextOrJson::Text(text) => text.trim().is_empty(),
        TextOrJson::Json(_) => false,
    }
}

/// How far the JSON of an object has come.
#[derive(Debug, Default)]
struct Shape {
    depth: usize,
    is_in_text: bool,
    is_escaped: bool,
    has_closed: bool,
}

impl Shape {
    fn see(&mut self, arguments: &TextOrJson<'_>) {
        match arguments {
            TextOrJson::Nothing => {}
            TextOrJson::Text(text) => text.bytes().for_each(|byte| self.see_byte(byte)),
            // Somebody who writes the object itself writes all of it.
            TextOrJson::Json(_) => self.has_closed = true,
        }
    }

    fn see_byte(&mut self, byte: u8) {
        if std::mem::take(&mut self.is_escaped) {
            return;
        }
        match byte {
            b'\\' if self.is_in_text => self.is_escaped = true,
            b'"' => self.is_in_text = !self.is_in_text,
            b'{' | b'[' if !self.is_in_text => self.depth += 1,
            b'}' | b']' if !self.is_in_text => {
                self.depth = self.depth.saturating_sub(1);
                self.has_closed |= self.depth == 0;
            }
            _ => {}
        }
    }

    fn is_whole(&self) -> bool {
        self.has_closed && self.depth == 0
    }
}
