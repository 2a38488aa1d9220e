//! A request as a tree, in which the input of each call is a text: a tree would round its numbers.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Reads a body.
///
/// # Errors
///
/// It is no JSON, is nested too deeply, or has numbers that are out of range.
pub fn read_tree(body: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(body).map(|Tree(value)| value)
}

struct Tree(Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor).map(Self)
    }
}

struct TreeVisitor;

/// Values that have no others in them.
macro_rules! scalars {
    ($($visit:ident: $kind:ty),*) => {$(
        fn $visit<E: Error>(self, value: $kind) -> Result<Value, E> {
            Ok(value.into())
        }
    )*};
}

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Value;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("any value")
    }

    scalars!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str, visit_string: String);

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Tree(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        let mut input: Option<&RawValue> = None;
        while let Some(name) = object.next_key::<String>()? {
            let value = if name == "input" {
                input = Some(object.next_value()?);
                Value::Null
            } else {
                object.next_value::<Tree>()?.0
            };
            fields.insert(name, value);
        }
        if let Some(input) = input.map(RawValue::get) {
            let is_call = fields.get("type").is_some_and(|kind| kind == "tool_use");
            // A plain tree, whose depth has a limit: this function has none of its own.
            fields["input"] = match is_call && input.starts_with('{') {
                true => input.into(),
                false => serde_json::from_str(input).map_err(A::Error::custom)?,
            };
        }
        Ok(fields.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::read_tree;

    #[test]
    fn only_the_input_of_a_call_stays_a_text() {
        let body = r#"{"a":[true,-1,1.5,"\u00e4",null],"input":{"type":"x"},"calls":[{"input":{ "n":1.10},"type":"tool_use"},{"type":"tool_use","input":"x"},{"type":"tool_use","input":null}]}"#;
        let mut expected: Value = serde_json::from_str(body).unwrap();
        expected["calls"][0]["input"] = json!(r#"{ "n":1.10}"#);
        assert_eq!(read_tree(body.as_bytes()).unwrap(), expected);
        assert!(read_tree(b"{} x").is_err() && read_tree(b"{").is_err());
    }

    #[test]
    fn depth_has_a_limit() {
        for name in ["input", "other"] {
            let deep = format!("{{\"{name}\":").repeat(100_000);
            assert!(read_tree(format!("{deep}1{}", "}".repeat(100_000)).as_bytes()).is_err());
        }
    }
}
