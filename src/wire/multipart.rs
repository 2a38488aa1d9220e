//! Form uploads: finding the `model` field for routing, replacing it, and collecting values that may be ids.
//!
//! One parser for all three, so that the model by which a form is routed is the one that is replaced. It is strict
//! where servers disagree about the meaning of a form: it accepts only CRLF line endings, only one `model`, and only plain
//! names.

mod head;

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap};
use memchr::memmem::{Finder, find, find_iter};
use thiserror::Error;

use self::head::{Disposition, boundary};

/// Why a form cannot be routed by its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FormError {
    /// It is ambiguous.
    #[error("the form has more than one field `model`")]
    SeveralModels,
    /// The model is a file, is encoded, or is not text.
    #[error("the form's field `model` must be a plain text")]
    NoText,
    /// Another server may find other fields in it.
    #[error(
        "the form can be read in several ways: a field has several names or one that is encoded, or a boundary does not \
         follow CRLF"
    )]
    Ambiguous,
}

/// A part of a form.
#[derive(Debug)]
struct Part<'a> {
    disposition: Disposition<'a>,
    /// The range of its content.
    content: Range<usize>,
}

/// The `model` field of a `multipart/form-data` body, and the range of its value; `None` if there is none, or the body
/// is not such a form.
pub fn model(
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<(String, Range<usize>)>, FormError> {
    let (mut model, mut is_ambiguous) = (None, false);
    for part in parts(headers, body).into_iter().flatten() {
        is_ambiguous |= part.disposition.is_ambiguous;
        if *part.disposition.name == b"model"[..] && model.replace(part).is_some() {
            return Err(FormError::SeveralModels);
        }
    }
    let Some(part) = model else {
        return Ok(None);
    };
    if is_ambiguous || has_hidden_boundary(headers, body) {
        return Err(FormError::Ambiguous);
    }
    let name = std::str::from_utf8(&body[part.content.clone()]);
    match name {
        Ok(name) if part.disposition.is_plain => Ok(Some((name.to_owned(), part.content))),
        _ => Err(FormError::NoText),
    }
}

/// The form with another model; every other byte stays as it is. `None` if it has no model.
pub fn with_model(headers: &HeaderMap, body: &Bytes, model: &str) -> Option<Bytes> {
    let (_, place) = self::model(headers, body).ok()??;
    let mut replaced = BytesMut::with_capacity(body.len() + model.len());
    replaced.extend_from_slice(&body[..place.start]);
    replaced.extend_from_slice(model.as_bytes());
    replaced.extend_from_slice(&body[place.end..]);
    Some(replaced.freeze())
}

/// The short texts in a form that are not files.
pub fn texts<'a>(headers: &HeaderMap, body: &'a [u8]) -> Vec<&'a str> {
    const LONGEST: usize = 256;
    let parts = parts(headers, body).into_iter().flatten();
    parts
        .filter(|part| part.content.len() <= LONGEST && !part.disposition.is_file)
        .filter_map(|part| std::str::from_utf8(&body[part.content]).ok())
        .collect()
}

fn boundary_in(headers: &HeaderMap) -> Option<String> {
    boundary(headers.get(CONTENT_TYPE)?.to_str().ok()?)
}

/// Whether a boundary follows a bare CR or LF: some servers accept that, and see fields that we do not.
fn has_hidden_boundary(headers: &HeaderMap, body: &[u8]) -> bool {
    let Some(boundary) = boundary_in(headers) else {
        return false;
    };
    let line = format!("--{boundary}");
    find_iter(body, line.as_bytes()).any(|at| {
        let before = &body[..at];
        before.ends_with(b"\r") || before.ends_with(b"\n") && !before.ends_with(b"\r\n")
    })
}

/// The complete parts of a form; `None` if the body is not a form.
fn parts<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<impl Iterator<Item = Part<'a>>> {
    let delimiter = format!("\r\n--{}", boundary_in(headers)?);
    // The first delimiter starts the body or follows a preamble.
    let mut at = match body.starts_with(&delimiter.as_bytes()[2..]) {
        true => delimiter.len() - 2,
        false => find(body, delimiter.as_bytes())? + delimiter.len(),
    };
    let finder = Finder::new(delimiter.as_bytes()).into_owned();
    Some(std::iter::from_fn(move || {
        // A delimiter may be followed by blanks (RFC 2046, section 5.1.1); the last one is followed by two hyphens.
        let blanks = body[at..].iter().take_while(|byte| b" \t".contains(byte));
        let start = at + blanks.count();
        let rest = body[start..].strip_prefix(b"\r\n")?;
        let start = start + 2;
        let end = start + next_delimiter(&finder, rest)?;
        at = end + delimiter.len();
        // A part may have no headers; then an empty line comes first.
        let (head, content) = match rest.starts_with(b"\r\n") {
            true => (&rest[..0], start + 2),
            false => {
                let head = find(&body[start..end], b"\r\n\r\n")?;
                (&rest[..head], start + head + 4)
            }
        };
        Some(Part {
            disposition: Disposition::of(head),
            content: content.min(end)..end,
        })
    }))
}

/// The position of the next delimiter line. A longer boundary with the same start is not one.
fn next_delimiter(finder: &Finder<'_>, rest: &[u8]) -> Option<usize> {
    finder.find_iter(rest).find(|at| {
        let behind = &rest[at + finder.needle().len()..];
        let blanks = behind.iter().take_while(|byte| b" \t".contains(byte));
        let behind = &behind[blanks.count()..];
        behind.starts_with(b"\r\n") || behind.starts_with(b"--")
    })
}

#[cfg(test)]
mod tests;
