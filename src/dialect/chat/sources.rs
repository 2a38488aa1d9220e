//! Sources of a whole answer, which some tell beside it: Perplexity in each chunk, xAI in the last.

use super::chunk::{Objects, Page};
use crate::dialect::conversation::lenient::{List, Loose};
use crate::dialect::conversation::{Citation, Piece};

/// Nobody reads more.
const MOST: usize = 100;

/// The sources so far.
#[derive(Debug, Default)]
pub(super) struct Sources {
    list: Vec<Citation>,
    /// How many of them were passed on.
    passed_on: usize,
    /// Whether there is a text that they are about.
    pub(super) has_text: bool,
    /// Whether the answer has shown the places of its sources: then these are the same once more.
    pub(super) have_places: bool,
}

impl Sources {
    /// Notes what is new: addresses, and what is known of the pages there.
    pub(super) fn note(&mut self, addresses: List<Loose<'_>>, pages: Objects<Page<'_>>) {
        for page in pages.objects() {
            self.add(page.url.as_text(), page.title.as_text());
        }
        for address in addresses.0 {
            match address {
                Loose::Text(url) => self.add(&url, ""),
                Loose::Other(page) => self.add(
                    page["url"].as_str().unwrap_or_default(),
                    page["title"].as_str().unwrap_or_default(),
                ),
                Loose::Nothing => {}
            }
        }
    }

    fn add(&mut self, url: &str, title: &str) {
        let is_known = self.list.iter().any(|known| known.url == url);
        if url.is_empty() || is_known || self.list.len() == MOST {
            return;
        }
        self.list.push(Citation {
            url: url.to_owned(),
            title: title.to_owned(),
            ..Citation::default()
        });
    }

    /// Passes on what was not yet, once the text has ended. Nobody says which of its words they are about.
    pub(super) fn tell(&mut self, pieces: &mut Vec<Piece<'_>>) {
        if self.has_text && !self.have_places {
            let fresh = self.list[self.passed_on..].iter().cloned();
            pieces.extend(fresh.map(Piece::Cited));
            self.passed_on = self.list.len();
        }
    }
}
