//! The headers of a form and its parts: the boundary, and the names of fields.

use std::borrow::Cow;

/// The longest boundary (RFC 2046, section 5.1.1).
const LONGEST_BOUNDARY: usize = 70;

/// The boundary in a content type.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (_, value) = parameters(content_type.as_bytes()).find(|(name, _)| name == "boundary")?;
    let boundary = std::str::from_utf8(&value).ok()?;
    let is_usable = !boundary.is_empty() && boundary.len() <= LONGEST_BOUNDARY;
    (is_usable && boundary.bytes().all(|byte| matches!(byte, b' '..=b'~')))
        .then(|| boundary.to_owned())
}

/// What the headers of a part state about its field.
#[derive(Debug, Default)]
pub(super) struct Disposition<'a> {
    /// Its name; empty if it has none.
    pub(super) name: Cow<'a, [u8]>,
    pub(super) is_file: bool,
    /// Whether servers may disagree about its name: it has several, or one that is encoded (RFC 2231), or a line of the head
    /// does not end in CRLF.
    pub(super) is_ambiguous: bool,
    /// Whether the content is the unencoded value.
    pub(super) is_plain: bool,
}

impl<'a> Disposition<'a> {
    pub(super) fn of(head: &'a [u8]) -> Self {
        let mut it = Self {
            is_plain: true,
            is_ambiguous: has_bare_break(head),
            ..Self::default()
        };
        for field in fields(head) {
            let Some(colon) = field.iter().position(|byte| *byte == b':') else {
                continue;
            };
            let (name, value) = (field[..colon].trim_ascii(), field[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-disposition") {
                it.read(value);
            } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
                let plain = [&b"7bit"[..], b"8bit", b"binary"];
                it.is_plain &= plain.iter().any(|it| value.eq_ignore_ascii_case(it));
            }
        }
        it
    }

    fn read(&mut self, value: &'a [u8]) {
        let mut is_named = false;
        for (name, value) in parameters(value) {
            match &*name {
                "name" => {
                    self.is_ambiguous |= std::mem::replace(&mut is_named, true);
                    self.name = value;
                }
                encoded if encoded.starts_with("name*") => self.is_ambiguous = true,
                "filename" | "filename*" => {
                    self.is_file = true;
                    self.is_plain = false;
                }
                _ => {}
            }
        }
    }
}

/// Whether a line ends in CR or LF alone.
fn has_bare_break(head: &[u8]) -> bool {
    let mut lines = head.split(|byte| *byte == b'\n');
    let last = lines.next_back().unwrap_or_default();
    let has_more = |line: &[u8]| line.contains(&b'\r');
    has_more(last) || lines.any(|line| line.strip_suffix(b"\r").is_none_or(has_more))
}

/// The fields of a head. A field goes on in lines that begin with a blank.
fn fields(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = head;
    std::iter::from_fn(move || {
        let is_end = |pair: &[u8]| pair[0] == b'\n' && !matches!(pair[1], b' ' | b'\t');
        let end = rest.windows(2).position(is_end);
        let (field, left) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        rest = left;
        (!field.is_empty()).then_some(field)
    })
}

/// The parameters after the first value, with names in lower case and values without quotes.
fn parameters(value: &[u8]) -> impl Iterator<Item = (String, Cow<'_, [u8]>)> {
    let semicolon = |text: &[u8]| text.iter().position(|byte| *byte == b';');
    let mut rest = semicolon(value).map_or(&[][..], |at| &value[at + 1..]);
    std::iter::from_fn(move || {
        let equals = rest.iter().position(|byte| *byte == b'=')?;
        // A parameter without a value is skipped.
        let name = rest[..equals].rsplit(|byte| *byte == b';').next()?;
        let name = String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase();
        let value = rest[equals + 1..].trim_ascii_start();
        let (value, behind) = match value.strip_prefix(b"\"") {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = semicolon(value).unwrap_or(value.len());
                (Cow::Borrowed(value[..end].trim_ascii()), &value[end..])
            }
        };
        rest = semicolon(behind).map_or(&[][..], |at| &behind[at + 1..]);
        Some((name, value))
    })
}

/// A value whose opening quote has been read, and the rest of the text.
fn unquoted(text: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let mut value = Vec::new();
    let mut at = 0;
    while at < text.len() && text[at] != b'"' {
        // Browsers write the backslashes of file names as they are; a backslash only escapes a quote or another
        // backslash.
        let is_escape = text[at] == b'\\' && matches!(text.get(at + 1), Some(b'"' | b'\\'));
        at += usize::from(is_escape);
        value.push(text[at]);
        at += 1;
    }
    (value.into(), text.get(at + 1..).unwrap_or_default())
}
