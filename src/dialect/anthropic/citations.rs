//! Citations of a text: annotations in a chat.
//!
//! A citation is about the whole block that it belongs to, so its position is that of the block.

use std::ops::Range;

use serde_json::{Value, json};

/// The annotations for the pages that a block cites. `place`: the block's position in the whole text, in characters.
pub(super) fn annotations(citations: &[Value], place: &Range<usize>) -> Vec<Value> {
    let pages = citations
        .iter()
        .filter(|citation| citation["type"] == "web_search_result_location");
    let annotations = pages.map(|page| {
        // A page may lack a title, an annotation may not.
        let title = page["title"].as_str().unwrap_or_default();
        let citation = json!({
            "url": page["url"], "title": title,
            "start_index": place.start, "end_index": place.end,
        });
        json!({ "type": "url_citation", "url_citation": citation })
    });
    annotations.collect()
}
