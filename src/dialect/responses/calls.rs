//! The calls of an answer that is read: their numbers, and what of them has been passed on.

use std::borrow::Cow;

use super::event::{Item, StreamEvent, as_text};
use crate::dialect::conversation::Piece;

/// The calls so far; the number of a call is its place.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

/// A call whose beginning was passed on.
#[derive(Debug)]
struct Call {
    output_index: Option<u64>,
    item_id: String,
    call_id: String,
    has_arguments: bool,
    is_complete: bool,
}

/// What an event says of a call.
pub(super) struct Seen<'a> {
    pub(super) item: Item<'a>,
    pub(super) output_index: Option<u64>,
    /// Whether the call is complete, or cut.
    pub(super) is_done: bool,
}

impl Calls {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// An item tells of a call. Copies of the API leave out one or the other id, or the index.
    pub(super) fn item<'a>(&mut self, seen: Seen<'a>, pieces: &mut Vec<Piece<'a>>) {
        let (id, call_id) = (&*seen.item.id.0, &*seen.item.call_id.0);
        let is_same = |call: &Call| {
            if !call_id.is_empty() && !call.call_id.is_empty() {
                // Two calls may have the same id, but neither the same item nor the same place.
                let is_other = !id.is_empty()
                    && !call.item_id.is_empty()
                    && call.item_id != id
                    && call.output_index != seen.output_index;
                return call.call_id == call_id && !is_other;
            }
            let has_id = !id.is_empty() && call.item_id == id;
            has_id || seen.output_index.is_some() && call.output_index == seen.output_index
        };
        let known = self.0.iter().rposition(is_same);
        self.numbered(known.unwrap_or(self.0.len()), seen, pieces);
    }

    /// An item tells of the call with this number, or of a new one.
    pub(super) fn numbered<'a>(
        &mut self,
        index: usize,
        seen: Seen<'a>,
        pieces: &mut Vec<Piece<'a>>,
    ) {
        let Seen {
            item,
            output_index,
            is_done,
        } = seen;
        let is_custom = item.is_custom();
        let arguments = item.call_input();
        // A call that was cut goes on to the end of the response, which says so.
        let is_complete = is_done && item.status.0 != "incomplete";
        if index >= self.0.len() {
            self.0.push(Call {
                output_index,
                item_id: item.id.0.into_owned(),
                call_id: item.call_id.0.clone().into_owned(),
                has_arguments: false,
                is_complete: false,
            });
        }
        let Some(call) = self.0.get_mut(index).filter(|call| !call.is_complete) else {
            return;
        };
        call.is_complete = is_complete;
        let has_arguments = call.has_arguments;
        pieces.push(Piece::Call {
            index,
            id: item.call_id.0,
            name: item.name.0,
            is_custom,
        });
        if is_complete {
            pieces.push(Piece::Called { index, arguments });
        } else if is_done && !has_arguments {
            self.push(index, arguments.unwrap_or_default(), pieces);
        }
    }

    /// More of the arguments of a call.
    pub(super) fn more<'a>(&mut self, event: StreamEvent<'a>, pieces: &mut Vec<Piece<'a>>) {
        let index = self.place_of(&event);
        self.push(index, event.delta.0, pieces);
    }

    /// All of the arguments of a call.
    pub(super) fn all<'a>(&mut self, event: StreamEvent<'a>, pieces: &mut Vec<Piece<'a>>) {
        let index = self.place_of(&event);
        if self.0.get(index).is_some_and(|call| !call.has_arguments) {
            let arguments = event.arguments.or(event.input).map(as_text);
            self.push(index, arguments.unwrap_or_default(), pieces);
        }
    }

    /// The number of the call that an event is about: the last one that is open, if it does not say. It may be none that is known:
    /// some tell of an item only when it is done.
    fn place_of(&self, event: &StreamEvent<'_>) -> usize {
        let id = &*event.item_id.0;
        let by_id = |call: &Call| !id.is_empty() && (call.item_id == id || call.call_id == id);
        let index = event.output_index.0;
        let by_index = |call: &Call| index.is_some() && call.output_index == index;
        let known = self.0.iter().rposition(by_id);
        let known = known.or_else(|| self.0.iter().rposition(by_index));
        let known = known.or_else(|| self.0.iter().rposition(|call| !call.is_complete));
        known.unwrap_or(self.0.len())
    }

    fn push<'a>(&mut self, index: usize, text: Cow<'a, str>, pieces: &mut Vec<Piece<'a>>) {
        if let Some(call) = self.0.get_mut(index)
            && !text.is_empty()
        {
            call.has_arguments = true;
            pieces.push(Piece::Arguments { index, text });
        }
    }
}
