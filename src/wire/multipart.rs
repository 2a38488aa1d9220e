//! Finding the `model` field of a form upload, so that it can be routed.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use http_body_util::{BodyDataStream, Full};

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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::model;

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
    }
}
