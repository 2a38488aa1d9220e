//! The fields of a form upload: finding the `model`, so that it can be routed, putting another one there, and what may be ids.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap};
use http_body_util::{BodyDataStream, Full};
use memchr::memmem::find;

/// The `model` field of a `multipart/form-data` body; `None` if there is none, or the body is no such form.
pub async fn model(headers: &HeaderMap, body: &Bytes) -> Option<String> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let boundary = multer::parse_boundary(content_type).ok()?;
    let body = BodyDataStream::new(Full::<Bytes>::new(body.clone()));
    let mut form = multer::Multipart::new(body, boundary);
    while let Ok(Some(field)) = form.next_field().await {
        if field.name() == Some("model") {
            return field.text().await.ok();
        }
    }
    None
}

/// The form with another model; every other byte stays as it is. `None` if it has none.
pub fn with_model(headers: &HeaderMap, body: &Bytes, model: &str) -> Option<Bytes> {
    let (_, place) = parts(headers, body)?.find(|(head, _)| names_model(head))?;
    let mut replaced = BytesMut::with_capacity(body.len() + model.len());
    replaced.extend_from_slice(&body[..place.start]);
    replaced.extend_from_slice(model.as_bytes());
    replaced.extend_from_slice(&body[place.end..]);
    Some(replaced.freeze())
}

/// The short texts in a form that are no files.
pub fn texts<'a>(headers: &HeaderMap, body: &'a [u8]) -> Vec<&'a str> {
    const LONGEST: usize = 256;
    let is_file = |head: &[u8]| find(&head.to_ascii_lowercase(), b"filename").is_some();
    let parts = parts(headers, body).into_iter().flatten();
    parts
        .filter(|(head, place)| place.len() <= LONGEST && !is_file(head))
        .filter_map(|(_, place)| std::str::from_utf8(&body[place]).ok())
        .collect()
}

/// The head of each part, and where its content is; `None` if the body is no form.
fn parts<'a>(
    headers: &HeaderMap,
    body: &'a [u8],
) -> Option<impl Iterator<Item = (&'a [u8], Range<usize>)>> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let delimiter = format!("\r\n--{}", multer::parse_boundary(content_type).ok()?);
    // The first one has no line before it.
    let mut part = find(body, &delimiter.as_bytes()[2..])? + delimiter.len() - 2;
    Some(std::iter::from_fn(move || {
        let end = part + find(&body[part..], delimiter.as_bytes())?;
        let head = part + find(&body[part..end], b"\r\n\r\n")?;
        let found = (&body[part..head], head + 4..end);
        part = end + delimiter.len();
        Some(found)
    }))
}

fn names_model(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let mut disposition = head
        .lines()
        .filter(|line| line.starts_with("content-disposition:"));
    disposition.any(|line| {
        line.split(';')
            .any(|part| matches!(part.trim(), "name=\"model\"" | "name=model"))
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::{model, texts, with_model};

    #[tokio::test]
    async fn the_model_is_found_behind_a_file() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "content-type",
            "multipart/form-data; boundary=xx".parse().unwrap(),
        );
        let body = Bytes::from_static(
            b"--xx\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n\x00\xff--x\r\n\
              --xx\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--xx--\r\n",
        );
        assert_eq!(model(&headers, &body).await.as_deref(), Some("whisper-1"));
        assert_eq!(model(&HeaderMap::new(), &body).await, None);

        let replaced = with_model(&headers, &body, "whisper-large-v3").unwrap();
        let name = model(&headers, &replaced).await;
        assert_eq!(name.as_deref(), Some("whisper-large-v3"));
        let file = b"\r\n\r\n\x00\xff--x\r\n--xx\r\n";
        assert!(memchr::memmem::find(&replaced, file).is_some());
        assert_eq!(texts(&headers, &body), ["whisper-1"]);
        let empty = Bytes::from_static(b"--xx--");
        assert_eq!(with_model(&headers, &empty, "m"), None);
    }
}
