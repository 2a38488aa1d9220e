//! Adapting a request of `/responses` to another model, or to a provider that copies the API in part.
//!
//! Only what must change does: every other value stays byte for byte, unknown fields included.

use serde_json::{Map, Value};

use super::chat::{Adapted, asks_for_nothing, cannot_think, has, refuses_verbosity};
use super::history;
use super::items;
use super::thoughts::changed;
use crate::catalogue::{Facts, Quirks};
use crate::dialect::adapt::fields::{put, read, replace, text_of};
use crate::dialect::adapt::schemas;
use crate::dialect::conversation::thoughts;
use crate::dialect::upstream_api::UpstreamApi;
use crate::wire::json::Fields;

/// The limit of an answer.
const LIMIT: &str = "max_output_tokens";
/// Other fields that some models take and others refuse.
const BY_MODEL: [&str; 5] = ["temperature", "top_p", "reasoning", "verbosity", "include"];

/// Adapts the body of a Responses request to a provider and its model; `None`: nothing had to change.
pub fn adapt_response(body: &[u8], api: &UpstreamApi) -> Option<Adapted> {
    if !may_differ(body, api) {
        return None;
    }
    let has_developer = !api.quirks.has_developer && has(body, "developer");
    let repaired = changed(body, |items, is_whole| {
        let is_changed = items::repair(items, is_whole);
        let demoted = items
            .iter_mut()
            .map(|item| has_developer && history::demote(item));
        demoted.fold(is_changed, |is_changed, is_demoted| is_changed | is_demoted)
    });
    let fields: Fields<'_> = serde_json::from_slice(repaired.as_deref().unwrap_or(body)).ok()?;
    let model = text_of(&fields, "model").unwrap_or_default();
    let facts = api.facts_of(&model);
    let mut request = Request {
        fields,
        facts,
        cannot_think: cannot_think(&api.quirks, &facts, &model),
        refuses_verbosity: refuses_verbosity(&api.quirks, &facts, &model),
        dropped: Vec::new(),
        is_changed: repaired.is_some(),
    };
    request.is_changed |= replace(&mut request.fields, "tools", schemas::of_response);
    request.limit(api.max_output);
    request.think();
    request.leave_out(&api.quirks);
    let body = request.is_changed.then_some(&request.fields)?;
    Some(Adapted {
        body: serde_json::to_vec(body).ok()?.into(),
        dropped: request.dropped,
    })
}

/// Whether anything may have to change: a body that has none of these names need not be parsed.
fn may_differ(body: &[u8], api: &UpstreamApi) -> bool {
    !api.quirks.has_developer && has(body, "developer")
        || has(body, "call_id")
        || has(body, "tools")
        || api.max_output.is_some() && has(body, LIMIT)
        || BY_MODEL.iter().any(|name| has(body, name))
        || api.quirks.refuses.iter().any(|name| has(body, name))
}

/// A request while it is adapted.
struct Request<'a> {
    fields: Fields<'a>,
    facts: Facts,
    cannot_think: bool,
    refuses_verbosity: bool,
    dropped: Vec<String>,
    is_changed: bool,
}

impl Request<'_> {
    /// A limit above the model's largest answer is an error.
    fn limit(&mut self, largest: Option<u32>) {
        let most: Option<u64> = read(&self.fields, LIMIT);
        if let (Some(most), Some(largest)) = (most, largest)
            && most > u64::from(largest)
        {
            self.is_changed |= put(&mut self.fields, LIMIT, &largest);
        }
    }

    /// Asks for as much thinking as the model takes.
    fn think(&mut self) {
        if self.cannot_think {
            self.drop("reasoning");
            let included: Vec<Value> = read(&self.fields, "include").unwrap_or_default();
            // A model that does not think has none to give.
            if included.iter().any(|field| field == thoughts::INCLUDED) {
                let others = included.iter().filter(|field| *field != thoughts::INCLUDED);
                let others: Vec<&Value> = others.collect();
                self.is_changed |= put(&mut self.fields, "include", &others);
            }
        }
        let mut reasoning: Map<String, Value> = read(&self.fields, "reasoning").unwrap_or_default();
        let asked = reasoning.get("effort").and_then(Value::as_str);
        if let Some(asked) = asked
            && let Some(level) = self.facts.efforts.closest(asked)
            && level != asked
        {
            reasoning.insert("effort".to_owned(), level.into());
            self.is_changed |= put(&mut self.fields, "reasoning", &reasoning);
        }
        let effort = reasoning.get("effort").and_then(Value::as_str);
        if !self.facts.takes_sampling(effort) {
            self.drop("temperature");
            self.drop("top_p");
        }
    }

    /// Leaves out the hints that the provider or the model would refuse.
    fn leave_out(&mut self, quirks: &Quirks) {
        for field in quirks.refuses.iter() {
            self.drop(field);
        }
        let mut text: Map<String, Value> = read(&self.fields, "text").unwrap_or_default();
        if self.refuses_verbosity && text.shift_remove("verbosity").is_some() {
            self.is_changed |= put(&mut self.fields, "text", &text);
            self.dropped.push("text.verbosity".to_owned());
        }
    }

    fn drop(&mut self, field: &str) {
        if let Some(value) = self.fields.shift_remove(field) {
            self.is_changed = true;
            if !asks_for_nothing(field, &value) {
                self.dropped.push(field.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests;
