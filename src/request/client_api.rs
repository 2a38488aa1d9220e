//! The API that a client speaks.

use http::HeaderMap;

use crate::catalogue::Dialect;

/// The API that a client speaks: in its words it gets errors and lists of models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientApi {
    /// `OpenAI`'s.
    #[default]
    OpenAi,
    /// Anthropic's.
    Anthropic,
}

impl ClientApi {
    /// Decided when a request arrives, and once more if its path, once understood, reads otherwise: by the path where only one of the APIs has
    /// it, else by the header that Anthropic's clients must send. At first nothing has to be right with the path, because the
    /// error that says what is wrong with it is put in the client's words, too.
    pub fn of(path: &str, headers: &HeaderMap) -> Self {
        let mut segments = path.as_bytes().split(|byte| *byte == b'/');
        match segments.find(|segment| !matches!(*segment, b"" | b"v1")) {
            Some(b"messages") => Self::Anthropic,
            Some(b"chat" | b"completions" | b"embeddings" | b"responses" | b"realtime") => {
                Self::OpenAi
            }
            _ if headers.contains_key("anthropic-version") => Self::Anthropic,
            _ => Self::OpenAi,
        }
    }

    /// Whether an upstream understands what the client says as it is.
    pub fn is_spoken_by(self, dialect: Dialect) -> bool {
        match self {
            Self::OpenAi => dialect == Dialect::OpenAi,
            Self::Anthropic => dialect == Dialect::Anthropic,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::ClientApi::{self, Anthropic, OpenAi};

    #[test]
    fn the_path_decides_before_the_header() {
        let none = HeaderMap::new();
        let mut anthropic = HeaderMap::new();
        anthropic.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        for (path, without, with) in [
            ("/v1/messages", Anthropic, Anthropic),
            ("//messages/batches/../x", Anthropic, Anthropic),
            ("/v1/chat/completions", OpenAi, OpenAi),
            ("/responses/resp_1", OpenAi, OpenAi),
            ("/v1/models", OpenAi, Anthropic),
            ("/v1/files/messages", OpenAi, Anthropic),
            ("", OpenAi, Anthropic),
        ] {
            assert_eq!(ClientApi::of(path, &none), without, "{path}");
            assert_eq!(ClientApi::of(path, &anthropic), with, "{path}");
        }
    }
}
