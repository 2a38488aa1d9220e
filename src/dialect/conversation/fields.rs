//! Takes fields out of the objects of a request: texts are moved, not copied, and what nobody has taken can be named
//! afterwards.

use serde_json::{Map, Number, Value};

/// The fields of an object.
pub type Object = Map<String, Value>;

/// A value; null stays in its place.
pub fn take(fields: &mut Object, name: &str) -> Value {
    field(fields, name).map_or(Value::Null, Value::take)
}

/// The place of a value. Most objects are so small that to look at each field is faster than to hash its name.
fn field<'a>(fields: &'a mut Object, name: &str) -> Option<&'a mut Value> {
    const SMALL: usize = 8;
    if fields.len() > SMALL {
        return fields.get_mut(name);
    }
    let mut all = fields.iter_mut();
    all.find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

/// A text; anything else stays where it is. Some write numbers where names are expected.
pub fn take_text(fields: &mut Object, name: &str) -> Option<String> {
    let is_one = |value: &&mut Value| value.is_string() || value.is_number();
    match field(fields, name).filter(is_one)?.take() {
        Value::Number(number) => Some(number.to_string()),
        value => text(value),
    }
}

/// A number; anything else stays where it is.
pub fn take_number(fields: &mut Object, name: &str) -> Option<Number> {
    let value = field(fields, name)?;
    let number = value.as_number().cloned()?;
    value.take();
    Some(number)
}

/// What a tool is called with: JSON in a text, which some write as an object.
pub fn take_arguments(fields: &mut Object, name: &str) -> String {
    match take(fields, name) {
        Value::String(text) => text,
        Value::Null => String::new(),
        given => given.to_string(),
    }
}

/// The texts in a list.
pub fn take_texts(fields: &mut Object, name: &str) -> Vec<String> {
    let list = take_list(fields, name).into_iter();
    list.filter_map(text).collect()
}

/// A text that is not empty.
pub fn take_words(fields: &mut Object, name: &str) -> Option<String> {
    take_text(fields, name).filter(|text| !text.is_empty())
}

/// A count; anything else stays where it is. Some clients write `5.0`.
pub fn take_count(fields: &mut Object, name: &str) -> Option<u64> {
    let value = field(fields, name)?;
    let whole = |number: &f64| *number >= 0.0 && number.fract() == 0.0;
    let count = value
        .as_u64()
        .or_else(|| value.as_f64().filter(whole).map(|number| number as u64))?;
    value.take();
    Some(count)
}

/// Yes or no; anything else stays where it is.
pub fn take_flag(fields: &mut Object, name: &str) -> Option<bool> {
    let value = field(fields, name)?;
    let flag = value.as_bool()?;
    value.take();
    Some(flag)
}

/// The fields of an object; none if it is something else.
pub fn take_object(fields: &mut Object, name: &str) -> Object {
    object(take(fields, name))
}

/// The entries of a list; none if it is something else.
pub fn take_list(fields: &mut Object, name: &str) -> Vec<Value> {
    list(take(fields, name))
}

/// An object with these fields, but for those that are null.
pub fn object_of<const N: usize>(fields: [(&str, Value); N]) -> Object {
    let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The type of an object; empty if it says none.
pub fn kind_of(fields: &Object) -> &str {
    let kind = fields.get("type").and_then(Value::as_str);
    kind.unwrap_or_default()
}

/// A value that is a text.
pub fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// The entries of a value that is a list; none if it is something else.
pub fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list,
        _ => Vec::new(),
    }
}

/// The entries of a list, or one value that stands for a list of it; none for null.
pub fn list_or_one(value: Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list,
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// The texts of the parts in a list.
pub fn take_parts(fields: &mut Object, name: &str) -> Vec<String> {
    let parts = take_list(fields, name).into_iter();
    let texts = parts.filter_map(|part| take_text(&mut object(part), "text"));
    texts.collect()
}

/// The fields of a value that is an object; none if it is something else.
pub fn object(value: Value) -> Object {
    match value {
        Value::Object(fields) => fields,
        _ => Object::new(),
    }
}

/// The value, unless it is null.
pub fn said(value: Value) -> Option<Value> {
    (!value.is_null()).then_some(value)
}

/// Whether a value is neither null nor empty.
pub fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}
