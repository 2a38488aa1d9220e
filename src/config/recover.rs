//! From YAML values to structs, in spite of mistakes.
//!
//! serde stops at the first error. So we note its place, remove what stands there, and read again, until nothing is
//! wrong any more.

use serde_path_to_error::Segment;
use serde_yaml::{Mapping, Value};

use super::file::Config;
use super::path::{Path, Step};
use super::problem::{Found, nearest};

/// More mistakes than anybody wants to read.
const MOST_MISTAKES: usize = 200;

/// By which a file of `LiteLLM` is known.
const LITELLMS: &str = "model_list";

/// How often something else is put into a list in place of what is wrong.
const ATTEMPTS: usize = 2;

/// Reads a configuration; each mistake is noted, and removed from `value`.
pub(super) fn read(value: &mut Value, found: &mut Found) -> Config {
    let mut places = Vec::new();
    for _ in 0..MOST_MISTAKES {
        let error = match serde_path_to_error::deserialize::<_, Config>(&*value) {
            Ok(config) => return config,
            Err(error) => error,
        };
        let mut path = note(&error, value, found);
        // Nothing that we know of may stand in this list.
        if places.iter().filter(|place| **place == path).count() == ATTEMPTS {
            path.0.pop();
        }
        if !take_out(value, &path) {
            break;
        }
        places.push(path);
    }
    // No later check may mistake the defaults for what was configured.
    found.note(
        Path::default(),
        "has more mistakes than can be shown at once",
        None,
    );
    Config::default()
}

/// Notes an error of serde, with its place.
fn note(
    error: &serde_path_to_error::Error<serde_yaml::Error>,
    value: &Value,
    found: &mut Found,
) -> Path {
    let steps = error.path().iter().filter_map(|segment| match segment {
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    let path = Path(steps.collect());
    let problem_text = error.inner().to_string();
    if let Some((key, known)) = unknown_key(&problem_text) {
        let mut parent = path;
        if matches!(parent.0.last(), Some(Step::Key(last)) if *last == key) {
            parent.0.pop();
        }
        return note_unknown(&key, &known, &parent, value, found);
    }
    match at(value, &path) {
        // A key without a value, its lines perhaps commented out, counts as left out.
        Some(Value::Null) => {}
        Some(Value::String(text)) => {
            let shown = format!("`{}`", found.shown(&path, text));
            let message = without_content(&problem_text).replace(&format!("`{text}`"), &shown);
            found.note(path.clone(), message, None);
        }
        _ => found.note(path.clone(), without_content(&problem_text), None),
    }
    path
}

fn note_unknown(
    key: &str,
    known: &[String],
    parent: &Path,
    value: &Value,
    found: &mut Found,
) -> Path {
    let similar = nearest(key, known.iter().map(String::as_str));
    let hint = match similar.filter(|_| key != LITELLMS) {
        Some(meant) => {
            // A key that is only misspelt must not be reported as missing too.
            let meant_path = parent.key(meant);
            if at(value, &meant_path).is_none() {
                found.excuse(meant_path);
            }
            format!("did you mean `{meant}`?")
        }
        None if key == LITELLMS => {
            "it is LiteLLM's: `backstop import litellm FILE` turns its file into ours".to_owned()
        }
        // Perhaps it is there to be referred to.
        None if parent.0.is_empty() && value.get(key).is_some_and(Value::is_mapping) => format!(
            "known are {}; one that only holds an anchor begins with `x-`",
            known.join(", ")
        ),
        None => format!("known are {}", known.join(", ")),
    };
    let path = parent.key(key);
    found.note(path.clone(), "unknown key", Some(hint));
    path
}

fn at<'a>(value: &'a Value, path: &Path) -> Option<&'a Value> {
    path.0.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key.as_str()),
        Step::Index(index) => value.get(*index),
    })
}

/// serde's "unknown field `x`, expected one of `a`, `b`": the name, and the known ones.
fn unknown_key(problem_text: &str) -> Option<(String, Vec<String>)> {
    let rest = problem_text.strip_prefix("unknown field `")?;
    let mut names = rest.split('`').step_by(2).map(str::to_owned);
    let key = names.next()?;
    Some((key, names.filter(|name| !name.is_empty()).collect()))
}

/// serde's "invalid type: string "x", expected y" without the x, which may be a secret.
fn without_content(problem_text: &str) -> String {
    if problem_text.contains("invalid value: ") {
        return "is out of range".to_owned();
    }
    let Some((_, rest)) = problem_text.split_once("invalid type: ") else {
        return problem_text.to_owned();
    };
    let kind = match rest.split([' ', ',']).next() {
        Some("string") => "a text",
        Some("integer" | "floating") => "a number",
        Some("boolean") => "true or false",
        Some("map") => "a mapping",
        Some("sequence") => "a list",
        _ => "something else",
    };
    match rest.rsplit_once(", expected ") {
        Some((_, expected)) => format!("is {kind}, but should be {}", in_words(expected)),
        None => format!("must not be {kind}"),
    }
}

fn in_words(expected: &str) -> &str {
    match expected {
        "a sequence" => "a list",
        "a map" => "a mapping",
        "a string" | "path string" => "a text",
        "u32" | "usize" => "a whole number",
        other if other.starts_with("struct ") => "a mapping",
        other => other,
    }
}

/// Removes what stands at a place. List entries and upstreams leave something empty behind, so that places keep their
/// numbers and names stay known.
fn take_out(value: &mut Value, path: &Path) -> bool {
    let Some((last, way)) = path.0.split_last() else {
        return false;
    };
    let Some(parent) = way.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key.as_str()),
        Step::Index(index) => value.get_mut(*index),
    }) else {
        return false;
    };
    match (last, parent) {
        (Step::Key(key), Value::Mapping(entries)) => {
            let is_upstream = way == [Step::Key("upstreams".to_owned())];
            match entries.get_mut(key.as_str()) {
                Some(entry) if is_upstream && !entry.is_mapping() => {
                    *entry = Value::Mapping(Mapping::new());
                }
                Some(_) => drop(entries.shift_remove(key.as_str())),
                None => return false,
            }
            true
        }
        (Step::Index(index), Value::Sequence(entries)) => match entries.get_mut(*index) {
            Some(entry) => {
                // An empty mapping where a struct is wanted; an empty text where a mapping was not it.
                *entry = if entry.is_mapping() {
                    String::new().into()
                } else {
                    Value::Mapping(Mapping::new())
                };
                true
            }
            None => false,
        },
        _ => false,
    }
}
