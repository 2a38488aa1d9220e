//! Images and files as `OpenAI` writes them, data are URLs with their media type; and what is in files.

use serde_json::Value;

use super::fields::{Object, take, take_object, take_text};
use super::request::{Content, Media, Unsaid};

const DATA: &str = "data:";
const BASE64: &str = ";base64,";

/// The endings of files that `OpenAI` takes, and their media types.
const KINDS: [(&str, &str); 6] = [
    ("pdf", PDF),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("json", "application/json"),
];

/// The media type of PDFs.
pub const PDF: &str = "application/pdf";
/// Further types whose data are text, beside `text/…`, `…+json` and `…+xml`.
const TEXTS: [&str; 8] = [
    "application/json",
    "application/xml",
    "application/yaml",
    "application/x-yaml",
    "application/toml",
    "application/javascript",
    "application/typescript",
    "application/x-sh",
];

impl Media {
    /// What is at a URL, or in it.
    pub fn of_url(mut url: String) -> Self {
        let rest = url.strip_prefix(DATA);
        let Some((head, _)) = rest.and_then(|rest| rest.split_once(BASE64)) else {
            return Self::Url(url);
        };
        let kind = head.split(';').next().unwrap_or(head).to_owned();
        // In place: the data may be long.
        url.drain(..DATA.len() + head.len() + BASE64.len());
        Self::Inline { kind, data: url }
    }

    /// Its URL, with the data in it if it is not elsewhere.
    pub fn into_url(self) -> String {
        match self {
            Self::Inline { kind, mut data } => {
                // In place: the data may be long.
                data.insert_str(0, &format!("{DATA}{kind}{BASE64}"));
                data
            }
            Self::Url(url) | Self::Text(url) => url,
        }
    }

    /// The data of a file: a URL, or the data alone, whose type its name says.
    pub fn of_data(data: String, name: Option<&str>) -> Self {
        match data.contains(':') {
            true => Self::of_url(data),
            false => Self::Inline {
                kind: kind_of_name(name).to_owned(),
                data,
            },
        }
    }
}

/// An image in a part of `OpenAI`'s. Some write the URL as a plain text, others in an object.
pub fn read_image(part: &mut Object) -> Result<Content, Unsaid> {
    let mut detail = take_text(part, "detail");
    let url = match take(part, "image_url") {
        Value::String(url) => Some(url),
        Value::Object(mut image) => {
            detail = take_text(&mut image, "detail").or(detail);
            take_text(&mut image, "url")
        }
        _ => None,
    };
    let Some(url) = url else {
        return Err(Unsaid("file_id"));
    };
    let media = Media::of_url(url);
    // Gemini and LiteLLM take files in the place of images.
    if matches!(&media, Media::Inline { kind, data } if is_pdf(kind, data)) {
        return Ok(Content::Document {
            media,
            name: None,
            context: None,
        });
    }
    Ok(Content::Image {
        media,
        detail: detail.filter(|detail| detail != USUAL_DETAIL),
    })
}

/// How closely an image is looked at if nobody says it.
pub const USUAL_DETAIL: &str = "auto";

/// A file in such a part, or in an object within it.
pub fn read_file(part: &mut Object) -> Result<Content, Unsaid> {
    let mut file = take_object(part, "file");
    let file = if file.is_empty() { part } else { &mut file };
    let name = take_text(file, "filename");
    let media = match (take_text(file, "file_data"), take_text(file, "file_url")) {
        (Some(data), _) => Media::of_data(data, name.as_deref()),
        (None, Some(url)) => Media::of_url(url),
        (None, None) => return Err(Unsaid("file_id")),
    };
    Ok(Content::Document {
        media,
        name,
        context: None,
    })
}

/// Sound in such a part.
pub fn read_audio(part: &mut Object) -> Result<Content, Unsaid> {
    let mut audio = take_object(part, "input_audio");
    let data = take_text(&mut audio, "data").ok_or(Unsaid("audio"))?;
    let format = take_text(&mut audio, "format").unwrap_or_else(|| "wav".to_owned());
    Ok(Content::Audio { data, format })
}

/// A document that is a text, where there are only texts: what is known of it stands before it.
pub fn document_text(name: Option<String>, context: Option<String>, text: String) -> String {
    let lines = [name, context, Some(text)].into_iter().flatten();
    lines.collect::<Vec<_>>().join("\n")
}

/// The media type of a file by its name; most are PDFs.
fn kind_of_name(name: Option<&str>) -> &'static str {
    let ending = name.and_then(|name| Some(name.rsplit_once('.')?.1));
    let is_known = |known: &str| ending.is_some_and(|ending| ending.eq_ignore_ascii_case(known));
    let known = KINDS.iter().find(|(known, _)| is_known(known));
    known.map_or(PDF, |(_, kind)| kind)
}

/// A name for a file without one: `OpenAI` asks for it.
pub fn name_of_kind(kind: &str) -> String {
    let known = KINDS.iter().find(|(_, known)| *known == kind);
    let usual = if kind.starts_with("text/") {
        "txt"
    } else {
        "pdf"
    };
    format!("document.{}", known.map_or(usual, |(ending, _)| ending))
}

/// The text of a file in base64; `None`: it is something else.
pub fn text_in(kind: &str, data: &str) -> Option<String> {
    let kind = plain_kind(kind).to_ascii_lowercase();
    if !is_text(&kind) && !is_unsaid(&kind) {
        return None;
    }
    decode(data).and_then(|bytes| String::from_utf8(bytes).ok())
}

/// Whether a file in base64 is a PDF.
pub fn is_pdf(kind: &str, data: &str) -> bool {
    let kind = plain_kind(kind);
    // `%PDF`
    kind.eq_ignore_ascii_case(PDF) || is_unsaid(kind) && data.starts_with("JVBER")
}

/// A media type without its parameters: `text/plain; charset=utf-8`.
pub fn plain_kind(kind: &str) -> &str {
    kind.split(';').next().unwrap_or(kind).trim()
}

fn is_text(kind: &str) -> bool {
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || TEXTS.contains(&kind)
}

/// Whether the client does not say what it is.
fn is_unsaid(kind: &str) -> bool {
    kind.is_empty() || kind.eq_ignore_ascii_case("application/octet-stream")
}

/// The bytes of a base64 text, in either alphabet; `None`: it is none.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.trim_end_matches(['=', '\r', '\n']).bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'\r' | b'\n' => continue,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn base64_is_decoded_in_either_alphabet() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("aGk=", Some(b"hi")),
            ("aGk", Some(b"hi")),
            ("aGk=\r\n", Some(b"hi")),
            ("aGkh\r\naGkh", Some(b"hi!hi!")),
            ("-_-_", Some(&[0xfb, 0xff, 0xbf])),
            ("+/+/", Some(&[0xfb, 0xff, 0xbf])),
            ("a b", None),
        ] {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
    }
}
