//! Images and documents, both ways.

use serde_json::Value;

use super::wire::{Said, Source};
use crate::dialect::conversation::fields::{Object, list, object, take, take_object, take_text};
use crate::dialect::conversation::{Content, Media, PDF, Unsaid, is_pdf, plain_kind, text_in};

/// The media types of images that are accepted, and how their data begin in base64.
const IMAGES: [(&str, &str); 4] = [
    ("image/png", "iVBORw0KGgo"),
    ("image/jpeg", "/9j/"),
    ("image/gif", "R0lGOD"),
    ("image/webp", "UklGR"),
];
/// The only type of documents of text.
const PLAIN: &str = "text/plain";
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
pub(super) fn image(media: Media) -> Result<Said, Unsaid> {
    let source = match media {
        Media::Url(url) if is_fetched(&url) => Source::Url { url },
        Media::Inline { kind, data } => match image_kind(&kind, &data) {
            Some(kind) => base64_source(kind, data),
            None => return Err(Unsaid("images of this kind")),
        },
        Media::Url(_) | Media::Text(_) => return Err(Unsaid("images of this kind")),
    };
    Ok(Said::Image { source })
}

/// "Only HTTPS URLs are supported": others, and data that are not in base64 (`data:image/svg+xml,…`), are not fetched.
fn is_fetched(url: &str) -> bool {
    url.get(..8)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

/// Writes a document; `None`: there is nothing in it, which is not accepted.
pub(super) fn document(
    media: Media,
    title: Option<String>,
    context: Option<String>,
) -> Result<Option<Said>, Unsaid> {
    let source = match media {
        Media::Url(url) if is_fetched(&url) => Source::Url { url },
        Media::Url(_) => return Err(Unsaid("files of this kind")),
        Media::Text(data) => text_source(data),
        Media::Inline { kind, data } => {
            if is_pdf(&kind, &data) {
                base64_source(PDF, data)
            } else if let Some(kind) = image_kind(&kind, &data) {
                let source = base64_source(kind, data);
                return Ok(Some(Said::Image { source }));
            } else {
                text_source(text_in(&kind, &data).ok_or(Unsaid("files of this kind"))?)
            }
        }
    };
    if matches!(&source, Source::Text { data, .. } if data.trim().is_empty()) {
        return Ok(None);
    }
    Ok(Some(Said::Document {
        source,
        title: title.filter(|title| !title.is_empty()),
        context: context.filter(|context| !context.is_empty()),
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

/// The media type of an image. What the data are counts more than what the client says: they are compared, and who names a
/// file wrongly is refused.
fn image_kind(kind: &str, data: &str) -> Option<&'static str> {
    let kind = match plain_kind(kind) {
        // A common misspelling.
        "image/jpg" => "image/jpeg",
        kind => kind,
    };
    let is_said = |known: &str| known.eq_ignore_ascii_case(kind);
    let said = IMAGES.iter().find(|(known, _)| is_said(known))?;
    let seen = IMAGES.iter().find(|(_, begin)| data.starts_with(begin));
    Some(seen.unwrap_or(said).0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{document, image};
    use crate::dialect::conversation::{Media, Unsaid};

    fn inline(kind: &str, data: &str) -> Media {
        Media::Inline {
            kind: kind.to_owned(),
            data: data.to_owned(),
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
                inline("Application/Octet-Stream", "JVBERi0x"),
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
        let refused = image(inline("image/svg+xml", "aGk=")).unwrap_err();
        assert_eq!(refused, Unsaid("images of this kind"));
    }

    #[test]
    fn an_image_is_what_its_data_are() {
        for (said, data, sent) in [
            ("image/png", "/9j/4AAQ", "image/jpeg"),
            ("image/jpeg", "iVBORw0KGgoAAAA", "image/png"),
            ("image/jpg", "R0lGODlhAQAB", "image/gif"),
            ("IMAGE/PNG", "UklGRkacAABXRUJQ", "image/webp"),
            ("image/gif", "aGk=", "image/gif"),
        ] {
            let block = serde_json::to_value(image(inline(said, data)).unwrap()).unwrap();
            assert_eq!(block["source"]["media_type"], sent, "{said} {data}");
            assert_eq!(block["source"]["data"], data);
        }
    }

    #[test]
    fn what_is_fetched_is_at_https() {
        for (url, is_fetched) in [
            ("https://x", true),
            ("HTTPS://x", true),
            ("http://x", false),
            ("data:image/svg+xml,%3Csvg%3E", false),
            ("x", false),
        ] {
            let at = || Media::Url(url.to_owned());
            assert_eq!(image(at()).is_ok(), is_fetched, "{url}");
            assert_eq!(document(at(), None, None).is_ok(), is_fetched, "{url}");
        }
    }
}
