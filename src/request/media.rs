//! Images, audio and documents in the messages of a request.
//!
//! A quoted name cannot occur inside a JSON text, where quotes are escaped. So a search for its bytes is enough to
//! say that it is absent; the body is parsed only if it is found.

use memchr::memmem::find;
use serde_json::Value;

/// The types of parts that are images, in all APIs.
const IMAGES: [&str; 3] = ["image_url", "input_image", "image"];

/// Whether the request has an image.
pub(super) fn has_image(body: &[u8]) -> bool {
    has_part(body, &IMAGES)
}

/// Whether the request has audio.
pub(super) fn has_audio(body: &[u8]) -> bool {
    has_part(body, &["input_audio"])
}

/// Whether it may have data whose size says nothing about its tokens: images, audio, documents.
pub(super) fn has_data(body: &[u8]) -> bool {
    let marks = [";base64,", "\"base64\"", "\"input_audio\"", "\"file_data\""];
    marks
        .iter()
        .any(|mark| find(body, mark.as_bytes()).is_some())
}

/// Whether programs may run at the provider, which keeps their container and files.
pub(super) fn may_run_code(body: &[u8]) -> bool {
    let marks = ["\"code_execution", "\"container\""];
    marks
        .iter()
        .any(|mark| find(body, mark.as_bytes()).is_some())
}

fn has_part(body: &[u8], kinds: &[&str]) -> bool {
    let is_named = |kind: &&str| find(body, format!("\"{kind}\"").as_bytes()).is_some();
    kinds.iter().any(is_named)
        && serde_json::from_slice(body).is_ok_and(|body: Value| {
            let has = |list: &Value| contents(list).any(|part| is_one_of(part, kinds));
            has(&body["messages"]) || has(&body["input"])
        })
}

/// The parts of all messages, including those of tool results.
fn contents(messages: &Value) -> impl Iterator<Item = &Value> {
    let messages = messages.as_array().into_iter().flatten();
    let parts = messages.flat_map(|message| {
        ["content", "output"]
            .into_iter()
            .filter_map(|field| message[field].as_array())
            .flatten()
    });
    parts.flat_map(|part| {
        let inner = part["content"].as_array().into_iter().flatten();
        std::iter::once(part).chain(inner)
    })
}

fn is_one_of(part: &Value, kinds: &[&str]) -> bool {
    part["type"]
        .as_str()
        .is_some_and(|kind| kinds.contains(&kind))
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
