//! The reader beside `serde_json`, whose judgement it must share.

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{Broken, Field, Reader, Wanted, pick, plain, text};

#[derive(Debug, Default, PartialEq)]
struct Ours<'a> {
    a: Field<'a>,
    b: Field<'a>,
}

impl<'a> Wanted<'a> for Ours<'a> {
    fn field(&mut self, name: &[u8]) -> Option<&mut Field<'a>> {
        match name {
            b"a" => Some(&mut self.a),
            b"b" => Some(&mut self.b),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct Theirs<'a> {
    #[serde(borrow)]
    a: Option<&'a RawValue>,
    #[serde(borrow)]
    b: Option<&'a RawValue>,
}

/// Both readers accept the same texts, and find the same in them.
fn agree(bytes: &[u8]) {
    let shown = String::from_utf8_lossy(bytes);
    let mut reader = Reader::new(bytes);
    let skipped = reader.skip().and_then(|()| reader.end());
    let theirs = serde_json::from_slice::<IgnoredAny>(bytes);
    assert_eq!(skipped.is_ok(), theirs.is_ok(), "{shown}");
    let ours = pick::<Ours<'_>>(bytes);
    // It would read an object from a list, too.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return assert!(ours.is_err(), "{shown}");
    }
    match (ours, serde_json::from_slice::<Theirs<'_>>(bytes)) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours.a.get(), theirs.a.map(RawValue::get), "{shown}");
            assert_eq!(ours.b.get(), theirs.b.map(RawValue::get), "{shown}");
            for raw in [theirs.a, theirs.b].into_iter().flatten() {
                let theirs = serde_json::from_str::<String>(raw.get()).ok();
                assert_eq!(text(raw.get()).as_deref(), theirs.as_deref(), "{shown}");
            }
        }
        // It would check names that nobody wants for UTF-8, too.
        (Ok(_), Err(_)) => assert!(std::str::from_utf8(bytes).is_err(), "{shown}"),
        (ours, _) => assert!(ours.is_err(), "{shown}"),
    }
}

/// What JSON is made of, and what it is not.
fn crumbs() -> impl Strategy<Value = Vec<u8>> {
    let crumb = prop::sample::select(&[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        " ",
        "\n",
        "\"a\":",
        "\"b\":",
        "\"\\u0061\":",
        "\"c\":",
        "\"x\"",
        "\"\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "\\u00",
        "\\n",
        "\\x",
        "1",
        "0",
        "-",
        "-0",
        "01",
        "1.5",
        "1.",
        "e9",
        "1e+7",
        "1E-",
        "1e999",
        "true",
        "false",
        "null",
        "nul",
        "é",
        "\u{7f}",
        "\t",
        "\u{1}",
        "/",
        "//",
        "{}",
        "[]",
        "\"long enough to be more than eight of the words that are looked through one by one, \"",
    ]);
    let crumb = prop_oneof![
        20 => crumb.prop_map(|crumb| crumb.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(crumb, 0..12).prop_map(|crumbs| crumbs.concat())
}

/// A text that is JSON.
fn json() -> impl Strategy<Value = String> {
    let simple = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| serde_json::Value::from(value).to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
        "[a-z\\\\\"\u{0}-\u{20}é]{60,90}"
            .prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    let space = "[ \n\r\t]{0,2}";
    simple.prop_recursive(6, 40, 5, move |inner| {
        let name = prop_oneof![Just("a"), Just("b"), Just("\\u0061"), Just("c"), Just("")];
        let field = (space, name, space, inner.clone(), space)
            .prop_map(|(s, name, t, value, u)| format!("{s}\"{name}\"{t}:{value}{u}"));
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec(field, 0..5)
                .prop_map(|fields| format!("{{{}}}", fields.join(","))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn rubbish_is_judged_alike(bytes in crumbs()) {
        agree(&bytes);
        agree(&[b"{\"a\":", &bytes[..], b"}"].concat());
        agree(&[b"{\"c\":[", &bytes[..], b"]}"].concat());
    }

    #[test]
    fn json_is_judged_alike_whole_cut_and_broken(
        json in json(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        agree(json.as_bytes());
        let mut bytes = json.into_bytes();
        let at = at.index(bytes.len());
        agree(&bytes[..at]);
        bytes[at] = byte;
        agree(&bytes);
    }

    #[test]
    fn every_string_ends_where_it_ends(bytes in prop::collection::vec(any::<u8>(), 0..200), from in 0..90u8) {
        let bytes: Vec<u8> = bytes.into_iter().map(|byte| byte.max(from)).collect();
        let first = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=31));
        prop_assert_eq!(plain(&bytes), first.unwrap_or(bytes.len()));
    }
}

#[test]
fn what_is_not_read_may_be_as_deep_as_it_likes() {
    let deep = |inner: &str| {
        let (open, close) = ("[{\"c\":".repeat(5000), "}]".repeat(5000));
        format!("{{\"c\":{open}{inner}{close},\"a\":1}}")
    };
    agree(deep("1").as_bytes());
    agree(deep("1]").as_bytes());
    let deep = deep("1");
    assert_eq!(
        pick::<Ours<'_>>(deep.as_bytes()).unwrap().a.get(),
        Some("1")
    );
}

#[test]
fn what_is_wrong_is_told() {
    for (text, broken) in [
        (&b"{\"a\":1,\"a\":1}"[..], Broken::Twice),
        (b"{\"a\":null,\"\\u0061\":1}", Broken::Twice),
        (b"{\"a\":\"\xff\"}", Broken::Encoding),
        (b"[]", Broken::Type),
        (b"{} x", Broken::Syntax),
        (b"{\"\\ud800\":1}", Broken::Syntax),
    ] {
        assert_eq!(pick::<Ours<'_>>(text), Err(broken));
    }
    let picked: Ours<'_> = pick("{\"b\":1,\"a\":\"ü\",\"ü\":2}".as_bytes()).unwrap();
    assert_eq!(picked.a.text().as_deref(), Some("ü"));
    assert!(pick::<Ours<'_>>(b"{\"\xff\":\"\xff\\ud800\",\"\xff\":1}").is_ok());
}

#[test]
fn lists_are_read_item_by_item() {
    let mut items = Vec::new();
    let mut reader = Reader::new(br#" [1, {"a":[2]} ,"x"]"#);
    reader
        .list(|reader| {
            items.push(reader.value()?);
            Ok(())
        })
        .unwrap();
    reader.end().unwrap();
    assert_eq!(items, ["1", "{\"a\":[2]}", "\"x\""]);
}
