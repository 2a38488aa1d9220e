//! Environment variables in the configuration: `${NAME}` and `${NAME:-default}` in texts.
//!
//! They are expanded after the YAML has been parsed, so that what a variable holds can never change the structure.

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

/// A text that was expanded: what it says now, and what was written.
pub(super) struct Expanded {
    pub(super) path: Path,
    pub(super) value: String,
    pub(super) written: String,
}

/// Expands all texts. What cannot be expanded is a problem, and taken out.
pub(super) fn expand(
    value: &mut Value,
    variable: &dyn Fn(&str) -> Option<String>,
    found: &mut Found,
) -> Vec<Expanded> {
    let mut expansion = Expansion {
        variable,
        found,
        expanded: Vec::new(),
    };
    expansion.visit(value, &Path::default());
    expansion.expanded
}

struct Expansion<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    found: &'a mut Found,
    expanded: Vec<Expanded>,
}

impl Expansion<'_> {
    fn visit(&mut self, value: &mut Value, path: &Path) {
        match value {
            Value::String(text) if text.contains("${") => self.text(text, path),
            Value::Sequence(entries) => {
                for (index, entry) in entries.iter_mut().enumerate() {
                    self.visit(entry, &path.index(index));
                }
            }
            Value::Mapping(entries) => {
                // A key without a value, its lines perhaps commented out, is as good as left out.
                entries.retain(|_, value| !value.is_null());
                for (key, value) in entries.iter_mut() {
                    let key = key.as_str().unwrap_or_default().to_owned();
                    self.visit(value, &path.key(&key));
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &mut String, path: &Path) {
        let written = text.clone();
        match expanded(&written, self.variable) {
            Ok(value) => {
                text.clone_from(&value);
                self.expanded.push(Expanded {
                    path: path.clone(),
                    value,
                    written,
                });
            }
            Err(Unexpandable { message, hint }) => self.found.note(path.clone(), message, hint),
        }
    }
}

struct Unexpandable {
    message: String,
    hint: Option<String>,
}

/// `$${` stands for `${` itself.
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
                message: format!("`{text}` has a `${{` without `}}`"),
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
            message: format!("`${{{reference}}}` does not name an environment variable"),
            hint: Some("write ${NAME} or ${NAME:-default}".to_owned()),
        });
    }
    variable(name)
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
        let variable = |name: &str| (name == "A").then(|| "value".to_owned());
        expanded(text, &variable).ok()
    }

    #[test]
    fn references_defaults_and_escapes_are_expanded() {
        assert_eq!(expand("x${A}y${B:-b}").as_deref(), Some("xvalueyb"));
        assert_eq!(expand("$${A} costs $5").as_deref(), Some("${A} costs $5"));
        assert_eq!(expand("${A:-b}${B:-}").as_deref(), Some("value"));
        for wrong in ["${B}", "${A", "${}", "${a b}"] {
            assert_eq!(expand(wrong), None, "{wrong}");
        }
    }
}
