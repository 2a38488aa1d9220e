//! Caching marks: what the client marked goes on; where it marked nothing, the whole prompt is marked.

use serde_json::Value;

use super::wire::{Block, Request, Said, Tool};
use crate::dialect::conversation::{Caching, Dropped, Field, Target, ephemeral};

/// The most marks in a request: `A maximum of 4 blocks with cache_control may be provided`.
const MOST: usize = 4;

/// Puts the mark for the whole prompt, and removes the first of too many marks: the last ones cover most.
pub(super) fn put(
    caching: Caching,
    target: &Target<'_>,
    request: &mut Request,
    dropped: &mut Dropped,
) {
    let marked = marks(request).len();
    request.cache_control = caching.automatic;
    let is_unmarked = marked == 0 && request.cache_control.is_none();
    let is_long = !request.tools.is_empty()
        || request
            .messages
            .iter()
            .any(|message| message.role == "assistant");
    if is_unmarked && is_long && target.upstream.marks_cache {
        request.cache_control = Some(ephemeral(caching.retention.as_deref() == Some("24h")));
    } else if caching.retention.is_some() {
        dropped.field(Field::PromptCacheRetention);
    }
    if caching.key.is_some() {
        dropped.field(Field::PromptCacheKey);
    }
    let most = MOST - usize::from(request.cache_control.is_some());
    if marked > most {
        dropped.field(Field::CacheControl);
        for mark in marks(request).into_iter().take(marked - most) {
            *mark = None;
        }
    }
}

/// The marks of a request, in the order in which its parts are cached.
fn marks(request: &mut Request) -> Vec<&mut Option<Value>> {
    let mut marks = Vec::new();
    for tool in &mut request.tools {
        if let Tool::Function { cache_control, .. } = tool {
            marks.push(cache_control);
        }
    }
    let messages = request.messages.iter_mut();
    let blocks = messages.flat_map(|message| &mut message.content);
    for block in request.system.iter_mut().chain(blocks) {
        marks_of(block, &mut marks);
    }
    marks.retain(|mark| mark.is_some());
    marks
}

fn marks_of<'a>(block: &'a mut Block, marks: &mut Vec<&'a mut Option<Value>>) {
    if let Said::ToolResult { content, .. } = &mut block.said {
        for block in content {
            marks_of(block, marks);
        }
    }
    marks.push(&mut block.cache_control);
}
