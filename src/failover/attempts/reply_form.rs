//! Whether a reply has a form in which an answer can be, and which.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HeaderMap};
use tokio::time::Instant;

use crate::outcome::{Defect, Outcome};
use crate::upstream::Reply;
use crate::wire::alarm::within;
use crate::wire::headers::{JSON_TYPE, PAGE, has_media_type};
use crate::wire::json::without_mark;

/// A page is no answer, and what is packed in a coding that we do not know cannot be checked.
pub(super) fn check_form(headers: &HeaderMap) -> Result<(), Outcome> {
    if has_media_type(headers, PAGE) {
        return Err(Outcome::InvalidReply(Defect::ContentType));
    }
    match headers.get(CONTENT_ENCODING) {
        Some(coding) if coding != "identity" => Err(Outcome::InvalidReply(Defect::Compressed)),
        _ => Ok(()),
    }
}

/// Whether an answer of another type than that of events is JSON in one piece: by its first bytes, else by its type.
pub(super) async fn is_whole(reply: &mut Reply, until: Instant) -> bool {
    let begins = within(until, reply.body.begins_as_json()).await.flatten();
    begins.unwrap_or_else(|| has_media_type(&reply.headers, JSON_TYPE))
}

/// The same without a byte order mark.
pub(super) fn unmarked(body: Bytes) -> Bytes {
    let mark = body.len() - without_mark(&body).len();
    body.slice(mark..)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::check_form;
    use crate::outcome::{Defect, Outcome};

    #[test]
    fn a_stream_that_is_a_page_or_packed_fails_over_and_a_plain_one_does_not() {
        let check = |name: &'static str, value| {
            check_form(&HeaderMap::from_iter([(
                name.parse().unwrap(),
                HeaderValue::from_static(value),
            )]))
        };
        let refused = |defect| Err(Outcome::InvalidReply(defect));
        assert_eq!(
            check("content-type", "text/html; charset=utf-8"),
            refused(Defect::ContentType)
        );
        assert_eq!(check("content-type", "text/event-stream"), Ok(()));
        assert_eq!(
            check("content-encoding", "gzip"),
            refused(Defect::Compressed)
        );
        assert_eq!(check("content-encoding", "identity"), Ok(()));
    }
}
