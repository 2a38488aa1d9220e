//! Writes images, documents and sound.

use super::request_body::{Audio, File, Image, Shown};
use crate::dialect::conversation::{
    Api, Content, Media, Unsaid, document_text, is_pdf, name_of_kind, plain_kind, text_in,
};

/// What is shown or told by the user; `None`: only a model says this.
pub(super) fn write_part(content: Content, origin: Api) -> Result<Option<Shown>, Unsaid> {
    Ok(Some(match content {
        Content::Text(text) | Content::Refusal(text) => Shown::Text { text },
        Content::Image { media, detail } => image(media, detail),
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

fn image(media: Media, detail: Option<String>) -> Shown {
    let url = media.into_url();
    Shown::ImageUrl {
        image_url: Image { url, detail },
    }
}

fn document(
    media: Media,
    name: Option<String>,
    context: Option<String>,
    origin: Api,
) -> Result<Shown, Unsaid> {
    // Files that are no PDFs are refused by OpenAI, and all files by many others.
    if let Media::Inline { kind, data } = &media
        && !is_pdf(kind, data)
    {
        if let Some(text) = text_in(kind, data) {
            return document(Media::Text(text), name, context, origin);
        }
        if plain_kind(kind).starts_with("image/") {
            return Ok(image(media, None));
        }
    }
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
