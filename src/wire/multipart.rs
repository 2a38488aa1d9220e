//! The `model` field of a form upload: finding it, so that it can be routed, and putting another one there.

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
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let delimiter = format!("--{}", multer::parse_boundary(content_type).ok()?);
    let mut start = find(body, delimiter.as_bytes())?;
    loop {
        let part = start + delimiter.len();
        let end = part + find(&body[part..], format!("\r\n{delimiter}").as_bytes())?;
        let head = part + find(&body[part..end], b"\r\n\r\n")?;
        if names_model(&body[part..head]) {
            let mut replaced = BytesMut::with_capacity(body.len() + model.len());
            replaced.extend_from_slice(&body[..head + 4]);
            replaced.extend_from_slice(model.as_bytes());
            replaced.extend_from_slice(&body[end..]);
            return Some(replaced.freeze());
        }
        start = end + 2;
    }
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

    use super::{model, with_model};

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
        let empty = Bytes::from_static(b"--xx--");
        assert_eq!(with_model(&headers, &empty, "m"), None);
    }
}
