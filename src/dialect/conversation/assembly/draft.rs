//! A call while it is put together.

use std::borrow::Cow;

use super::super::answer::{CallHead, Event};
use super::super::arguments::{Escapes, is_whole, object_in};
use super::super::custom::InputDecoder;
use super::super::ids::call_id;
use super::super::names::Names;
use super::super::request::Signature;

/// How a call stands when it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// More of it may come.
    Open,
    /// It is whole.
    Whole,
    /// The answer was cut, perhaps within it.
    CutOff,
}

/// A call, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// Its number.
    pub(super) index: usize,
    id: String,
    pub(super) name: String,
    /// What proves the thought that has led to it.
    pub(super) proof: Option<Signature>,
    /// Whether the upstream knows custom tools.
    is_custom: bool,
    /// All of its arguments so far.
    arguments: String,
    /// How many bytes of them were told.
    sent: usize,
    /// Whether they are the JSON of a whole object, once that is known.
    is_whole: Option<bool>,
    /// For the text of a custom tool that went out as a function.
    decoder: Option<InputDecoder>,
    escapes: Escapes,
    has_begun: bool,
    pub(super) is_complete: bool,
}

impl Draft {
    /// The call with this number.
    pub(super) fn new(index: usize) -> Self {
        Self {
            index,
            ..Self::default()
        }
    }

    /// How many bytes it has, itself included.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.id.len() + self.name.len() + self.arguments.len()
    }

    /// It begins, or its id or its name is known now.
    pub(super) fn announce(&mut self, id: Cow<'_, str>, name: Cow<'_, str>, is_custom: bool) {
        if self.id.is_empty() {
            self.id = id.into_owned();
        }
        // It may come in pieces, each with those before it.
        if !self.has_begun && name.starts_with(&self.name) {
            self.name = name.into_owned();
        }
        self.is_custom |= is_custom;
    }

    /// Gives up its id if a call before it was told with the same one: clients find results by ids.
    pub(super) fn be_unlike(&mut self, others: &[Self]) {
        if !self.has_begun && others.iter().any(|other| other.id == self.id) {
            self.id.clear();
        }
    }

    /// Adds to its arguments.
    pub(super) fn add(&mut self, arguments: &str) {
        if self.sent == 0 && self.may_be_placeholder() && !arguments.trim().is_empty() {
            self.arguments.clear();
        }
        // White space before an object says nothing.
        let arguments = match self.arguments.is_empty() && !self.is_custom {
            true => arguments.trim_start(),
            false => arguments,
        };
        self.arguments.push_str(arguments);
        self.is_whole = None;
    }

    /// Nothing more of it comes. `arguments`: all of them, which count if none came before.
    pub(super) fn complete(&mut self, arguments: Option<&str>) {
        if let Some(arguments) = arguments.filter(|_| self.arguments.is_empty()) {
            self.add(arguments);
        }
        self.is_complete = true;
    }

    /// It is complete if its arguments are a whole object.
    pub(super) fn complete_if_whole(&mut self) {
        if !self.is_complete && !self.is_custom && !self.may_be_placeholder() {
            self.is_complete = self.is_whole();
        }
    }

    /// Whether enough is known to tell of it. An id may come late, and a name may grow to that of a tool, but not behind the
    /// arguments.
    pub(super) fn is_known(&self, names: &Names) -> bool {
        let is_late = self.has_begun || !self.is_blank() || self.is_complete;
        let is_settled = is_late || !self.id.is_empty() && !names.may_grow(&self.name);
        is_settled && !self.name.is_empty()
    }

    /// Whether nothing was said about its arguments.
    pub(super) fn is_blank(&self) -> bool {
        self.arguments.trim().is_empty()
    }

    /// Whether its input can be handed to a tool.
    pub(super) fn is_sound(&mut self) -> bool {
        let rest = &self.arguments[self.sent..];
        let decoder = self.decoder.as_ref();
        if self.is_custom || decoder.is_some_and(|decoder| !decoder.lacks_an_end(rest)) {
            return true;
        }
        self.is_whole() || self.sent == 0 && object_in(&self.arguments).is_some()
    }

    fn is_whole(&mut self) -> bool {
        *self
            .is_whole
            .get_or_insert_with(|| is_whole(&self.arguments))
    }

    /// Some begin with empty arguments, and send the true ones behind them.
    fn may_be_placeholder(&self) -> bool {
        self.arguments.trim() == "{}"
    }

    /// Tells what has not been told yet.
    pub(super) fn tell(&mut self, names: &Names, standing: Standing, out: &mut Vec<Event<'_>>) {
        if !std::mem::replace(&mut self.has_begun, true) {
            let mut tool = names.own(&self.name);
            tool.is_custom |= self.is_custom;
            if tool.is_custom && !self.is_custom {
                self.decoder = Some(InputDecoder::default());
            }
            let id = call_id(&self.id);
            out.extend(self.proof.take().map(Event::Signature));
            out.push(Event::Call(CallHead { id, tool }));
        }
        let text = self.fresh(standing);
        if !text.is_empty() {
            out.push(Event::Arguments(text.into()));
        }
    }

    fn fresh(&mut self, standing: Standing) -> String {
        if let Some(decoder) = &mut self.decoder {
            let mut text = decoder.push(&self.arguments[self.sent..]);
            self.sent = self.arguments.len();
            if let Some(decoder) = self.decoder.take_if(|_| standing != Standing::Open) {
                text += &decoder.finish(&self.arguments);
            }
            return text;
        }
        let is_plain = self.is_custom || self.arguments.trim_start().starts_with('{');
        // Only while nothing was sent: some models repeat white space endlessly, and this looks at all that is at the end.
        if self.sent == 0 && (!is_plain || !self.is_complete && self.may_be_placeholder()) {
            match standing {
                // Only the whole shows what it stands for.
                Standing::Open => return String::new(),
                Standing::Whole => {
                    let object = object_in(&self.arguments);
                    self.sent = self.arguments.len();
                    return object.unwrap_or_default();
                }
                Standing::CutOff => {}
            }
        }
        let fresh = &self.arguments[self.sent..];
        let (mut text, taken) = if self.is_custom {
            (fresh.to_owned(), fresh.len())
        } else {
            let (text, taken) = self.escapes.push(fresh);
            (text.into_owned(), taken)
        };
        self.sent += taken;
        if standing != Standing::Open {
            text += &self.arguments[self.sent..];
            self.sent = self.arguments.len();
        }
        text
    }
}
