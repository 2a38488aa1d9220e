//! Images, audio and documents in the messages of a request.
//!
//! A quoted name cannot occur inside a JSON text, where quotes are escaped. So a search for its bytes is enough to
//! say that it is absent; the body is parsed only if it is found.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::wire::json::{Token, walk};

/// The types of parts that are images, in all APIs.
const IMAGES: [&str; 3] = ["image_url", "input_image", "image"];
/// The types of parts that are audio.
const AUDIO: [&str; 1] = ["input_audio"];

/// What is searched for, prepared once: most of a search in a short body would be its preparation.
type Marks<const N: usize> = LazyLock<[Finder<'static>; N]>;

static IMAGE_MARKS: Marks<3> =
    LazyLock::new(|| ["\"image_url\"", "\"input_image\"", "\"image\""].map(Finder::new));
static AUDIO_MARKS: Marks<1> = LazyLock::new(|| ["\"input_audio\""].map(Finder::new));
static DATA_MARKS: Marks<4> = LazyLock::new(|| {
    let marks = [";base64,", "\"base64\"", "\"input_audio\"", "\"file_data\""];
    marks.map(Finder::new)
});
static CODE_MARKS: Marks<2> =
    LazyLock::new(|| ["\"code_execution", "\"container\""].map(Finder::new));

/// Whether the request has an image.
pub(super) fn has_image(body: &[u8]) -> bool {
    has_any(body, &*IMAGE_MARKS) && has_part(body, &IMAGES)
}

/// Whether the request has audio.
pub(super) fn has_audio(body: &[u8]) -> bool {
    has_any(body, &*AUDIO_MARKS) && has_part(body, &AUDIO)
}

/// Whether it may have data whose size says nothing about its tokens: images, audio, documents.
pub(super) fn has_data(body: &[u8]) -> bool {
    has_any(body, &*DATA_MARKS)
}

/// Whether programs may run at the provider, which keeps their container and files.
pub(super) fn may_run_code(body: &[u8]) -> bool {
    has_any(body, &*CODE_MARKS)
}

fn has_any(body: &[u8], marks: &[Finder<'_>]) -> bool {
    marks.iter().any(|mark| mark.find(body).is_some())
}

fn has_part(body: &[u8], kinds: &[&str]) -> bool {
    let mut place = Place::default();
    let mut has_some = false;
    // What cannot be read to its end has no parts that anybody would look at.
    let read = walk(body, |token| {
        if let Token::Text(text) = token {
            has_some |= kinds.contains(&text) && place.is_type_of_part();
        }
        place.follow(token);
    });
    read.is_ok() && has_some
}

/// The fields in which one is, outermost first; `Else` stands for lists, too.
#[derive(Debug, Default)]
struct Place {
    /// How many objects and lists are open that are not in `fields`.
    beyond: usize,
    fields: Vec<Field>,
    /// The field whose value comes next.
    next: Field,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field {
    /// A list of messages.
    Messages,
    /// A list of parts.
    Parts,
    Type,
    #[default]
    Else,
}

impl Place {
    /// Deeper than that, there are no parts: in the list of the parts of a part of a message.
    const DEEPEST: usize = 8;

    fn follow(&mut self, token: Token<'_>) {
        match token {
            Token::Open if self.fields.len() < Self::DEEPEST => self.fields.push(self.next),
            Token::Open => self.beyond += 1,
            Token::Close if self.beyond == 0 => {
                self.fields.pop();
            }
            Token::Close => self.beyond -= 1,
            Token::Key(_) | Token::Text(_) => {}
        }
        self.next = match token {
            Token::Key("messages" | "input") => Field::Messages,
            Token::Key("content" | "output") => Field::Parts,
            Token::Key("type") => Field::Type,
            _ => Field::Else,
        };
    }

    /// Whether the value that comes next is the type of a part of a message, or of a part of such a part: what the result of
    /// a tool shows.
    fn is_type_of_part(&self) -> bool {
        use Field::{Else, Messages, Parts};
        let (outer, message) = ([Else, Messages, Else], [Parts, Else]);
        let inside = self.fields.strip_prefix(&outer[..]);
        let is_part = inside.is_some_and(|inside| {
            inside == message || inside.strip_prefix(&message[..]) == Some(&message[..])
        });
        self.beyond == 0 && self.next == Field::Type && is_part
    }
}

#[cfg(test)]
mod tests {
    use super::{has_audio, has_data, has_image};

    #[test]
    fn images_are_seen_in_every_api() {
        for body in [
            r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}"#,
            r#"{"input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}]}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"image","source":{}}]}]}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"image"}]}]}]}"#,
            r#"{"input":[{"type":"function_call_output","output":[{"type":"input_image"}]}]}"#,
        ] {
            assert!(has_image(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn talking_about_images_shows_none() {
        for body in [
            r#"{"messages":[{"role":"user","content":"{\"type\":\"image_url\"}"}]}"#,
            r#"{"messages":[{"role":"user","content":"image"}]}"#,
            r#"{"messages":[],"tools":[{"function":{"parameters":{"properties":{"image":{}}}}}]}"#,
        ] {
            assert!(!has_image(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn sounds_and_data_are_seen() {
        let sound = br#"{"messages":[{"content":[{"type":"input_audio","input_audio":{}}]}]}"#;
        assert!(has_audio(sound) && has_data(sound));
        let text = br#"{"messages":[{"content":"an input_audio"}]}"#;
        assert!(!has_audio(text) && !has_data(text));
    }
}
