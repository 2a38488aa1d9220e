//! Writes images, documents and sound.

use super::request_body::{Audio, File, Image, Shown};
use crate::dialect::conversation::{Api, Content, Media, Unsaid, document_text, name_of_kind};

/// What is shown or told by the user; `None`: only a model says this.
pub(super) fn write_part(content: Content, origin: Api) -> Result<Option<Shown>, Unsaid> {
    Ok(Some(match content {
        Content::Text(text) | Content::Refusal(text) => Shown::Text { text },
        Content::Image { media, detail } => Shown::ImageUrl {
            image_url: Image {
                url: media.into_url(),
                detail,
            },
        },
        Content::Document {
            media,
            name,
            context,
        } => document(media, name, context, origin)?,
        Content::Audio { data, format } => Shown::InputAudio {
            input_audio: Audio { data, format },
        },
        Content::Thought(_) | Content::Call(_) | Content::Result(_) => return Ok(None),
    }))
}

fn document(
    media: Media,
    name: Option<String>,
    context: Option<String>,
    origin: Api,
) -> Result<Shown, Unsaid> {
    match media {
        Media::Text(text) => Ok(Shown::Text {
            text: document_text(name, context, text),
        }),
        Media::Inline { ref kind, .. } => Ok(Shown::File {
            file: File {
                // The field is required.
                filename: name.unwrap_or_else(|| name_of_kind(kind)),
                file_data: media.into_url(),
            },
        }),
        Media::Url(_) => Err(Unsaid(match origin {
            Api::Responses => "file_url",
            Api::Chat | Api::Messages => "documents by URL",
        })),
    }
}
