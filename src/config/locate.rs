//! The line of a place in a YAML text.
//!
//! Parsed YAML has no line numbers, but its errors do. So this walks the text towards the place and fails there on
//! purpose.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::path::{Path, Step};

/// The line, from 1, on which the key or list entry at `path` stands; of the deepest part of the path that exists.
pub(super) fn locate(text: &str, path: &Path) -> Option<usize> {
    let found = (1..=path.0.len())
        .rev()
        .find_map(|length| place(text, &path.0[..length]));
    found.or_else(|| (!path.0.is_empty()).then_some(1))
}

fn place(text: &str, steps: &[Step]) -> Option<usize> {
    let error = Walk { steps }
        .deserialize(serde_yaml::Deserializer::from_str(text))
        .err()?;
    error.location().map(|location| location.line())
}

/// Walks along `steps`; when none is left, the place is reached.
#[derive(Clone, Copy)]
struct Walk<'a> {
    steps: &'a [Step],
}

/// Skips keys until the wanted one, and stops there if it is the last step.
struct Key<'a> {
    wanted: &'a str,
    is_last: bool,
}

fn here<E: Error>() -> E {
    E::custom("here")
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), rest)) = self.steps.split_first() else {
            return leave_map(map);
        };
        let is_last = rest.is_empty();
        while let Some(is_wanted) = map.next_key_seed(Key { wanted, is_last })? {
            if is_wanted {
                map.next_value_seed(Walk { steps: rest })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((Step::Index(wanted), rest)) = self.steps.split_first() else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        for _ in 0..*wanted {
            if seq.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        let found = if rest.is_empty() {
            seq.next_element_seed(Stop)?
        } else {
            seq.next_element_seed(Walk { steps: rest })?
        };
        if found.is_some() {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
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
}

fn leave_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        let is_wanted = key == self.wanted;
        if is_wanted && self.is_last {
            Err(here())
        } else {
            Ok(is_wanted)
        }
    }
}

/// Fails at whatever comes next.
struct Stop;

impl<'de> DeserializeSeed<'de> for Stop {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Stop {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The default methods reject every kind of value, and their error has the line.
        f.write_str("nothing")
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::Path;
    use super::locate;

    const TEXT: &str = "\
listen: 127.0.0.1:4000
upstreams:
  openai: {provider: openai,
    api_key: x}
  local:
    provider: ollama
routes:
  - models: [\"a\",
      \"b\"]
    candidates:
      - {upstream: openai}
      - upstream: local
        tier: 2
";

    fn line(path: &Path) -> Option<usize> {
        locate(TEXT, path)
    }

    #[test]
    fn keys_and_entries_are_found_in_block_and_flow_style() {
        let root = Path::default();
        assert_eq!(line(&root.key("listen")), Some(1));
        assert_eq!(
            line(&root.key("upstreams").key("openai").key("api_key")),
            Some(4)
        );
        assert_eq!(line(&root.key("upstreams").key("local")), Some(5));
        let route = root.key("routes").index(0);
        assert_eq!(line(&route), Some(8));
        assert_eq!(line(&route.key("models").index(1)), Some(9));
        assert_eq!(line(&route.key("candidates").index(1)), Some(12));
        assert_eq!(
            line(&route.key("candidates").index(1).key("tier")),
            Some(13)
        );
    }

    #[test]
    fn behind_an_alias_the_line_is_that_of_its_anchor() {
        let text = "a: &k\n  x: 1\nb: *k\nc:\n  - *k\n  - {y: 2}\n";
        let root = Path::default();
        assert_eq!(locate(text, &root.key("b")), Some(3));
        assert_eq!(locate(text, &root.key("b").key("x")), Some(2));
        assert_eq!(locate(text, &root.key("c").index(1).key("y")), Some(6));
    }

    #[test]
    fn what_is_missing_is_looked_for_in_what_it_should_be_in() {
        let root = Path::default();
        assert_eq!(
            line(&root.key("upstreams").key("local").key("base_url")),
            Some(5)
        );
        assert_eq!(line(&root.key("nowhere").key("x")), Some(1));
    }
}
