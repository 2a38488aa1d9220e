//! Images and files: data are URLs with their media type.

use super::fields::{Fields, take, take_text};
use crate::dialect::conversation::{Content, Media, Unsaid};

/// An image of a request.
pub(super) fn read_image(mut part: Fields) -> Result<Content, Unsaid> {
    let url = match take(&mut part, "image_url") {
        serde_json::Value::String(url) => Some(url),
        // As chats write it.
        serde_json::Value::Object(mut nested) => take_text(&mut nested, "url"),
        _ => None,
    };
    let media = of_url(url.ok_or(Unsaid("file_id"))?);
    let detail = take_text(&mut part, "detail").filter(|detail| detail != USUAL_DETAIL);
    Ok(Content::Image { media, detail })
}

/// How closely an image is looked at if nobody says it.
pub(super) const USUAL_DETAIL: &str = "auto";

/// A file of a request.
pub(super) fn read_file(mut part: Fields) -> Result<Content, Unsaid> {
    let name = take_text(&mut part, "filename");
    let media = match (
        take_text(&mut part, "file_data"),
        take_text(&mut part, "file_url"),
    ) {
        (Some(data), _) if data.starts_with("data:") => of_url(data),
        (Some(data), _) => Media::Inline {
            kind: kind_of_name(name.as_deref()).to_owned(),
            data,
        },
        (None, Some(url)) => Media::Url(url),
        (None, None) => return Err(Unsaid("file_id")),
    };
    Ok(Content::Document {
        media,
        name,
        context: None,
    })
}

/// What is at a URL, or in it.
fn of_url(mut url: String) -> Media {
    let data = url.strip_prefix("data:").and_then(|rest| {
        let (head, _) = rest.split_once(',')?;
        let described = head.strip_suffix(";base64")?;
        let kind = described.split(';').next()?.to_owned();
        Some((kind, "data:".len() + head.len() + 1))
    });
    match data {
        Some((kind, start)) => {
            url.drain(..start);
            Media::Inline { kind, data: url }
        }
        None => Media::Url(url),
    }
}

/// The URL of data.
pub(super) fn data_url(kind: &str, data: &str) -> String {
    format!("data:{kind};base64,{data}")
}

/// The endings of files that `OpenAI` takes, and their media types.
const KINDS: [(&str, &str); 6] = [
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("json", "application/json"),
];

/// The media type of a file by its name; most are PDFs.
fn kind_of_name(name: Option<&str>) -> &'static str {
    let ending = name
        .and_then(|name| name.rsplit_once('.'))
        .map(|(_, ending)| ending);
    let known = KINDS
        .iter()
        .find(|(known, _)| ending.is_some_and(|ending| ending.eq_ignore_ascii_case(known)));
    known.map_or("application/pdf", |(_, kind)| kind)
}

/// A name for a file without one: `OpenAI` asks for it.
pub(super) fn name_of_kind(kind: &str) -> String {
    let known = KINDS.iter().find(|(_, known)| *known == kind);
    format!("document.{}", known.map_or("txt", |(ending, _)| ending))
}
