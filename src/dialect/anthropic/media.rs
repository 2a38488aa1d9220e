//! Images and documents.

use serde_json::{Value, json};

/// The media types of images that are accepted.
const IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const PDF: &str = "application/pdf";

/// An image, from its URL; `None`: its type is not accepted.
pub(super) fn image(part: &Value) -> Option<Value> {
    let url = part["image_url"]["url"].as_str()?;
    let Some((media, data)) = inline(url) else {
        return Some(json!({ "type": "image", "source": { "type": "url", "url": url } }));
    };
    // A common misspelling.
    let media = if media == "image/jpg" {
        IMAGES[1]
    } else {
        media
    };
    let source = json!({ "type": "base64", "media_type": media, "data": data });
    IMAGES
        .contains(&media)
        .then(|| json!({ "type": "image", "source": source }))
}

/// A document, from the data of a file; `None`: its type is not accepted.
pub(super) fn document(part: &Value) -> Option<Value> {
    let given = part["file"]["file_data"].as_str()?;
    let source = match inline(given) {
        Some((PDF, data)) => json!({ "type": "base64", "media_type": PDF, "data": data }),
        Some(_) => return None,
        None if given.contains("://") => json!({ "type": "url", "url": given }),
        None => json!({ "type": "base64", "media_type": PDF, "data": given }),
    };
    let mut block = json!({ "type": "document", "source": source });
    if let Some(name) = part["file"]["filename"].as_str() {
        block["title"] = name.into();
    }
    Some(block)
}

/// The media type and the data of a `data:` URL.
fn inline(url: &str) -> Option<(&str, &str)> {
    let (kind, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some((kind.split(';').next().unwrap_or(kind), data))
}
