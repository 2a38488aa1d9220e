//! Whether a reply has a form in which an answer can be.

use http::header::{CONTENT_ENCODING, HeaderMap};

use crate::outcome::{Defect, Outcome};
use crate::wire::headers::{PAGE, has_media_type};

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
