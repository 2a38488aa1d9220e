//! Answers as upstreams send them, and what a client is told.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::super::arbitrary::{answer, folded, pieces, split};
use super::{Assembly, TOO_LARGE, UNSOUND};
use crate::dialect::conversation::{End, Event, Names, Piece, Tool, ToolKind, Usage};

fn names() -> Names {
    let patch = Tool {
        name: "patch".to_owned(),
        namespace: None,
        description: None,
        kind: ToolKind::Custom {
            format: Value::Null,
        },
        cache: None,
    };
    Names::of(&[patch], 64, &[])
}

fn call<'a>(index: usize, id: &'a str, name: &'a str) -> Piece<'a> {
    Piece::Call {
        index,
        id: id.into(),
        name: name.into(),
        is_custom: false,
    }
}

fn arguments(index: usize, text: &str) -> Piece<'_> {
    Piece::Arguments {
        index,
        text: text.into(),
    }
}

fn called(index: usize) -> Piece<'static> {
    Piece::Called {
        index,
        arguments: None,
    }
}

fn text(text: &str) -> Piece<'_> {
    Piece::Text(text.into())
}

/// What is told: `a.f`, its arguments and `.`, texts in quotes; an end by its name.
fn name(event: &Event<'_>) -> String {
    match event {
        Event::Begin(_) => "begin".to_owned(),
        Event::Text(text) | Event::Refusal(text) | Event::Thought(text) => format!("'{text}'"),
        Event::Call(head) => format!("{}.{}", head.id, head.tool.name),
        Event::Arguments(text) => text.clone().into_owned(),
        Event::Called => ".".to_owned(),
        Event::End { end, .. } => format!("{end:?}"),
        Event::Failed(error) => error["code"].as_str().unwrap_or_default().to_owned(),
        Event::Signature(_) | Event::Cited(_) | Event::Alive => format!("{event:?}"),
    }
}

fn told_by(assembly: &mut Assembly, piece: Piece<'_>) -> String {
    let mut sent = Vec::new();
    assembly.take(piece, &mut sent);
    let words: Vec<String> = folded(sent).iter().map(name).collect();
    words.join(" ")
}

/// What each piece tells.
fn live<'a>(pieces: impl IntoIterator<Item = Piece<'a>>) -> Vec<String> {
    let mut assembly = Assembly::new(names());
    let pieces = pieces.into_iter();
    pieces.map(|piece| told_by(&mut assembly, piece)).collect()
}

/// What all pieces tell, and the end with its reason and `[DONE]`.
fn sent<'a>(pieces: impl IntoIterator<Item = Piece<'a>>, end: End) -> String {
    let end = [Piece::End(end), Piece::Over];
    let words = live(pieces.into_iter().chain(end));
    let words: Vec<String> = words.into_iter().filter(|name| !name.is_empty()).collect();
    words.join(" ")
}

#[test]
fn calls_that_are_opened_together_are_told_one_after_the_other() {
    let pieces = [
        call(0, "a", "f"),
        arguments(0, ""),
        call(1, "b", "g"),
        arguments(1, ""),
        arguments(0, r#"{"x":"#),
        arguments(0, "1}"),
        arguments(1, r#"{"y":2}"#),
        Piece::End(End::Calls),
        Piece::Over,
    ];
    let expected = [
        "begin a.f",
        "",
        "",
        "",
        r#"{"x":"#,
        "1}",
        "",
        r#". b.g {"y":2} ."#,
        "Calls",
    ];
    assert_eq!(live(pieces), expected);
}

#[test]
fn a_call_is_told_live_once_it_is_known() {
    let late = [
        call(0, "", "f"),
        call(0, "a", ""),
        arguments(0, "{"),
        call(0, "z", "z"),
        arguments(0, "}"),
    ];
    assert_eq!(live(late), ["", "begin a.f", "{", "", "}"]);
    let unnamed = [
        call(0, "a", ""),
        arguments(0, r#"{"x":1}"#),
        call(0, "", "f"),
    ];
    assert_eq!(live(unnamed), ["", "", r#"begin a.f {"x":1}"#]);
    let second = [
        call(0, "a", "f"),
        arguments(0, r#"{"x":1}"#),
        call(1, "b", "g"),
        arguments(1, "{"),
    ];
    assert_eq!(live(second), ["begin a.f", r#"{"x":1}"#, ". b.g", "{"]);

    let words = live([
        call(0, "", "f"),
        arguments(0, r#"{"x""#),
        Piece::End(End::Calls),
    ]);
    assert!(words[1].starts_with("begin call_") && words[1].ends_with(r#".f {"x""#));
}

#[test]
fn the_same_holds_for_blocks_that_are_interleaved() {
    let pieces = [
        call(1, "a", "f"),
        call(2, "b", "g"),
        arguments(1, r#"{"x"#),
        arguments(2, r#"{"y":"#),
        arguments(1, r#"":1}"#),
        called(1),
        arguments(2, "2}"),
        called(2),
    ];
    assert_eq!(
        sent(pieces, End::Calls),
        r#"begin a.f {"x ":1} . b.g {"y": 2} . Calls"#
    );
}

#[test]
fn what_stands_between_calls_keeps_its_place_where_it_can() {
    let whole = [
        call(0, "a", "f"),
        arguments(0, r#"{"x":1}"#),
        text("t"),
        call(1, "b", "g"),
    ];
    assert_eq!(
        sent(whole, End::Whole),
        r#"begin a.f {"x":1} . 't' b.g {} . Calls"#
    );
    let open = [
        call(0, "a", "f"),
        arguments(0, "{"),
        text("t"),
        arguments(0, "}"),
        text("u"),
    ];
    assert_eq!(sent(open, End::Whole), "begin a.f { } . 'tu' Calls");
    let blank = [call(0, "a", "f"), called(0), text("t")];
    assert_eq!(live(blank), ["begin a.f", "", "{} . 't'"]);
}

#[test]
fn arguments_are_an_object_in_the_end() {
    for (parts, expected) in [
        (&[][..], "{}"),
        (&[" ", "\n"], "{}"),
        (&["null"], "{}"),
        (&["{}"], "{}"),
        (&["{}", r#"{"x"#, r#"":1}"#], r#"{"x ":1}"#),
        (&[r#""{\"x\""#, r#":1}""#], r#"{"x":1}"#),
        (&["{\"x\":\"1\n", "2\\", "d\"}"], r#"{"x":"1\n 2 \\d"}"#),
    ] {
        for closes in [false, true] {
            let mut pieces = vec![call(0, "a", "f")];
            pieces.extend(parts.iter().map(|part| arguments(0, part)));
            pieces.extend(closes.then(|| called(0)));
            assert_eq!(
                sent(pieces, End::Calls),
                format!("begin a.f {expected} . Calls")
            );
        }
    }
    let repeated = Piece::Called {
        index: 0,
        arguments: Some("{\"x\":1}".into()),
    };
    assert_eq!(
        sent([call(0, "a", "f"), repeated], End::Calls),
        r#"begin a.f {"x":1} . Calls"#
    );
}

#[test]
fn what_no_tool_can_take_is_a_failure() {
    for broken in ["{\"x\":", "[1]", "x", "{}{", "1"] {
        let pieces = [call(0, "a", "f"), arguments(0, broken), called(0)];
        assert!(sent(pieces, End::Calls).ends_with(UNSOUND), "{broken}");
    }
    assert_eq!(
        sent([call(0, "a", ""), arguments(0, "{}")], End::Calls),
        UNSOUND
    );
    // More of a call that was told as complete.
    let more = [
        call(0, "a", "f"),
        arguments(0, r#"{"x":1}"#),
        text("t"),
        arguments(0, ","),
    ];
    assert_eq!(
        sent(more, End::Calls),
        format!(r#"begin a.f {{"x":1}} . 't' {UNSOUND}"#)
    );
}

#[test]
fn no_more_is_kept_of_an_answer_than_of_an_event() {
    let large = "x".repeat(1 << 20);
    // Arguments of an open call and of one that nobody can name, and texts behind an open call.
    let parts: [fn(usize, &str) -> Piece<'_>; 2] = [arguments, |_, all| text(all)];
    for part in parts {
        let mut assembly = Assembly::new(names());
        told_by(&mut assembly, call(0, "a", "f"));
        let mut take = |number: &usize| told_by(&mut assembly, part(number % 2, &large));
        let fails: Vec<usize> = (1..40).filter(|number| take(number) == TOO_LARGE).collect();
        assert_eq!(fails, [17]);
    }
}

#[test]
fn a_call_may_be_cut_with_the_answer() {
    for end in [End::Limit, End::Filtered] {
        for closes in [false, true] {
            let cut = |name: &'static str, parts: &[&'static str]| {
                let mut pieces = vec![text("t"), call(0, "a", name)];
                pieces.extend(parts.iter().map(|part| arguments(0, part)));
                pieces.extend(closes.then(|| called(0)));
                sent(pieces, end.clone())
            };
            assert_eq!(
                cut("f", &[r#"{"x":"#]),
                format!(r#"begin 't' a.f {{"x": . {end:?}"#)
            );
            assert_eq!(cut("f", &["nu"]), format!("begin 't' a.f nu . {end:?}"));
            assert_eq!(cut("f", &[]), format!("begin 't' a.f . {end:?}"));
            assert_eq!(cut("", &[]), format!("begin 't' {end:?}"));
        }
    }
}

#[test]
fn texts_of_custom_tools_are_told_as_they_come() {
    let pieces = [
        call(0, "a", "patch"),
        arguments(0, r#"{"input":"*** "#),
        arguments(0, r#"\n+x""#),
        arguments(0, "}"),
        Piece::End(End::Whole),
    ];
    assert_eq!(live(pieces), ["begin a.patch", "*** ", "\n+x", "", "."]);
    let native = Piece::Call {
        index: 0,
        id: "a".into(),
        name: "patch".into(),
        is_custom: true,
    };
    assert_eq!(
        sent([native, arguments(0, "*** x"), called(0)], End::Whole),
        "begin a.patch *** x . Calls"
    );
    let other = [call(0, "a", "patch"), arguments(0, "just text")];
    assert_eq!(sent(other, End::Calls), "begin a.patch just text . Calls");
    // Half of it must not be run.
    for closes in [false, true] {
        let half = vec![call(0, "a", "patch"), arguments(0, r#"{"input":"rm /x"#)];
        let half = half.into_iter().chain(closes.then(|| called(0)));
        let events = format!("begin a.patch rm /x {UNSOUND}");
        assert_eq!(sent(half, End::Calls), events);
    }
}

#[test]
fn an_end_needs_a_reason_or_the_usage_of_something_said() {
    let usage = || Piece::Usage(Usage::default());
    assert_eq!(live([text("t"), Piece::Over]), ["begin 't'", ""]);
    assert_eq!(
        live([text("t"), usage(), Piece::Over]),
        ["begin 't'", "", "Whole"]
    );
    let pieces = [call(0, "a", "f"), usage(), Piece::Over];
    assert_eq!(live(pieces), ["begin a.f", "", "{} . Calls"]);
    assert_eq!(live([usage(), Piece::Over]), ["", ""]);
    // The reason first, then the rest.
    let early = [
        text("t"),
        Piece::End(End::Calls),
        call(0, "a", "f"),
        Piece::Over,
    ];
    assert_eq!(live(early), ["begin 't'", "", "a.f", "{} . Calls"]);
}

#[test]
fn an_answer_is_empty_if_nothing_is_said_and_nothing_says_why() {
    let is_empty = |pieces: &[Piece<'static>]| {
        let mut assembly = Assembly::new(names());
        for piece in pieces {
            assembly.take(piece.clone(), &mut Vec::new());
        }
        assembly.is_empty()
    };
    let over = |end: End| [text(""), Piece::End(end), Piece::Over];
    assert!(is_empty(&over(End::Whole)) && is_empty(&over(End::Calls)));
    assert!(!is_empty(&over(End::Limit)) && !is_empty(&over(End::Filtered)));
    assert!(!is_empty(&[text(""), Piece::End(End::Whole)]));
    for said in [
        text("t"),
        Piece::Thought("t".into()),
        Piece::Refusal("t".into()),
        call(0, "a", "f"),
    ] {
        assert!(!is_empty(&[said, Piece::End(End::Whole), Piece::Over]));
    }
}

#[test]
fn a_failure_is_told_unless_the_answer_is_whole() {
    let error = || Piece::Failed(json!({"code": "boom"}));
    assert_eq!(
        live([text("t"), error(), text("u"), Piece::Over]),
        ["begin 't'", "boom", "", ""]
    );
    assert_eq!(
        live([text("t"), Piece::End(End::Whole), error(), Piece::Over])[2..],
        ["", "Whole"]
    );
    assert_eq!(live([Piece::End(End::Failed)]), ["server_error"]);
}

/// The pieces of calls, mixed by their numbers: what belongs to one call keeps its order.
fn mixed(pieces: Vec<Piece<'static>>, order: &[Index]) -> Vec<Piece<'static>> {
    let number = |piece: &Piece<'_>| match piece {
        Piece::Call { index, .. }
        | Piece::Arguments { index, .. }
        | Piece::Called { index, .. } => Some(*index),
        _ => None,
    };
    let is_other = |piece: &Piece<'_>| number(piece).is_none();
    let end = pieces
        .iter()
        .rposition(|piece| !is_other(piece))
        .map_or(0, |at| at + 1);
    let begin = pieces
        .iter()
        .position(|piece| !is_other(piece))
        .unwrap_or(0);
    let mut lanes: Vec<Vec<Piece<'static>>> = Vec::new();
    // All calls are announced in order; without that they have none.
    let mut out = pieces[..begin].to_vec();
    for piece in &pieces[begin..end] {
        let index = number(piece).unwrap();
        match piece {
            Piece::Call { .. } => {
                out.push(piece.clone());
                lanes.push(Vec::new());
            }
            piece => lanes[index].push(piece.clone()),
        }
    }
    for at in order {
        if !lanes.is_empty() {
            let lane = at.index(lanes.len());
            if !lanes[lane].is_empty() {
                out.push(lanes[lane].remove(0));
            }
        }
    }
    out.extend(lanes.into_iter().flatten());
    out.extend_from_slice(&pieces[end..]);
    out
}

proptest! {
    #[test]
    fn any_order_by_number_tells_the_same(
        answer in answer(),
        at in any::<Index>(),
        order in proptest::collection::vec(any::<Index>(), 0..24),
        closes in any::<bool>(),
    ) {
        let mut pieces = pieces(split(answer.clone(), at));
        pieces.retain(|piece| closes || !matches!(piece, Piece::Called { .. }));
        let mut assembly = Assembly::new(names());
        let mut sent = Vec::new();
        for piece in mixed(pieces, &order) {
            assembly.take(piece, &mut sent);
        }
        prop_assert_eq!(folded(sent), answer);
    }
}
