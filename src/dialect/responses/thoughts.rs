//! The reasoning of an answer that is read: what of it has been passed on.

use std::borrow::Cow;

use super::event::{Item, parts};
use super::messages::{Items, may_be};
use crate::dialect::conversation::{Api, Piece, thoughts};

/// A part of reasoning: of its summary, or of the thought itself, which open models tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) item: Option<u64>,
    pub(super) is_summary: bool,
    pub(super) number: Option<u64>,
}

impl Place {
    fn may_be(self, other: Self) -> bool {
        may_be(self.item, other.item)
            && self.is_summary == other.is_summary
            && may_be(self.number, other.number)
    }
}

/// The reasoning so far.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    pub(super) items: Items,
    /// The part that was passed on last.
    part: Option<Place>,
    /// Whether more of it would join what was passed on last.
    goes_on: bool,
}

impl Thoughts {
    pub(super) fn text<'a>(
        &mut self,
        place: Place,
        text: Cow<'a, str>,
        pieces: &mut Vec<Piece<'a>>,
    ) {
        // Who tells both a thought and its summary says the same twice.
        let is_other =
            |last: Place| may_be(last.item, place.item) && last.is_summary != place.is_summary;
        if text.is_empty() || self.part.is_some_and(is_other) {
            return;
        }
        if self.goes_on && !self.is_known(place) {
            pieces.push(Piece::Thought("\n\n".into()));
        }
        self.items.enter(place.item);
        self.goes_on = true;
        self.part = Some(place);
        pieces.push(Piece::Thought(text));
    }

    /// Whether something of this part was passed on.
    pub(super) fn is_known(&self, place: Place) -> bool {
        self.part.is_some_and(|part| part.may_be(place))
    }

    /// An item begins.
    pub(super) fn begin(&mut self) {
        self.items.close();
        self.part = None;
    }

    /// Something else comes.
    pub(super) fn interrupt(&mut self) {
        self.goes_on = false;
    }

    /// A whole item: passes on what is new of it, and what proves it.
    pub(super) fn whole<'a>(
        &mut self,
        item: Item<'a>,
        index: Option<u64>,
        pieces: &mut Vec<Piece<'a>>,
    ) {
        let mut is_readable = self.items.close();
        if !is_readable {
            self.part = None;
            for (is_summary, texts) in [(true, parts(item.summary)), (false, parts(item.content))] {
                for (number, part) in (0..).zip(texts) {
                    let place = Place {
                        item: index,
                        is_summary,
                        number: Some(number),
                    };
                    self.text(place, part.text.0, pieces);
                }
            }
            is_readable = self.items.close();
            self.items.count += usize::from(!is_readable);
        }
        self.part = None;
        let data = item.encrypted_content.0;
        let id = Some(item.id.0.into_owned()).filter(|id| !id.is_empty());
        let signature = thoughts::signature(Api::Responses, &data, !is_readable, id);
        self.goes_on &= signature.is_none();
        pieces.extend(signature.map(Piece::Signature));
    }
}
