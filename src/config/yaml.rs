//! From a file to YAML values; and what is wrong with a text that is no YAML.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_yaml::{Mapping, Value};

use super::problem::{Problem, Problems};

/// Top-level keys that begin like this are there to be referred to, as in Docker Compose's files.
const PLACES_FOR_ANCHORS: &str = "x-";

/// The longest configuration that is read, in bytes: a device never ends.
const LONGEST: u64 = 16 << 20;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text of a file, or of a pipe, without the mark that editors on Windows put in front. The error says what is wrong with
/// the file.
pub fn read_text(path: &Path) -> Result<String, String> {
    let bytes = bytes_of(path).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > LONGEST {
        return Err("is longer than 16 MiB".to_owned());
    }
    let mut text = String::from_utf8(bytes)
        .map_err(|_| "is not UTF-8; save it with that encoding".to_owned())?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.remove(0);
    }
    Ok(text)
}

/// The same for a configuration.
pub(super) fn load(path: &Path) -> Result<String, Problems> {
    read_text(path).map_err(|wrong| one(&path.display().to_string(), None, wrong, None))
}

/// One more at most than the longest has.
fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The values of a text, with merge keys (`<<: *base`) merged, and without what is there for anchors only.
pub(super) fn read(source: &str, text: &str) -> Result<Value, Problems> {
    let parsed = serde_yaml::from_str(text).and_then(|mut value: Value| {
        value.apply_merge()?;
        Ok(value)
    });
    match parsed {
        Ok(Value::Null) => Ok(Value::Mapping(Mapping::new())),
        Ok(Value::Mapping(mut entries)) => {
            entries.retain(|key, _| {
                key.as_str()
                    .is_none_or(|key| !key.starts_with(PLACES_FOR_ANCHORS))
            });
            Ok(Value::Mapping(entries))
        }
        Ok(value) => Ok(value),
        Err(error) => Err(not_yaml(source, text, &error)),
    }
}

fn not_yaml(source: &str, text: &str, error: &serde_yaml::Error) -> Problems {
    let parser_message = error.to_string();
    let line = error.location().map(|location| location.line());
    let (line, message, hint) = match reason(text, line, &parser_message) {
        Some((line, message, hint)) => (Some(line), message.to_owned(), Some(hint.to_owned())),
        None if let Some((line, key)) = second(text, line, &parser_message) => (
            Some(line),
            format!("has the key `{key}` a second time"),
            Some("keep one of them".to_owned()),
        ),
        None => (line, format!("not valid YAML: {parser_message}"), None),
    };
    one(source, line, message, hint)
}

/// The usual reasons, which the parser's words do not name: the line, what is wrong, and the fix.
fn reason(
    text: &str,
    line: Option<usize>,
    parser_message: &str,
) -> Option<(usize, &'static str, &'static str)> {
    if let Some(line) = tab(text) {
        let hint = "write spaces: YAML takes nothing else there";
        return Some((line, "is indented with a tab", hint));
    }
    if parser_message.contains("more than one document") {
        let line = 1
            + text
                .lines()
                .skip(1)
                .position(|line| line.starts_with("---"))?
            + 1;
        return Some((
            line,
            "begins a second document",
            "write one: remove the line `---`",
        ));
    }
    if parser_message.contains("merging") || parser_message.contains("merge") {
        let is_wrong = |line: &str| line.contains("<<") && !line.contains('*');
        let line = 1 + text.lines().position(is_wrong)?;
        let hint = "write <<: *name, where &name stands at a mapping, or <<: [*one, *two]";
        return Some((line, "merges what is no mapping", hint));
    }
    let line = line?;
    let written = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let is_quoted = ["\"*", "'*", "\"&", "'&"]
        .iter()
        .any(|quoted| written.contains(quoted));
    let is_open = |line: &str| line.matches('"').count() % 2 == 1;
    if (is_quoted || parser_message.contains("quoted scalar"))
        && let Some(before) = text.lines().position(is_open)
    {
        return Some((before + 1, "has a quote without its other half", "add it"));
    }
    if parser_message.contains("alias") || parser_message.contains("anchor") {
        return Some(match written.contains('*') {
            true => (
                line,
                "has a `*` without quotes, which refers to an anchor in YAML",
                "write \"*\", \"gpt-*\" with quotes",
            ),
            false => (
                line,
                "has a `&` without quotes, which makes an anchor in YAML",
                "put the text in quotes",
            ),
        });
    }
    if parser_message.contains("cannot start any token") {
        let hint = "put the text in quotes";
        return Some((
            line,
            "has a character that begins no text in YAML, such as `@`, `%` or a backtick",
            hint,
        ));
    }
    None
}

/// Where which key stands for the second time, of a mapping in lines that begins at `line`.
fn second<'a>(
    text: &str,
    line: Option<usize>,
    parser_message: &'a str,
) -> Option<(usize, &'a str)> {
    let (_, rest) = parser_message.split_once("duplicate entry with key \"")?;
    let (key, _) = rest.split_once('"')?;
    let begins = |line: &str| {
        let rest = line.trim_start();
        let key_of_line = rest.split(':').next()?.trim_matches(['"', '\'']);
        (key_of_line == key).then_some(line.len() - rest.len())
    };
    let before = line?.saturating_sub(1);
    let lines = text.lines().enumerate().skip(before);
    let mut found = lines.filter_map(|(index, line)| Some((index + 1, begins(line)?)));
    let (_, indentation) = found.next()?;
    let (line, _) = found.find(|(_, other)| *other == indentation)?;
    Some((line, key))
}

/// The first line that is indented with a tab.
fn tab(text: &str) -> Option<usize> {
    let is_indented = |line: &str| {
        let indentation = line.len() - line.trim_start().len();
        line[..indentation].contains('\t') && !line.trim_start().is_empty()
    };
    text.lines().position(is_indented).map(|line| line + 1)
}

fn one(source: &str, line: Option<usize>, message: String, hint: Option<String>) -> Problems {
    Problems {
        source: source.to_owned(),
        list: vec![Problem {
            path: String::new(),
            line,
            message,
            hint,
        }],
        files: Vec::new(),
    }
}
