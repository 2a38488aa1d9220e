//! Where a text is from: citations there, annotations in a chat.
//!
//! A citation is about the whole block that it comes with, so its place in the text is that of the block.

use std::ops::Range;

use serde_json::{Value, json};

/// The annotations for the pages that a block cites. `place`: the block's, in characters of the whole text.
pub(super) fn annotations(citations: &[Value], place: &Range<usize>) -> Vec<Value> {
    let pages = citations
        .iter()
        .filter(|citation| citation["type"] == "web_search_result_location");
    let annotations = pages.map(|page| {
        // Not every page has a title, but every annotation.
        let title = page["title"].as_str().unwrap_or_default();
        let citation = json!({
            "url": page["url"], "title": title,
            "start_index": place.start, "end_index": place.end,
        });
        json!({ "type": "url_citation", "url_citation": citation })
    });
    annotations.collect()
}
