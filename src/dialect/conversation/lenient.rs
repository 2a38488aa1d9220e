//! Fields of a provider's JSON whose type is not to be relied on: a wrong one says nothing, instead of making the whole
//! event unreadable.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::json::{Field, Wanted, pick, wanted};

/// A text; empty if there is none. It borrows from the JSON where nothing in it is escaped. A number is its digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

/// A count; `None` if there is none. Digits in a text are one, too. One that no client could read is cut, so that counts can be
/// added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count(pub Option<u64>);

/// The largest whole number that every reader of JSON holds exactly.
const LARGEST_COUNT: u64 = 1 << 53;

impl Count {
    /// The count that is written so. A number of a few digits is one as it is.
    fn of(written: &str) -> Option<u64> {
        match written.parse() {
            Ok(count) if written.len() < 16 => Some(count),
            _ => serde_json::from_str::<Self>(written).ok()?.0,
        }
    }
}

/// The largest of some counts, which mean the same; 0 if none is there.
pub(in crate::dialect) fn most<const N: usize>(counts: [Field<'_>; N]) -> u64 {
    let written = counts.into_iter().filter_map(Field::get);
    written.filter_map(Count::of).max().unwrap_or(0)
}

wanted!(
    /// Of what a count of tokens consists, in `OpenAI`'s words.
    pub(in crate::dialect) Details:
    cached_tokens, cache_write_tokens, reasoning_tokens
);

impl<'a> Details<'a> {
    /// Reads them; what cannot be read says nothing.
    pub(in crate::dialect) fn of(details: Field<'a>) -> Self {
        let written = details.get().unwrap_or_default();
        pick(written.as_bytes()).unwrap_or_default()
    }
}

/// A value that should be a text, and whose meaning is to be found where it is none.
#[derive(Debug, Default)]
pub enum Loose<'a> {
    /// null, or no value.
    #[default]
    Nothing,
    /// It is one.
    Text(Cow<'a, str>),
    /// It is something else, which is rare: events that have many such fields stay small.
    Other(Box<Value>),
}

impl<'a> Loose<'a> {
    /// Its text; empty if it is something else.
    pub fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::Nothing | Self::Other(_) => Cow::Borrowed(""),
        }
    }

    /// Its text, if it is one.
    pub fn as_text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Nothing | Self::Other(_) => "",
        }
    }

    /// A number, which some write as a text.
    pub fn as_count(&self) -> Option<u64> {
        match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Other(value) => count_of(value),
            Self::Nothing => None,
        }
    }
}

/// A value that should be a text. Anything else stays as it was written: a tree would round its numbers.
#[derive(Debug, Default)]
pub enum TextOrJson<'a> {
    /// null, or no value.
    #[default]
    Nothing,
    /// It is one.
    Text(Cow<'a, str>),
    /// It is something else, in JSON.
    Json(&'a str),
}

impl<'a> TextOrJson<'a> {
    /// The text, or the JSON of anything else.
    pub fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Nothing => Cow::Borrowed(""),
            Self::Text(text) => text,
            Self::Json(json) => Cow::Borrowed(json),
        }
    }
}

/// An object; `None` if there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<T>(pub Option<T>);

/// A list; empty if there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

/// A number without sign and fraction.
fn count_of(value: &Value) -> Option<u64> {
    let whole = || value.as_f64().filter(|number| *number >= 0.0);
    value
        .as_u64()
        .or_else(|| whole().map(|number| number as u64))
}

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for TextOrJson<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&'a RawValue>::deserialize(deserializer)?.get();
        Ok(match json.as_bytes() {
            b"null" => Self::Nothing,
            [b'"', ..] => Self::Text(serde_json::from_str::<Text<'a>>(json).unwrap_or_default().0),
            _ => Self::Json(json),
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Loose::deserialize(deserializer)? {
            Loose::Other(value) if value.is_number() => Cow::Owned(value.to_string()),
            loose => loose.into_text(),
        }))
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let count = Loose::deserialize(deserializer)?.as_count();
        Ok(Self(count.map(|count| count.min(LARGEST_COUNT))))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

/// What a visitor of objects or of lists makes of a single value.
macro_rules! nothing_of_single_values {
    () => {
        fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    };
}

/// Values that are no texts, each kept as it is.
macro_rules! other_of {
    ($($visit:ident: $kind:ty),*) => {$(
        fn $visit<E: Error>(self, value: $kind) -> Result<Self::Value, E> {
            Ok(Loose::Other(Box::new(value.into())))
        }
    )*};
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose<'de>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("any value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Loose::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Loose::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(Loose::Text(Cow::Owned(text)))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Loose::Nothing)
    }

    other_of!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        let list = Value::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(Loose::Other(Box::new(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let object = Value::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Loose::Other(Box::new(object)))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(object)).map(|object| Object(Some(object)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Object<T>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Object(None))
    }

    nothing_of_single_values!();
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<List<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element::<T>()? {
            entries.push(entry);
        }
        Ok(List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<List<T>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(List(Vec::new()))
    }

    nothing_of_single_values!();
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde::Deserialize;

    use super::{Count, List, Object, Text};

    #[derive(Deserialize)]
    struct Seen<'a> {
        #[serde(borrow, default)]
        text: Text<'a>,
        #[serde(default)]
        count: Count,
        #[serde(default)]
        object: Object<Inner>,
        #[serde(default)]
        list: List<Object<Inner>>,
    }

    #[derive(Deserialize)]
    struct Inner {
        #[serde(default)]
        count: Count,
    }

    #[test]
    fn a_field_of_the_right_type_is_read() {
        let json = r#"{"text":"ä","count":3,"object":{"count":"4","more":[1]},"list":[{"count":5.0},null,7]}"#;
        let seen: Seen<'_> = serde_json::from_str(json).unwrap();
        assert!(matches!(seen.text.0, Cow::Borrowed("ä")));
        assert_eq!(seen.count.0, Some(3));
        assert_eq!(seen.object.0.unwrap().count.0, Some(4));
        let counts: Vec<_> = seen
            .list
            .0
            .into_iter()
            .map(|inner| inner.0.and_then(|inner| inner.count.0))
            .collect();
        assert_eq!(counts, [Some(5), None, None]);
        let escaped: Seen<'_> = serde_json::from_str(r#"{"text":"a\n"}"#).unwrap();
        assert_eq!(escaped.text.0, "a\n");
    }

    #[test]
    fn a_field_of_another_type_says_nothing() {
        for value in [
            "null",
            "true",
            "-1",
            "1.5",
            "\"x\"",
            "[[1]]",
            "{\"a\":{\"b\":[]}}",
        ] {
            let json =
                format!(r#"{{"text":{value},"count":{value},"object":{value},"list":{value}}}"#);
            let seen: Seen<'_> =
                serde_json::from_str(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
            assert_eq!(
                seen.text.0.is_empty(),
                !value.starts_with(['"', '-', '1']),
                "{value}"
            );
            assert!(seen.object.0.is_none_or(|inner| inner.count.0.is_none()));
        }
    }
}
