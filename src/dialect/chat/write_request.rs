//! Writes a chat request, as its provider wants it.

use serde_json::{Value, json};

use super::effort::effort;
use super::prefill::put_prefill;
use super::request_body::Body;
use super::write_messages::Transcript;
use super::write_tools::Toolbox;
use crate::dialect::conversation::fields::Object;
use crate::dialect::conversation::schema::{self, Taker};
use crate::dialect::conversation::{
    Conversation, Dropped, Effort, Field, Format, Names, Reading, Target, Unsaid, Written, history,
};

/// All who copy `OpenAI`'s API accept so many stop sequences.
const MOST_STOPS: usize = 4;
/// The longest name of a tool at `OpenAI`.
const LONGEST_NAME: usize = 64;

/// Writes a conversation as the body of a chat request.
///
/// # Errors
///
/// It needs what chats do not have.
pub fn write_request(
    mut conversation: Conversation,
    target: &Target<'_>,
) -> Result<Written, Unsaid> {
    if conversation.tools.search.is_some() {
        return Err(Unsaid("hosted tools"));
    }
    let quirks = &target.upstream.quirks;
    let origin = conversation.origin;
    let stops = conversation.stop.clone();
    let mut names = Names::of(&conversation.tools.list, LONGEST_NAME, &[]);
    // Any id is accepted; it is replaced when it is written.
    history::repair(&mut conversation.turns, str::to_owned);
    let mut dropped = std::mem::replace(&mut conversation.dropped, Dropped::nothing(origin));
    let toolbox = Toolbox::of(
        std::mem::take(&mut conversation.tools.list),
        &conversation.tools.choice,
        &mut names,
        quirks.longest_description,
        &mut dropped,
    );
    let mut transcript = Transcript::new(quirks, target.model, origin, &mut names, &mut dropped);
    transcript.write(&mut conversation)?;
    transcript.explain(&toolbox.more);
    let lacks_thoughts = transcript.lacks_thoughts;
    let mut messages = transcript.messages;
    let mut draft = Draft {
        target,
        conversation,
        fields: Object::new(),
        dropped,
    };
    draft.limit();
    draft.sample();
    draft.identify();
    draft.shape()?;
    draft.think(!toolbox.functions.is_empty(), lacks_thoughts);
    if !toolbox.functions.is_empty() {
        draft.put("tool_choice", toolbox.choice);
        if draft.conversation.tools.parallel == Some(false) {
            draft.put("parallel_tool_calls", false);
        }
    }
    draft.stream();
    draft.leave_out_what_is_refused();
    put_prefill(&mut messages, &mut draft.fields, target.upstream.prefill);
    let body = Body {
        model: target.model,
        messages,
        fields: draft.fields,
        tools: toolbox.functions,
    };
    Ok(Written {
        body: serde_json::to_vec(&body).map_err(|_| Unsaid("a request"))?,
        reading: Reading {
            stops,
            ..Reading::of(names)
        },
        dropped: draft.dropped,
    })
}

/// The fields of a request while they are written.
struct Draft<'a> {
    target: &'a Target<'a>,
    conversation: Conversation,
    fields: Object,
    dropped: Dropped,
}

impl Draft<'_> {
    /// Sets a field, unless the value is null.
    fn put(&mut self, field: &str, value: impl Into<Value>) {
        let value = value.into();
        if !value.is_null() {
            self.fields.insert(field.to_owned(), value);
        }
    }

    fn limit(&mut self) {
        let name = self.target.upstream.quirks.limit.unwrap_or("max_tokens");
        let most = self
            .conversation
            .max_output
            .map(|most| self.target.limit(most));
        self.put(name, most);
        let mut stops = std::mem::take(&mut self.conversation.stop);
        if stops.len() > MOST_STOPS {
            self.dropped.field(Field::Stop);
            stops.truncate(MOST_STOPS);
        }
        if !stops.is_empty() {
            self.put("stop", stops);
        }
    }

    fn sample(&mut self) {
        let sampling = std::mem::take(&mut self.conversation.sampling);
        self.put("temperature", sampling.temperature);
        self.put("top_p", sampling.top_p);
        self.put("presence_penalty", sampling.presence_penalty);
        self.put("frequency_penalty", sampling.frequency_penalty);
        self.put("seed", sampling.seed);
        if sampling.top_k.is_some() {
            self.dropped.field(Field::TopK);
        }
    }

    /// Who is served and how, which `OpenAI` alone knows in all its forms.
    fn identify(&mut self) {
        let is_original = self.target.upstream.quirks.is_original();
        let conversation = &mut self.conversation;
        let user = conversation.user.take();
        let safety = conversation.safety_identifier.take();
        let tier = conversation.service_tier.take();
        let caching = std::mem::take(&mut conversation.caching);
        let verbosity = conversation.verbosity.take();
        if caching.automatic.is_some() {
            self.dropped.field(Field::CacheControl);
        }
        self.hint("user", user, Field::User, true);
        let hints = [
            ("safety_identifier", safety, Field::SafetyIdentifier),
            ("service_tier", tier, Field::ServiceTier),
            ("prompt_cache_key", caching.key, Field::PromptCacheKey),
            (
                "prompt_cache_retention",
                caching.retention,
                Field::PromptCacheRetention,
            ),
        ];
        for (name, value, field) in hints {
            self.hint(name, value, field, is_original);
        }
        let can_be_verbose = is_original && self.target.facts().takes_verbosity();
        self.hint("verbosity", verbosity, Field::Verbosity, can_be_verbose);
    }

    /// Puts a hint if it is known there, and names it else.
    fn hint(&mut self, name: &str, value: Option<String>, field: Field, is_known: bool) {
        let value = self.dropped.keep_short(value, field);
        let value = self.dropped.keep(value, field, is_known);
        self.put(name, value);
    }

    fn shape(&mut self) -> Result<(), Unsaid> {
        let format = match std::mem::take(&mut self.conversation.format) {
            Format::Text => return Ok(()),
            Format::Json => json!({ "type": "json_object" }),
            Format::Schema {
                name,
                description,
                schema,
                strict,
            } => {
                let can_be_strict = strict == Some(true) && schema::is_strict(&schema);
                let accepted = schema::of_answer(schema.clone(), Taker::OpenAi);
                let is_original = self.target.upstream.quirks.is_original();
                let schema = match accepted {
                    Some(accepted) if is_original || !can_be_strict => accepted,
                    // Without it, the answer would be any text.
                    None if is_original => return Err(Unsaid("this JSON schema")),
                    // Others enforce more.
                    Some(_) | None => schema,
                };
                let is_strict = schema::keeps_strict(strict, &schema, &mut self.dropped);
                let strict = is_strict.then_some(true);
                let described = Format::described(name, description, schema, strict);
                json!({ "type": "json_schema", "json_schema": described })
            }
        };
        self.put("response_format", format);
        Ok(())
    }

    fn think(&mut self, has_tools: bool, lacks_thoughts: Option<bool>) {
        let quirks = &self.target.upstream.quirks;
        let thinking = &self.conversation.thinking;
        let (origin, facts) = (self.conversation.origin, self.target.facts());
        let (mut asked, mut is_lost) = effort(thinking, origin, &facts, quirks.efforts, has_tools);
        // Models that want their thoughts back must not think where a client does not give them back.
        let gives_back = !lacks_thoughts.unwrap_or(!thinking.is_shown);
        if quirks.wants_thoughts_back && has_tools && !gives_back {
            is_lost |= thinking.is_asked_for();
            asked = None;
            self.put("thinking", json!({ "type": "disabled" }));
        }
        self.put("reasoning_effort", asked.map(Effort::name));
        if is_lost {
            self.dropped.field(Field::Effort);
        }
    }

    fn stream(&mut self) {
        if self.conversation.streaming.is_none() {
            return;
        }
        self.put("stream", true);
        if self.target.upstream.has_stream_usage {
            self.put("stream_options", json!({ "include_usage": true }));
        }
    }

    /// The fields that the provider rejects are hints.
    fn leave_out_what_is_refused(&mut self) {
        let quirks = &self.target.upstream.quirks;
        let facts = self.target.facts();
        let effort = self.fields.get("reasoning_effort").and_then(Value::as_str);
        let is_thinking = !facts.takes_sampling(effort);
        for name in quirks.refused_of(&facts, is_thinking).iter() {
            if self.fields.shift_remove(name).is_some()
                && let Some(field) = Field::of_chat(name)
            {
                self.dropped.field(field);
            }
        }
    }
}
