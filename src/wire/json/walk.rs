//! Reads a JSON text token by token, without building a tree.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

/// A token of a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// The start of an object or a list.
    Open,
    /// The name of a field, whose value follows.
    Key(&'a str),
    /// A string value. Other values yield no token.
    Text(&'a str),
    /// The end of the innermost open object or list.
    Close,
}

/// Passes all tokens of a text to `see`, in order. Stops with an error at a place that cannot be parsed.
pub fn walk(text: &[u8], mut see: impl FnMut(Token<'_>)) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    Value(&mut see).deserialize(&mut reader)?;
    reader.end()
}

struct Value<'s>(&'s mut dyn FnMut(Token<'_>));

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        (self.0)(Token::Text(text));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        (self.0)(Token::Open);
        while list.next_element_seed(Value(self.0))?.is_some() {}
        (self.0)(Token::Close);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        (self.0)(Token::Open);
        while fields.next_key_seed(Key(self.0))?.is_some() {
            fields.next_value_seed(Value(self.0))?;
        }
        (self.0)(Token::Close);
        Ok(())
    }
}

struct Key<'s>(&'s mut dyn FnMut(Token<'_>));

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        (self.0)(Token::Key(name));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Token, walk};

    #[test]
    fn everything_is_shown_in_its_order() {
        let mut seen = Vec::new();
        let text = br#"{"a":["x",1,null,-1.5,true,"\u00e9"],"b":{"c":"y"}}"#;
        walk(text, |token| {
            seen.push(match token {
                Token::Open => "(".to_owned(),
                Token::Close => ")".to_owned(),
                Token::Key(name) => format!("{name}:"),
                Token::Text(text) => text.to_owned(),
            });
        })
        .unwrap();
        assert_eq!(seen.concat(), "(a:(xé)b:(c:y))");
        assert!(walk(b"{} x", |_| ()).is_err());
    }
}
