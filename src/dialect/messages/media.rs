//! Images and documents, both ways.

use serde_json::Value;

use super::wire::{Block, Source};
use crate::dialect::conversation::fields::{Object, list, object, take, take_object, take_text};
use crate::dialect::conversation::{Content, Media, Unsaid};

/// The media types of images that are accepted.
const IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const PDF: &str = "application/pdf";
/// The only type of documents of text.
const PLAIN: &str = "text/plain";
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

/// Reads an image.
pub(super) fn read_image(source: Value) -> Result<Content, Unsaid> {
    Ok(Content::Image {
        media: read_source(object(source))?,
        detail: None,
    })
}

/// Reads a document. If it has images, they follow its text.
pub(super) fn read_document(mut block: Object) -> Result<Vec<Content>, Unsaid> {
    let mut source = take_object(&mut block, "source");
    let mut images = Vec::new();
    let media = match source.get("type").and_then(Value::as_str) {
        Some("content") => Media::Text(match take(&mut source, "content") {
            Value::String(content) => content,
            content => {
                let mut texts = Vec::new();
                for mut part in list(content).into_iter().map(object) {
                    match take(&mut part, "source") {
                        Value::Null => texts.extend(take_text(&mut part, "text")),
                        source => images.push(read_image(source)?),
                    }
                }
                texts.join("\n")
            }
        }),
        _ => read_source(source)?,
    };
    let mut contents = vec![Content::Document {
        media,
        name: take_text(&mut block, "title"),
        context: take_text(&mut block, "context"),
    }];
    contents.append(&mut images);
    Ok(contents)
}

fn read_source(mut source: Object) -> Result<Media, Unsaid> {
    let mut said = |field| take_text(&mut source, field).unwrap_or_default();
    Ok(match said("type").as_str() {
        "base64" => Media::Inline {
            kind: said("media_type"),
            data: said("data"),
        },
        "text" => Media::Text(said("data")),
        "url" => Media::Url(said("url")),
        "file" => return Err(Unsaid("file_id")),
        _ => return Err(Unsaid("content of this kind")),
    })
}

/// Writes an image.
pub(super) fn image(media: Media) -> Result<Block, Unsaid> {
    let source = match media {
        Media::Url(url) => Source::Url { url },
        Media::Inline { kind, data } => match image_kind(&kind) {
            Some(kind) => base64_source(kind, data),
            None => return Err(Unsaid("images of this kind")),
        },
        Media::Text(_) => return Err(Unsaid("images of this kind")),
    };
    Ok(shown(source))
}

fn shown(source: Source) -> Block {
    Block::Image {
        source,
        cache_control: None,
    }
}

/// Writes a document; `None`: there is nothing in it, which is not accepted.
pub(super) fn document(
    media: Media,
    title: Option<String>,
    context: Option<String>,
) -> Result<Option<Block>, Unsaid> {
    let source = match media {
        Media::Url(url) => Source::Url { url },
        Media::Text(data) => text_source(data),
        Media::Inline { kind, data } => {
            let kind = kind_of(&kind).to_ascii_lowercase();
            // `%PDF`
            let is_pdf = kind == PDF || is_unsaid(&kind) && data.starts_with("JVBER");
            if is_pdf {
                base64_source(PDF, data)
            } else if let Some(kind) = image_kind(&kind) {
                return Ok(Some(shown(base64_source(kind, data))));
            } else if is_text(&kind) || is_unsaid(&kind) {
                let data = decode(&data).and_then(|bytes| String::from_utf8(bytes).ok());
                text_source(data.ok_or(Unsaid("files of this kind"))?)
            } else {
                return Err(Unsaid("files of this kind"));
            }
        }
    };
    if matches!(&source, Source::Text { data, .. } if data.trim().is_empty()) {
        return Ok(None);
    }
    Ok(Some(Block::Document {
        source,
        title: title.filter(|title| !title.is_empty()),
        context: context.filter(|context| !context.is_empty()),
        cache_control: None,
    }))
}

fn base64_source(kind: &str, data: String) -> Source {
    Source::Base64 {
        media_type: kind.to_owned(),
        data,
    }
}

fn text_source(data: String) -> Source {
    Source::Text {
        media_type: PLAIN,
        data,
    }
}

/// A media type without its parameters: `text/plain; charset=utf-8`.
fn kind_of(kind: &str) -> &str {
    kind.split(';').next().unwrap_or(kind).trim()
}

fn image_kind(kind: &str) -> Option<&'static str> {
    let kind = match kind_of(kind) {
        // A common misspelling.
        "image/jpg" => IMAGES[1],
        kind => kind,
    };
    IMAGES
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(kind))
}

fn is_text(kind: &str) -> bool {
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || TEXTS.contains(&kind)
}

/// Whether the client does not say what it is.
fn is_unsaid(kind: &str) -> bool {
    matches!(kind, "" | "application/octet-stream")
}

/// The bytes of a base64 text, in either alphabet; `None`: it is none.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
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
    use serde_json::json;

    use super::{decode, document, image};
    use crate::dialect::conversation::{Media, Unsaid};

    fn inline(kind: &str, data: &str) -> Media {
        Media::Inline {
            kind: kind.to_owned(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn base64_is_decoded_in_either_alphabet() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("aGk=", Some(b"hi")),
            ("aGk", Some(b"hi")),
            ("aGkh\r\naGkh", Some(b"hi!hi!")),
            ("-_-_", Some(&[0xfb, 0xff, 0xbf])),
            ("+/+/", Some(&[0xfb, 0xff, 0xbf])),
            ("a b", None),
        ] {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn documents_are_written_as_what_they_are() {
        let text = json!({"type": "text", "media_type": "text/plain", "data": "hi"});
        let pdf = |data| json!({"type": "base64", "media_type": "application/pdf", "data": data});
        for (media, source) in [
            (inline("text/plain; charset=utf-8", "aGk="), text.clone()),
            (inline("application/json", "aGk="), text.clone()),
            (inline("application/ld+json", "aGk="), text.clone()),
            (inline("text/csv", "aGk="), text.clone()),
            (inline("", "aGk="), text.clone()),
            (Media::Text("hi".to_owned()), text),
            (inline("application/pdf", "aGk="), pdf("aGk=")),
            (
                inline("application/octet-stream", "JVBERi0x"),
                pdf("JVBERi0x"),
            ),
            (
                Media::Url("https://x".to_owned()),
                json!({"type": "url", "url": "https://x"}),
            ),
            (
                inline("image/jpg", "aGk="),
                json!({"type": "base64", "media_type": "image/jpeg", "data": "aGk="}),
            ),
        ] {
            let block = document(media.clone(), None, None).unwrap().unwrap();
            assert_eq!(
                serde_json::to_value(block).unwrap()["source"],
                source,
                "{media:?}"
            );
        }
        assert!(
            document(inline("text/plain", ""), None, None)
                .unwrap()
                .is_none()
        );
        for (kind, data) in [
            ("application/zip", "aGk="),
            ("text/plain", "/w=="),
            ("", "/w=="),
            ("text/plain", "?"),
        ] {
            let refused = document(inline(kind, data), None, None);
            assert_eq!(
                refused.unwrap_err(),
                Unsaid("files of this kind"),
                "{kind} {data}"
            );
        }
        assert_eq!(
            image(inline("image/svg+xml", "aGk=")).unwrap_err(),
            Unsaid("images of this kind")
        );
    }
}
