//! The root of a schema as one object: references followed, alternatives merged.

use indexmap::IndexSet;
use serde_json::{Map, Value, json};

use crate::dialect::conversation::fields::list;

/// References and alternatives that are nested deeper are left out.
const DEEPEST: usize = 8;
/// No more alternatives are merged.
const MOST: usize = 128;
/// What is told of the alternatives, in bytes.
const LONGEST: usize = 2000;
/// References may copy so much, in bytes, and as much as the schema itself has: a few of them could name a large part often.
const COPIED: usize = 1 << 20;

/// A root without references and alternatives.
#[derive(Default)]
pub(super) struct Folded {
    pub(super) fields: Map<String, Value>,
    /// What it does not say any more.
    pub(super) notes: Vec<String>,
}

pub(super) fn folded(schema: Value) -> Folded {
    let Value::Object(fields) = schema else {
        return Folded::default();
    };
    let folds = ["$ref", "anyOf", "oneOf", "allOf"];
    if !folds.iter().any(|keyword| fields.contains_key(*keyword)) {
        return Folded {
            fields,
            notes: Vec::new(),
        };
    }
    let whole = Value::Object(fields.clone());
    let mut fold = Fold {
        whole: &whole,
        left: MOST,
        room: COPIED + size(&whole),
    };
    fold.object(fields, 0)
}

/// How branches hold together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    All,
    Any,
    One,
}

struct Fold<'a> {
    whole: &'a Value,
    /// How many more branches are merged.
    left: usize,
    /// How many more bytes are copied.
    room: usize,
}

impl Fold<'_> {
    fn object(&mut self, mut fields: Map<String, Value>, depth: usize) -> Folded {
        self.follow(&mut fields);
        let mut notes = Vec::new();
        for (keyword, how) in [
            ("allOf", How::All),
            ("anyOf", How::Any),
            ("oneOf", How::One),
        ] {
            if let Some(Value::Array(branches)) = fields.shift_remove(keyword)
                && depth < DEEPEST
            {
                let branches = self.branches(branches, depth);
                notes.extend(alternatives(&branches, how));
                merge(&mut fields, branches, how);
            }
        }
        Folded { fields, notes }
    }

    /// Puts what a reference refers to in its place; what is said beside it counts.
    fn follow(&mut self, fields: &mut Map<String, Value>) {
        for _ in 0..DEEPEST {
            let Some(name) = fields.shift_remove("$ref") else {
                return;
            };
            let path = name.as_str().and_then(|name| name.strip_prefix('#'));
            let target = path.and_then(|path| self.whole.pointer(path));
            // The whole in itself says nothing new.
            let target = target.filter(|target| !std::ptr::eq(*target, self.whole));
            let room = target.and_then(|target| self.room.checked_sub(size(target)));
            let (Some(target), Some(room)) = (target.and_then(Value::as_object), room) else {
                return;
            };
            self.room = room;
            for (name, value) in target {
                if !fields.contains_key(name) {
                    fields.insert(name.clone(), value.clone());
                }
            }
        }
        fields.shift_remove("$ref");
    }

    /// The branches that describe objects.
    fn branches(&mut self, branches: Vec<Value>, depth: usize) -> Vec<Map<String, Value>> {
        let mut folded = Vec::new();
        for branch in branches {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            if let Value::Object(branch) = branch {
                let branch = self.object(branch, depth + 1).fields;
                if branch.get("type").is_none_or(may_be_object) {
                    folded.push(branch);
                }
            }
        }
        folded
    }
}

/// How much memory a value takes, roughly.
fn size(value: &Value) -> usize {
    let held = match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(size).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| name.len() + size(value))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + held
}

fn may_be_object(kind: &Value) -> bool {
    kind.is_null() || super::enforced::is_object(kind)
}

/// Adds what branches say about an object.
fn merge(fields: &mut Map<String, Value>, branches: Vec<Map<String, Value>>, how: How) {
    let mut required: Option<IndexSet<Value>> = None;
    for mut branch in branches {
        let names = taken_names(&mut branch);
        match &mut required {
            None => required = Some(names),
            Some(known) if how == How::All => known.extend(names),
            // Only what every alternative requires is required.
            Some(known) => known.retain(|name| names.contains(name)),
        }
        for (keyword, value) in branch {
            match (keyword.as_str(), value) {
                ("properties" | "$defs" | "definitions", Value::Object(more)) => {
                    let known = fields.entry(keyword).or_insert_with(|| json!({}));
                    if let Value::Object(known) = known {
                        add(known, more, how);
                    }
                }
                // Each branch closes itself against the others.
                ("additionalProperties" | "unevaluatedProperties" | "type", _) => {}
                (_, value) if how == How::All && !fields.contains_key(&keyword) => {
                    fields.insert(keyword, value);
                }
                _ => {}
            }
        }
    }
    let mut known = taken_names(fields);
    known.extend(required.unwrap_or_default());
    if !known.is_empty() {
        fields.insert("required".to_owned(), known.into_iter().collect());
    }
}

/// Takes the names that are required, each once.
fn taken_names(fields: &mut Map<String, Value>) -> IndexSet<Value> {
    let names = list(fields.shift_remove("required").unwrap_or_default());
    names.into_iter().collect()
}

/// Adds properties. Where two have the same name, both count, or either.
fn add(known: &mut Map<String, Value>, more: Map<String, Value>, how: How) {
    let keyword = if how == How::All { "allOf" } else { "anyOf" };
    for (name, schema) in more {
        let Some(before) = known.get_mut(&name) else {
            known.insert(name, schema);
            continue;
        };
        if *before == schema {
            continue;
        }
        let is_list = before.as_object().is_some_and(|fields| fields.len() == 1);
        match before.get_mut(keyword).filter(|_| is_list) {
            Some(Value::Array(list)) if list.contains(&schema) => {}
            Some(Value::Array(list)) => list.push(schema),
            _ => *before = json!({ keyword: [before.take(), schema] }),
        }
    }
}

/// Tells the model which arguments go together.
fn alternatives(branches: &[Map<String, Value>], how: How) -> Option<String> {
    let begin = match how {
        How::All => return None,
        How::Any => "At least one of these sets of arguments is expected",
        How::One => "Exactly one of these sets of arguments is expected",
    };
    let mut sets: Vec<String> = Vec::new();
    let mut length = 0;
    for branch in branches {
        let set = arguments(branch);
        length += set.len();
        if set.len() > 2 && !sets.contains(&set) && length <= LONGEST {
            sets.push(set);
        }
    }
    let optional = if sets.iter().any(|set| set.contains('?')) {
        " (? marks what may be left out)"
    } else {
        ""
    };
    (sets.len() > 1).then(|| format!("{begin}{optional}: {}", sets.join(" or ")))
}

/// `{kind: "file", path, mode?}`
fn arguments(branch: &Map<String, Value>) -> String {
    let required: IndexSet<&str> = branch
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = branch.get("properties").and_then(Value::as_object);
    let mut names: Vec<String> = Vec::new();
    for (name, schema) in properties.into_iter().flatten() {
        let mark = if required.contains(name.as_str()) {
            ""
        } else {
            "?"
        };
        let fixed = match (
            &schema["const"],
            schema["enum"].as_array().map(Vec::as_slice),
        ) {
            (Value::Null, Some([only])) => only,
            (only, _) => only,
        };
        names.push(match fixed {
            Value::Null => format!("{name}{mark}"),
            fixed => format!("{name}{mark}: {fixed}"),
        });
    }
    let is_known = |name: &&str| properties.is_none_or(|known| !known.contains_key(*name));
    names.extend(required.into_iter().filter(is_known).map(str::to_owned));
    format!("{{{}}}", names.join(", "))
}
