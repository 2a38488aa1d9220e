//! Environment variables in the configuration: `${NAME}` and `${NAME:-default}` in texts.
//!
//! They are expanded after the YAML has been parsed, so that what a variable holds can never change the structure.

use std::mem;

use serde_yaml::Value;

use super::path::Path;
use super::problem::Found;

/// A variable of this process; one that is empty counts as not set.
pub fn process_environment(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Expands all texts, and notes what was written. A variable that cannot be expanded is a problem, and its text stays
/// as it is.
///
/// Keys that are not texts become texts, so that every place has a path. YAML tags mean nothing here and are removed.
pub(super) fn expand(
    value: &mut Value,
    variable: &dyn Fn(&str) -> Option<String>,
    found: &mut Found,
) {
    Expansion { variable, found }.visit(value, &Path::default());
}

struct Expansion<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    found: &'a mut Found,
}

impl Expansion<'_> {
    fn visit(&mut self, value: &mut Value, path: &Path) {
        while let Value::Tagged(tagged) = value {
            *value = mem::take(&mut tagged.value);
        }
        match value {
            Value::String(text) if text.contains("${") => self.text(text, path),
            Value::Sequence(entries) => {
                for (index, entry) in entries.iter_mut().enumerate() {
                    let path = path.index(index);
                    if entry.is_null() {
                        let hint = "fill it in, or remove its `-`".to_owned();
                        self.found.note(path.clone(), "is empty", Some(hint));
                    }
                    self.visit(entry, &path);
                }
            }
            Value::Mapping(entries) => {
                for (key, mut value) in mem::take(entries) {
                    let key = self.key(key, path);
                    self.visit(&mut value, &path.key(&key));
                    entries.insert(key.into(), value);
                }
            }
            _ => {}
        }
    }

    fn key(&mut self, key: Value, path: &Path) -> String {
        let name = match key {
            Value::String(name) => return name,
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            _ => "?".to_owned(),
        };
        let hint = format!("write \"{name}\"");
        self.found
            .note(path.key(&name), "the key is not a text", Some(hint));
        name
    }

    fn text(&mut self, text: &mut String, path: &Path) {
        match expanded(text, self.variable) {
            Ok(value) => {
                let written = mem::replace(text, value);
                self.found.note_written(path.clone(), written);
            }
            Err(Unexpandable { message, hint }) => self.found.note(path.clone(), message, hint),
        }
    }
}

struct Unexpandable {
    message: String,
    hint: Option<String>,
}

/// Expands one text; `$${` stands for `${` itself. No message shows more of a text than the name of a variable: the
/// text may be a key.
fn expanded(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, Unexpandable> {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if let Some(literal) = rest[..start].strip_suffix('$') {
            result += literal;
            result += "${";
            rest = &rest[start + 2..];
            continue;
        }
        result += &rest[..start];
        let Some((reference, after)) = rest[start + 2..].split_once('}') else {
            return Err(Unexpandable {
                message: "has a `${` without `}`".to_owned(),
                hint: Some("write $${ for the characters themselves".to_owned()),
            });
        };
        result += &resolve(reference, variable)?;
        rest = after;
    }
    Ok(result + rest)
}

fn resolve(
    reference: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<String, Unexpandable> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(Unexpandable {
            message: "has a `${` that does not name an environment variable".to_owned(),
            hint: Some("write ${NAME} or ${NAME:-default}".to_owned()),
        });
    }
    if reference.contains("${") {
        return Err(Unexpandable {
            message: "has a `${` within another".to_owned(),
            hint: Some("a default is a plain text".to_owned()),
        });
    }
    variable(name)
        .filter(|value| !value.is_empty())
        .or_else(|| default.map(str::to_owned))
        .ok_or_else(|| Unexpandable {
            message: format!("the environment variable {name} is not set"),
            hint: Some(format!("export it, or write ${{{name}:-default}}")),
        })
}

#[cfg(test)]
mod tests {
    use super::expanded;

    fn expand(text: &str) -> Option<String> {
        let variable = |name: &str| match name {
            "A" => Some("value".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        expanded(text, &variable).ok()
    }

    #[test]
    fn references_defaults_and_escapes_are_expanded() {
        assert_eq!(expand("x${A}y${B:-b}").as_deref(), Some("xvalueyb"));
        assert_eq!(expand("$${A} costs $5").as_deref(), Some("${A} costs $5"));
        assert_eq!(expand("${A:-b}${B:-}").as_deref(), Some("value"));
        assert_eq!(expand("${EMPTY:-b}").as_deref(), Some("b"));
        for wrong in ["${B}", "${A", "${}", "${a b}", "${EMPTY}", "${B:-${A}}"] {
            assert_eq!(expand(wrong), None, "{wrong}");
        }
    }
}
