//! Images and files: data are URLs with their media type.

use crate::dialect::conversation::fields::{Object, take, take_text};
use crate::dialect::conversation::{Content, Media, Unsaid};

/// An image of a request.
pub(super) fn read_image(mut part: Object) -> Result<Content, Unsaid> {
    let url = match take(&mut part, "image_url") {
        serde_json::Value::String(url) => Some(url),
        // As chats write it.
        serde_json::Value::Object(mut nested) => take_text(&mut nested, "url"),
        _ => None,
    };
    let media = Media::of_url(url.ok_or(Unsaid("file_id"))?);
    let detail = take_text(&mut part, "detail").filter(|detail| detail != USUAL_DETAIL);
    Ok(Content::Image { media, detail })
}

/// How closely an image is looked at if nobody says it.
pub(super) const USUAL_DETAIL: &str = "auto";

/// A file of a request.
pub(super) fn read_file(mut part: Object) -> Result<Content, Unsaid> {
    let name = take_text(&mut part, "filename");
    let media = match (
        take_text(&mut part, "file_data"),
        take_text(&mut part, "file_url"),
    ) {
        (Some(data), _) => Media::of_data(data, name.as_deref()),
        (None, Some(url)) => Media::Url(url),
        (None, None) => return Err(Unsaid("file_id")),
    };
    Ok(Content::Document {
        media,
        name,
        context: None,
    })
}
