//! A request, written.

use std::mem::{replace, take};

use serde::Serialize;
use serde_json::{Number, Value, json};

use super::items::Item;
use super::write_input::{Writer, continued, split_instructions};
use super::write_tools::{Written as Declared, write_choice, write_search, write_tool};
use crate::catalogue::Facts;
use crate::dialect::conversation::{
    Api, Choice, Conversation, Dropped, Effort, Field, Format, Names, Reading, Sampling, Target,
    Thinking, Tools, Turn, Unsaid, Written, history, schema, short_id, thoughts,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<Number>,
    #[serde(flatten)]
    about: About,
    store: bool,
    stream: bool,
}

#[derive(Debug, Serialize)]
struct Reasoning {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Text {
    #[serde(skip_serializing_if = "Value::is_null")]
    format: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<String>,
}

/// Whom the request is for, and what it costs.
#[derive(Debug, Serialize)]
struct About {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_retention: Option<String>,
}

impl About {
    fn of(conversation: &mut Conversation, dropped: &mut Dropped) -> Self {
        let user = conversation.user.take();
        let safety_identifier = conversation.safety_identifier.take();
        let caching = take(&mut conversation.caching);
        dropped.keep(caching.automatic, Field::CacheControl, false);
        Self {
            user: dropped.keep_short(user, Field::User),
            safety_identifier: dropped.keep_short(safety_identifier, Field::SafetyIdentifier),
            service_tier: conversation.service_tier.take(),
            prompt_cache_key: dropped.keep_short(caching.key, Field::PromptCacheKey),
            prompt_cache_retention: caching.retention,
        }
    }
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
    let about = About::of(&mut conversation, &mut dropped);
    let mut names = Names::of(&conversation.tools.list, LONGEST_NAME, &[]);
    let mut turns = conversation.turns;
    history::repair(&mut turns, accepted_id);
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
    let most = conversation.max_output.map(|most| target.limit(most));
    let is_verbose = facts.takes_verbosity();
    let verbosity = dropped.keep(conversation.verbosity, Field::Verbosity, is_verbose);
    let text = text(conversation.format, verbosity, &mut dropped)?;
    let stop = conversation.stop.first();
    dropped.keep(stop, Field::Stop, false);
    let body = Body {
        model: target.model,
        instructions,
        input,
        tools,
        tool_choice,
        parallel_tool_calls,
        reasoning: reasoning(effort, &facts, is_shown),
        include: thinks.then_some([thoughts::INCLUDED]),
        text,
        max_output_tokens: most.map(|most| most.max(LEAST_OUTPUT)),
        temperature,
        top_p,
        about,
        store: false,
        stream: conversation.streaming.is_some(),
    };
    Ok(Written {
        body: serde_json::to_vec(&body).map_err(|_| Unsaid("this request"))?,
        reading: Reading {
            names,
            has_answer_tool: false,
            stops: Vec::new(),
        },
        dropped,
    })
}

/// The id of a call, as the API accepts it.
fn accepted_id(id: &str) -> String {
    match id {
        "" => "call".to_owned(),
        id => short_id(id).unwrap_or_else(|| id.to_owned()),
    }
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

fn reasoning(effort: Option<Effort>, facts: &Facts, is_shown: bool) -> Option<Reasoning> {
    let summary = (is_shown && facts.thinks).then_some("auto");
    let effort = effort.map(Effort::name);
    (effort.is_some() || summary.is_some()).then_some(Reasoning { effort, summary })
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

fn text(
    format: Format,
    verbosity: Option<String>,
    dropped: &mut Dropped,
) -> Result<Option<Text>, Unsaid> {
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
    Ok((!format.is_null() || verbosity.is_some()).then_some(Text { format, verbosity }))
}
