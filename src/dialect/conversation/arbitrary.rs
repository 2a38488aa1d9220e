//! Conversations and answers for property tests, in canonical form: what every API can say, and says in one way only.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Number, Value, json};

use super::*;

impl Piece<'_> {
    /// The same piece, kept for longer than the event that it was read from.
    pub fn into_owned(self) -> Piece<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Begin(begin) => Piece::Begin(begin),
            Self::Text(text) => Piece::Text(own(text)),
            Self::Refusal(text) => Piece::Refusal(own(text)),
            Self::Thought(text) => Piece::Thought(own(text)),
            Self::Signature(signature) => Piece::Signature(signature),
            Self::Cited(citation) => Piece::Cited(citation),
            Self::Call {
                index,
                id,
                name,
                is_custom,
            } => Piece::Call {
                index,
                id: own(id),
                name: own(name),
                is_custom,
            },
            Self::Proof { index, signature } => Piece::Proof { index, signature },
            Self::Arguments { index, text } => Piece::Arguments {
                index,
                text: own(text),
            },
            Self::Called { index, arguments } => Piece::Called {
                index,
                arguments: arguments.map(own),
            },
            Self::Usage(usage) => Piece::Usage(usage),
            Self::End(end) => Piece::End(end),
            Self::Over => Piece::Over,
            Self::Failed(error) => Piece::Failed(error),
            Self::Unseen => Piece::Unseen,
            Self::Alive => Piece::Alive,
            Self::Unreadable => Piece::Unreadable,
        }
    }
}

/// These pieces, kept for longer than the answer that they were read from.
pub fn kept(pieces: Vec<Piece<'_>>) -> Vec<Piece<'static>> {
    pieces.into_iter().map(Piece::into_owned).collect()
}

/// A text that is not empty, with letters that JSON escapes, and some of several bytes.
pub fn text() -> impl Strategy<Value = String> + Clone {
    "[a-zA-Z0-9 .,\"\\\\\n\täß😀]{0,12}[a-z]"
}

/// A name that every API takes.
pub fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_]{0,10}"
}

/// The JSON of an object, as `serde_json` writes it.
pub fn arguments() -> impl Strategy<Value = String> {
    vec((name(), scalar()), 0..4).prop_map(|fields| {
        let fields: serde_json::Map<String, Value> = fields.into_iter().collect();
        Value::Object(fields).to_string()
    })
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        text().prop_map(Value::from),
        vec(text(), 0..3).prop_map(Value::from),
        text().prop_map(|text| json!({ "in": text })),
    ]
}

/// Some tools, each a function with a name of its own.
pub fn tools() -> impl Strategy<Value = Tools> {
    let choice = prop_oneof![
        Just(Choice::Unsaid),
        Just(Choice::Auto),
        Just(Choice::Any),
        Just(Choice::Never),
        any::<Index>().prop_map(|at| Choice::One(ToolName {
            name: at.index(usize::MAX).to_string(),
            ..ToolName::default()
        })),
    ];
    let tools = vec((name(), proptest::option::of(text())), 0..4);
    (tools, choice).prop_map(|(given, mut choice)| {
        let mut list: Vec<Tool> = Vec::new();
        for (name, description) in given {
            if list.iter().all(|tool| tool.name != name) {
                list.push(tool(name, description));
            }
        }
        if let Choice::One(named) = &mut choice
            && let Some(tool) = list.last()
        {
            named.name.clone_from(&tool.name);
        }
        let choice = if list.is_empty() {
            Choice::Unsaid
        } else {
            choice
        };
        Tools {
            list,
            choice,
            ..Tools::default()
        }
    })
}

fn tool(name: String, description: Option<String>) -> Tool {
    Tool {
        name,
        namespace: None,
        description,
        kind: ToolKind::Function {
            schema: json!({ "type": "object", "properties": { "a": { "type": "string" } } }),
            strict: None,
        },
        cache: None,
    }
}

/// What the model says in one turn: a text, and calls with their results.
type Said = (Option<String>, Vec<(String, String, String)>);

/// Turns: perhaps an instruction, then the user and the model by turns, the user first and last. Calls have ids that are
/// unique and results that stand behind them.
pub fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let calls = vec((name(), arguments(), text()), 0..3);
    let said = (proptest::option::of(text()), calls);
    let user = vec(text(), 1..3);
    (
        proptest::option::of(text()),
        user.clone(),
        vec((said, user), 0..4),
    )
        .prop_map(|(system, first, rest)| {
            let mut turns = Vec::new();
            if let Some(system) = system {
                turns.push(turn(Role::System, vec![Part::text(system)]));
            }
            turns.push(turn(Role::User, texts(first)));
            for (number, (said, user)) in rest.into_iter().enumerate() {
                let (said, mut results) = exchange(number, said);
                turns.push(turn(Role::Assistant, said));
                results.extend(texts(user));
                turns.push(turn(Role::User, results));
            }
            turns
        })
}

fn exchange(number: usize, (text, calls): Said) -> (Vec<Part>, Vec<Part>) {
    let mut said: Vec<Part> = text.map(Part::text).into_iter().collect();
    let mut results = Vec::new();
    for (at, (name, arguments, result)) in calls.into_iter().enumerate() {
        let id = format!("call_{number}_{at}");
        results.push(Part::new(Content::Result(CallResult {
            id: id.clone(),
            parts: vec![Part::text(result)],
            is_error: false,
        })));
        said.push(Part::new(Content::Call(Call {
            id,
            name,
            namespace: None,
            input: Input::Json(arguments),
        })));
    }
    if said.is_empty() {
        said.push(Part::text("ok"));
    }
    (said, results)
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts }
}

fn texts(texts: Vec<String>) -> Vec<Part> {
    texts.into_iter().map(Part::text).collect()
}

/// A conversation as this API would have brought it.
pub fn conversation(origin: Api) -> impl Strategy<Value = Conversation> {
    let streaming = proptest::option::of(Just(Streaming { with_usage: true }));
    let max_output = (1_u64..100_000).prop_map(Some);
    (name(), turns(), tools(), max_output, streaming, 0..=10_u32).prop_map(
        move |(model, turns, tools, max_output, streaming, tenths)| Conversation {
            origin,
            model,
            turns,
            tools,
            max_output,
            stop: Vec::new(),
            sampling: Sampling {
                temperature: Number::from_f64(f64::from(tenths) / 10.0),
                ..Sampling::default()
            },
            thinking: Thinking::default(),
            format: Format::Text,
            verbosity: None,
            streaming,
            user: None,
            safety_identifier: None,
            service_tier: None,
            caching: Caching::default(),
            echo: Echo::default(),
            dropped: Dropped::nothing(origin),
        },
    )
}

/// Fails where two conversations differ in what is asked of the model. Where they came from, and what was left out, may
/// differ.
#[track_caller]
pub fn assert_same(one: &Conversation, other: &Conversation) {
    assert_eq!(one.turns, other.turns);
    assert_eq!(one.tools, other.tools);
    assert_eq!(one.max_output, other.max_output);
    assert_eq!(one.stop, other.stop);
    assert_eq!(one.sampling, other.sampling);
    assert_eq!(one.format, other.format);
    assert_eq!(one.verbosity, other.verbosity);
    assert_eq!(one.streaming.is_some(), other.streaming.is_some());
    assert_eq!(one.user, other.user);
    assert_eq!(one.service_tier, other.service_tier);
    assert_eq!(one.caching, other.caching);
}

/// What a client is told of a whole answer: thoughts, a text and calls, in this order, each in one event.
pub fn answer() -> impl Strategy<Value = Vec<Event<'static>>> {
    let calls = vec((name(), arguments()), 0..4);
    let end = prop_oneof![Just(End::Whole), Just(End::Limit)];
    let usage = (1_u64..9999, 0_u64..99, 1_u64..9999, 0_u64..99);
    let text = proptest::option::of(text());
    (name(), text.clone(), text, calls, end, usage).prop_map(
        |(model, thought, text, calls, end, usage)| {
            let mut events = vec![Event::Begin(Begin {
                id: "answer_000000001".to_owned(),
                model,
                created: Some(1_700_000_000),
            })];
            events.extend(thought.map(|thought| Event::Thought(thought.into())));
            let is_empty = calls.is_empty();
            let text = text.or_else(|| is_empty.then(|| "ok".to_owned()));
            events.extend(text.map(|text| Event::Text(text.into())));
            for (number, (name, arguments)) in calls.into_iter().enumerate() {
                let tool = ToolName {
                    name,
                    ..ToolName::default()
                };
                events.push(Event::Call(CallHead {
                    id: format!("call_{number}"),
                    tool,
                }));
                events.push(Event::Arguments(arguments.into()));
                events.push(Event::Called);
            }
            let (input, cached, output, reasoning) = usage;
            events.push(Event::End {
                end: match end {
                    End::Whole if !is_empty => End::Calls,
                    end => end,
                },
                usage: Some(Usage {
                    input: input + cached,
                    cached,
                    written: 0,
                    output: output + reasoning,
                    reasoning,
                }),
            });
            events
        },
    )
}

/// The same events with every text cut in two, at a place that `at` chooses.
pub fn split(events: Vec<Event<'static>>, at: Index) -> Vec<Event<'static>> {
    let mut out = Vec::new();
    for event in events {
        let (text, make): (_, fn(String) -> Event<'static>) = match event {
            Event::Text(text) => (text, |text| Event::Text(text.into())),
            Event::Thought(text) => (text, |text| Event::Thought(text.into())),
            Event::Arguments(text) => (text, |text| Event::Arguments(text.into())),
            other => {
                out.push(other);
                continue;
            }
        };
        let (one, two) = text.split_at(text.floor_char_boundary(at.index(text.len() + 1)));
        let parts = [one, two].map(str::to_owned).into_iter();
        out.extend(parts.filter(|part| !part.is_empty()).map(make));
    }
    out
}

/// The same events with texts that follow each other joined, and without signs of life.
pub fn folded<'a>(events: impl IntoIterator<Item = Event<'a>>) -> Vec<Event<'a>> {
    let mut out: Vec<Event<'a>> = Vec::new();
    for event in events {
        match (out.last_mut(), event) {
            (_, Event::Alive) => {}
            (Some(Event::Text(known)), Event::Text(more))
            | (Some(Event::Refusal(known)), Event::Refusal(more))
            | (Some(Event::Thought(known)), Event::Thought(more))
            | (Some(Event::Arguments(known)), Event::Arguments(more)) => *known += more,
            (_, event) => out.push(event),
        }
    }
    out
}

/// The pieces that an upstream would send for these events.
pub fn pieces(events: Vec<Event<'static>>) -> Vec<Piece<'static>> {
    let mut index = 0;
    let mut out = Vec::new();
    for event in events {
        match event {
            Event::Begin(begin) => out.push(Piece::Begin(begin)),
            Event::Text(text) => out.push(Piece::Text(text)),
            Event::Refusal(text) => out.push(Piece::Refusal(text)),
            Event::Thought(text) => out.push(Piece::Thought(text)),
            Event::Signature(signature) => out.push(Piece::Signature(signature)),
            Event::Cited(citation) => out.push(Piece::Cited(citation)),
            Event::Call(head) => out.push(Piece::Call {
                index,
                id: head.id.into(),
                name: head.tool.name.into(),
                is_custom: head.tool.is_custom,
            }),
            Event::Arguments(text) => out.push(Piece::Arguments { index, text }),
            Event::Called => {
                out.push(Piece::Called {
                    index,
                    arguments: None,
                });
                index += 1;
            }
            Event::End { end, usage } => {
                out.extend(usage.map(Piece::Usage));
                out.extend([Piece::End(end), Piece::Over]);
            }
            Event::Failed(error) => out.push(Piece::Failed(error)),
            Event::Alive => out.push(Piece::Alive),
        }
    }
    out
}

mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::{answer, conversation, folded, pieces, split};
    use crate::dialect::conversation::samples::{assembled, reading};
    use crate::dialect::conversation::{Api, history::repair};

    proptest! {
        #[test]
        fn canonical_turns_need_no_repair(conversation in conversation(Api::Chat)) {
            let mut turns = conversation.turns.clone();
            repair(&mut turns, str::to_owned);
            prop_assert_eq!(turns, conversation.turns);
        }

        #[test]
        fn an_answer_is_told_as_it_is_said(answer in answer(), at in any::<Index>()) {
            let sent = assembled(reading().names, pieces(split(answer.clone(), at)));
            prop_assert_eq!(folded(sent), folded(answer));
        }
    }
}
