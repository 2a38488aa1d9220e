//! The messages of an answer that is read: what of them has been passed on.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::event::{Item, citation, parts};
use crate::dialect::conversation::{BREAK, Piece};

/// Whether two numbers may be the same: some copies of the API leave them out of some events.
pub(super) fn may_be(one: Option<u64>, other: Option<u64>) -> bool {
    one.is_none() || other.is_none() || one == other
}

/// The items of one kind that were passed on.
#[derive(Debug, Default)]
pub(super) struct Items {
    /// Those that are complete.
    pub(super) count: usize,
    /// The output index of the one that goes on, as far as it is known.
    open: Option<Option<u64>>,
}

impl Items {
    /// Whether it is this item that goes on.
    fn is_open(&self, index: Option<u64>) -> bool {
        self.open.is_some_and(|open| may_be(open, index))
    }

    /// Something of an item is passed on; returns whether it is another item than before.
    pub(super) fn enter(&mut self, index: Option<u64>) -> bool {
        if self.is_open(index) {
            return false;
        }
        self.close();
        self.open = Some(index);
        true
    }

    /// The item is complete; returns whether something of it was passed on.
    pub(super) fn close(&mut self) -> bool {
        let was_open = self.open.take().is_some();
        self.count += usize::from(was_open);
        was_open
    }
}

/// A part of a message: its output index, and its content index.
pub(super) type Place = (Option<u64>, Option<u64>);

/// The messages so far.
#[derive(Debug, Default)]
pub(super) struct Messages {
    pub(super) items: Items,
    /// The part that was passed on last.
    part: Option<Place>,
    /// How many characters of text there are: in all, before the message, and before the part.
    length: usize,
    before_message: usize,
    before_part: usize,
    /// Whether a source of the message that goes on was passed on.
    has_cited: bool,
    /// Whether another message would join the text of the one before.
    goes_on: bool,
}

impl Messages {
    /// Passes on a text, or one of a refusal: as `piece` says.
    pub(super) fn say<'a>(
        &mut self,
        place: Place,
        text: Cow<'a, str>,
        piece: fn(Cow<'a, str>) -> Piece<'a>,
        pieces: &mut Vec<Piece<'a>>,
    ) {
        if text.is_empty() {
            return;
        }
        let piece = piece(text);
        let is_text = matches!(piece, Piece::Text(_));
        if self.goes_on && is_text && !self.items.is_open(place.0) {
            self.items.close();
            self.said(BREAK);
            pieces.push(Piece::Text(BREAK.into()));
        }
        self.enter(place);
        if let Piece::Text(text) = &piece {
            self.said(text);
        }
        self.goes_on |= is_text;
        pieces.push(piece);
    }

    /// A call comes: text behind it stands apart.
    pub(super) fn interrupt(&mut self) {
        self.goes_on = false;
    }

    /// A text of the part that is open.
    pub(super) fn said(&mut self, text: &str) {
        self.length += text.chars().count();
    }

    /// Whether something of this part was passed on.
    pub(super) fn is_known(&self, place: Place) -> bool {
        let is_it = |part: Place| may_be(part.0, place.0) && may_be(part.1, place.1);
        self.part.is_some_and(is_it)
    }

    fn enter(&mut self, place: Place) {
        if self.items.enter(place.0) {
            self.before_message = self.length;
            self.part = None;
        }
        if !self.is_known(place) {
            self.part = Some(place);
            self.before_part = self.length;
        }
    }

    /// A message begins.
    pub(super) fn begin(&mut self) {
        self.items.close();
        self.part = None;
        self.has_cited = false;
    }

    /// A source of a part.
    pub(super) fn cite(
        &mut self,
        place: Place,
        annotation: Option<&RawValue>,
        pieces: &mut Vec<Piece<'_>>,
    ) {
        // It may come before its text.
        let is_known = self.is_known(place);
        let before = if is_known {
            self.before_part
        } else {
            self.length
        };
        let annotation = annotation.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
        if let Some(citation) = annotation.and_then(|page| citation(&page, before)) {
            self.has_cited = true;
            pieces.push(Piece::Cited(citation));
        }
    }

    /// A whole message: passes on what is new of it.
    pub(super) fn whole<'a>(
        &mut self,
        item: &Item<'a>,
        index: Option<u64>,
        pieces: &mut Vec<Piece<'a>>,
    ) {
        let is_known = self.items.close();
        let has_cited = std::mem::take(&mut self.has_cited);
        let mut before = if is_known {
            self.before_message
        } else {
            self.length
        };
        for (number, part) in (0..).zip(parts(item.content)) {
            let length = part.text.0.chars().count();
            if !is_known {
                let place = (index, Some(number));
                self.say(place, part.text.0, Piece::Text, pieces);
                self.say(place, part.refusal.0, Piece::Refusal, pieces);
                before = self.length.saturating_sub(length);
            }
            let annotations = part.annotations.filter(|_| !has_cited);
            let annotations =
                annotations.and_then(|raw| serde_json::from_str::<Vec<Value>>(raw.get()).ok());
            let annotations = annotations.unwrap_or_default();
            let cited = annotations.iter().filter_map(|page| citation(page, before));
            pieces.extend(cited.map(Piece::Cited));
            before += length;
        }
        if !is_known && !self.items.close() {
            self.items.count += 1;
        }
        self.part = None;
    }
}
