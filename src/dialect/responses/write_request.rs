//! A request, written.

use std::mem::{replace, take};

use serde::Serialize;
use serde_json::{Value, json};

use super::items::Item;
use super::write_input::{Writer, continued, split_instructions};
use super::write_tools::{Written as Declared, write_choice, write_search, write_tool};
use crate::catalogue::{CallIds, Facts};
use crate::dialect::conversation::fields::{Object, object_of};
use crate::dialect::conversation::{
    Api, Choice, Conversation, Dropped, Effort, Field, Format, Names, Reading, Sampling, Target,
    Thinking, Tools, Turn, Unsaid, Written, form_of, history, schema, thoughts,
};

/// The longest name of a tool.
const LONGEST_NAME: usize = 64;
/// The smallest limit of an answer that is accepted.
const LEAST_OUTPUT: u64 = 16;

/// The body.
#[derive(Debug, Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<String>,
    input: Vec<Item>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Declared>,
    #[serde(flatten)]
    fields: Object,
    store: bool,
    stream: bool,
}

/// Writes a request.
///
/// # Errors
/// If the API has no way to say it.
pub fn write_request(
    mut conversation: Conversation,
    target: &Target<'_>,
) -> Result<Written, Unsaid> {
    let nothing = Dropped::nothing(conversation.origin);
    let mut dropped = replace(&mut conversation.dropped, nothing);
    let about = about(&mut conversation, &mut dropped);
    let mut names = Names::of(&conversation.tools.list, LONGEST_NAME, &[]);
    let mut turns = conversation.turns;
    history::repair(&mut turns, form_of(CallIds::Short));
    if conversation.origin == Api::Messages {
        turns.extend(continued(&turns));
    }
    // "Response input messages must contain the word 'json'": it is in the instructions, as a rule.
    let instructions = match conversation.format {
        Format::Json => None,
        Format::Text | Format::Schema { .. } => split_instructions(&mut turns),
    };
    let input = input(turns, target, &mut names, &mut dropped)?;
    let facts = target.facts();
    let effort = effort(&facts, &conversation.thinking, &mut dropped);
    let Sampling {
        temperature, top_p, ..
    } = sampling(conversation.sampling, &facts, effort, &mut dropped);
    let thinking = &conversation.thinking;
    let (tools, tool_choice, parallel_tool_calls) =
        tools(conversation.tools, &mut names, &mut dropped);
    let thinks = facts.thinks || thinking.is_asked_for();
    let is_shown = shows_thoughts(thinking, conversation.origin);
    let most = conversation
        .max_output
        .map(|most| target.limit(most).max(LEAST_OUTPUT));
    let is_verbose = facts.takes_verbosity();
    let verbosity = dropped.keep(conversation.verbosity, Field::Verbosity, is_verbose);
    let text = text(conversation.format, verbosity, &mut dropped)?;
    let stop = conversation.stop.first();
    dropped.keep(stop, Field::Stop, false);
    let mut fields = object_of([
        ("tool_choice", tool_choice.into()),
        ("parallel_tool_calls", parallel_tool_calls.into()),
        ("reasoning", reasoning(effort, &facts, is_shown)),
        ("include", thinks.then(|| vec![thoughts::INCLUDED]).into()),
        ("text", text),
        ("max_output_tokens", most.into()),
        ("temperature", temperature.into()),
        ("top_p", top_p.into()),
    ]);
    fields.extend(about);
    let body = Body {
        model: target.model,
        instructions,
        input,
        tools,
        fields,
        store: false,
        stream: conversation.streaming.is_some(),
    };
    Ok(Written {
        body: serde_json::to_vec(&body).map_err(|_| Unsaid("this request"))?,
        reading: Reading::of(names),
        dropped,
    })
}

/// Whom the request is for, and what it costs.
fn about(conversation: &mut Conversation, dropped: &mut Dropped) -> Object {
    let caching = take(&mut conversation.caching);
    dropped.keep(caching.automatic, Field::CacheControl, false);
    let mut short = |value, field| dropped.keep_short(value, field);
    let user = short(conversation.user.take(), Field::User);
    let safety = short(
        conversation.safety_identifier.take(),
        Field::SafetyIdentifier,
    );
    let key = short(caching.key, Field::PromptCacheKey);
    object_of([
        ("user", user.into()),
        ("safety_identifier", safety.into()),
        ("service_tier", conversation.service_tier.take().into()),
        ("prompt_cache_key", key.into()),
        ("prompt_cache_retention", caching.retention.into()),
    ])
}

fn input(
    turns: Vec<Turn>,
    target: &Target<'_>,
    names: &mut Names,
    dropped: &mut Dropped,
) -> Result<Vec<Item>, Unsaid> {
    let knows_developer = target.upstream.quirks.has_developer;
    let instructing = if knows_developer {
        "developer"
    } else {
        "system"
    };
    Writer::new(names, dropped, instructing).write(turns)
}

/// The effort to ask for; `None`: it is left to the model.
fn effort(facts: &Facts, thinking: &Thinking, dropped: &mut Dropped) -> Option<Effort> {
    let asked = match (thinking.is_on, thinking.effort, thinking.budget) {
        (Some(false), _, _) => Effort::None,
        (_, Some(effort), _) => effort,
        (_, None, Some(budget)) => Effort::of_budget(budget),
        // gpt-5.1 and later do not think unless they are asked to.
        (Some(true), None, None) => Effort::Medium,
        (None, None, None) => return None,
    };
    let effort = facts.efforts.closest(asked.name()).and_then(Effort::of);
    if effort.is_none() && thinking.is_asked_for() {
        dropped.field(Field::Effort);
    }
    effort
}

/// Whether the client wants to read thoughts. Most clients of chats do not expect any, and `OpenAI` refuses summaries to
/// organisations that it has not verified.
fn shows_thoughts(thinking: &Thinking, origin: Api) -> bool {
    let expects = match origin {
        Api::Chat => thinking.is_on == Some(true) || thinking.budget.is_some(),
        Api::Messages | Api::Responses => true,
    };
    thinking.is_shown && expects
}

fn reasoning(effort: Option<Effort>, facts: &Facts, is_shown: bool) -> Value {
    let summary = (is_shown && facts.thinks).then_some("auto");
    or_null(object_of([
        ("effort", effort.map(Effort::name).into()),
        ("summary", summary.into()),
    ]))
}

/// An object, unless nothing is in it.
fn or_null(fields: Object) -> Value {
    match fields.is_empty() {
        true => Value::Null,
        false => fields.into(),
    }
}

/// The sampling that is left.
fn sampling(
    asked: Sampling,
    facts: &Facts,
    effort: Option<Effort>,
    dropped: &mut Dropped,
) -> Sampling {
    let takes = facts.takes_sampling(effort.map(Effort::name));
    let mut keep = |value, field, is_taken| dropped.keep(value, field, is_taken);
    Sampling {
        temperature: keep(asked.temperature, Field::Temperature, takes),
        top_p: keep(asked.top_p, Field::TopP, takes),
        top_k: keep(asked.top_k, Field::TopK, false),
        presence_penalty: keep(asked.presence_penalty, Field::PresencePenalty, false),
        frequency_penalty: keep(asked.frequency_penalty, Field::FrequencyPenalty, false),
        seed: keep(asked.seed, Field::Seed, false),
    }
}

type Declaration = (Vec<Declared>, Option<Value>, Option<bool>);

fn tools(tools: Tools, names: &mut Names, dropped: &mut Dropped) -> Declaration {
    let choice = tools.choice;
    let list = tools.list.into_iter();
    let mut declared: Vec<Declared> = list.map(|tool| write_tool(tool, names, dropped)).collect();
    declared.extend(
        tools
            .search
            .filter(|_| choice != Choice::Never)
            .map(write_search),
    );
    if declared.is_empty() {
        return (declared, None, None);
    }
    let choice = write_choice(&choice, declared.len(), names);
    (declared, choice, tools.parallel)
}

fn text(format: Format, verbosity: Option<String>, dropped: &mut Dropped) -> Result<Value, Unsaid> {
    let format = match format {
        Format::Text => Value::Null,
        Format::Json => json!({ "type": "json_object" }),
        Format::Schema {
            name,
            description,
            schema,
            strict,
        } => {
            let schema = schema::of_answer(schema, schema::Taker::OpenAi);
            // Without it, the answer would be any text.
            let schema = schema.ok_or(Unsaid("this JSON schema"))?;
            let strict = strict.map(|_| schema::keeps_strict(strict, &schema, dropped));
            let mut format = Format::described(name, description, schema, strict);
            format["type"] = "json_schema".into();
            format
        }
    };
    Ok(or_null(object_of([
        ("format", format),
        ("verbosity", verbosity.into()),
    ])))
}
