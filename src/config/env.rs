//! References in the configuration: `${NAME}` stands for an environment variable, `${file:PATH}` for what a file holds; with
//! `:-` behind it, a default follows.
//!
//! They are expanded after the YAML has been parsed, so that what they stand for can never change the structure.

use std::mem;
use std::path::{Path as FilePath, PathBuf};

use serde_yaml::Value;

use super::path::Path;
use super::problem::Found;
use super::text_file;

/// What a reference to a file begins with.
const FILE: &str = "file:";

/// A variable of this process; one that is empty counts as not set.
pub fn process_environment(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Expands all texts, and notes what was written and which files are named. A reference that cannot be expanded is a problem,
/// and its text stays as it is.
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
        let mut files = Vec::new();
        let result = expanded(text, self.variable, &mut files);
        self.found.note_files(files);
        match result {
            Ok(value) => {
                let written = mem::replace(text, value);
                self.found.note_written(path.clone(), written);
            }
            Err(Unexpandable { message, hint }) => self.found.note(path.clone(), message, hint),
        }
    }
}

#[derive(Debug)]
struct Unexpandable {
    message: String,
    hint: Option<String>,
}

/// Expands one text, and adds the files that it names; `$${` stands for `${` itself. No message shows more of a text than the
/// name of a variable or of a file: the text may be a key.
fn expanded(
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    files: &mut Vec<PathBuf>,
) -> Result<String, Unexpandable> {
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
        result += &resolve(reference, variable, files)?;
        rest = after;
    }
    Ok(result + rest)
}

fn resolve(
    reference: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    files: &mut Vec<PathBuf>,
) -> Result<String, Unexpandable> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    if reference.contains("${") {
        return Err(Unexpandable {
            message: "has a `${` within another".to_owned(),
            hint: Some("a path and a default are plain texts".to_owned()),
        });
    }
    if let Some(path) = name.strip_prefix(FILE).filter(|path| !path.is_empty()) {
        files.push(PathBuf::from(path));
        return from_file(path, default);
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(Unexpandable {
            message: "has a `${` that names neither an environment variable nor a file".to_owned(),
            hint: Some("write ${NAME}, ${NAME:-default} or ${file:/path/of/it}".to_owned()),
        });
    }
    variable(name)
        .filter(|value| !value.is_empty())
        .or_else(|| default.map(str::to_owned))
        .ok_or_else(|| Unexpandable {
            message: format!("the environment variable {name} is unset or empty"),
            hint: Some(format!("export it, or write ${{{name}:-default}}")),
        })
}

fn from_file(path: &str, default: Option<&str>) -> Result<String, Unexpandable> {
    let read = text_file::read(FilePath::new(path));
    read.or_else(|reason| match default {
        Some(default) => Ok(default.to_owned()),
        None => Err(Unexpandable {
            message: format!("the file {path} {reason}"),
            hint: Some(format!(
                "put the text into it, or write ${{{FILE}{path}:-default}}"
            )),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::{PathBuf, expanded};

    fn expand(text: &str) -> Option<String> {
        let variable = |name: &str| match name {
            "A" => Some("value".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        expanded(text, &variable, &mut Vec::new()).ok()
    }

    #[test]
    fn references_defaults_and_escapes_are_expanded() {
        assert_eq!(expand("x${A}y${B:-b}").as_deref(), Some("xvalueyb"));
        assert_eq!(expand("$${A} costs $5").as_deref(), Some("${A} costs $5"));
        assert_eq!(expand("${A:-b}${B:-}").as_deref(), Some("value"));
        assert_eq!(expand("${EMPTY:-b}").as_deref(), Some("b"));
        for wrong in [
            "${B}",
            "${A",
            "${}",
            "${a b}",
            "${EMPTY}",
            "${B:-${A}}",
            "${file:}",
            "${file:/${A}}",
        ] {
            assert_eq!(expand(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn files_stand_for_what_they_hold_and_are_known_also_if_they_are_missing() {
        let folder = tempfile::tempdir().unwrap();
        let (there, missing) = (folder.path().join("key"), folder.path().join("none"));
        std::fs::write(&there, "s ${A}\n").unwrap();
        let (shown, absent) = (there.display(), missing.display());
        let mut files: Vec<PathBuf> = Vec::new();
        let mut expand = |text: &str| expanded(text, &|_| None, &mut files);
        let text = expand(&format!("Bearer ${{file:{shown}}}!"));
        // What it holds is no reference.
        assert_eq!(text.ok().as_deref(), Some("Bearer s ${A}!"));
        let text = expand(&format!("${{file:{absent}:-b}}"));
        assert_eq!(text.ok().as_deref(), Some("b"));
        let error = expand(&format!("${{file:{absent}}}")).unwrap_err();
        let start = format!("the file {absent} cannot be read: ");
        assert!(error.message.starts_with(&start), "{}", error.message);
        assert_eq!(files, [there, missing.clone(), missing]);
    }
}
