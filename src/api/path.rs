//! What a client asks for, by its path: with or without the base of a URL.

use std::borrow::Cow;

use http::Uri;

use super::reject::Rejection;
use crate::wire::path::is_unambiguous;
use crate::wire::query::{unescaped, without};

/// What comes before the paths of the API, in base URLs of `OpenAI` and of Azure.
const BASES: [&str; 2] = ["/v1", AZURE];
const AZURE: &str = "/openai";

/// The paths that are understood; all others are forwarded.
const UNDERSTOOD: [&str; 7] = [
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/messages",
    "/messages/count_tokens",
    "/realtime",
    "/responses",
];

/// The path and query after `/v1`, starting with a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    text: String,
    /// The model, where Azure's clients name it.
    deployment: Option<String>,
}

impl Path {
    /// `/v1/x` and `/x` are equal, and so are `/v1//x` and `/v1/x`; and `/v1/v1/x`, for clients that add `/v1` to a base
    /// URL that has it. Azure's clients write `/openai/v1/x`, or `/openai/deployments/MODEL/x?api-version=DATE`.
    pub(super) fn of(uri: &Uri) -> Result<Self, Rejection> {
        // Upstreams may resolve dots and reach paths outside of their API.
        if !is_unambiguous(uri.path()) {
            return Err(Rejection::BadPath);
        }
        let whole = with_single_slashes(uri.path());
        let (path, is_azures) = behind_bases(&whole);
        let deployed = is_azures.then(|| deployed(path)).flatten();
        let (deployment, path) = match deployed {
            Some((name, rest)) => (unescaped(name), rest),
            None => (None, path),
        };
        let mut text = match understood(path) {
            None if path.is_empty() => "/".to_owned(),
            known => known.unwrap_or(path).to_owned(),
        };
        if let Some(query) = uri.query() {
            let is_unwanted = |name: &str| tells_a_key(name) || is_azures && name == "api-version";
            let query = without(query, is_unwanted);
            if !query.is_empty() {
                text.push('?');
                text.push_str(&query);
            }
        }
        Ok(Self { text, deployment })
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The model that it names.
    pub(super) fn deployment(&self) -> Option<&str> {
        self.deployment.as_deref()
    }

    pub(super) fn without_query(&self) -> &str {
        let path = self.text.split_once('?');
        path.map_or(&self.text, |(path, _)| path)
    }
}

/// What is behind all bases, and whether Azure's was among them.
fn behind_bases(mut path: &str) -> (&str, bool) {
    let mut is_azures = false;
    let is_behind = |rest: &&str| rest.is_empty() || rest.starts_with('/');
    let behind = |path: &'_ str| {
        let mut bases = BASES.iter();
        bases.find(|base| {
            path.strip_prefix(**base)
                .is_some_and(|rest| is_behind(&rest))
        })
    };
    while let Some(base) = behind(path) {
        is_azures |= *base == AZURE;
        path = &path[base.len()..];
    }
    (path, is_azures)
}

/// The path that is understood, if it is only spelled in another way: with needless escapes, in capital letters or with a
/// slash at its end. Upstreams may read it all the same, so neither limits nor health may depend on how it is written.
fn understood(path: &str) -> Option<&'static str> {
    let is_nonstandard = |byte: u8| byte == b'%' || byte.is_ascii_uppercase();
    if !path.ends_with('/') && !path.bytes().any(is_nonstandard) {
        return None;
    }
    let read = unescaped(path)?.to_ascii_lowercase();
    let read = with_single_slashes(&read);
    let (path, _) = behind_bases(&read);
    let path = path.trim_end_matches('/');
    UNDERSTOOD.into_iter().find(|known| *known == path)
}

/// The name of a deployment, and what is asked of it.
fn deployed(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix("/deployments/")?;
    let at = path.find('/').filter(|at| *at > 0 && at + 1 < path.len())?;
    Some(path.split_at(at))
}

fn with_single_slashes(path: &str) -> Cow<'_, str> {
    if path.starts_with('/') && !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut single = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        single.push('/');
        single.push_str(segment);
    }
    if path.ends_with('/') {
        single.push('/');
    }
    Cow::Owned(single)
}

/// Whether a parameter holds a key, or a signature made with one, as some APIs accept. It is the client's, so no
/// upstream may see it.
fn tells_a_key(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "key",
        "api_key",
        "api-key",
        "apikey",
        "x-api-key",
        "access_key",
        "access_token",
        "authorization",
        "subscription-key",
    ];
    const PREFIXES: [&str; 2] = ["x-amz-", "x-goog-"];
    let begins = |prefix: &str| {
        let start = name.as_bytes().get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name)) || PREFIXES.into_iter().any(begins)
}

#[cfg(test)]
mod tests {
    use super::Path;

    fn path(text: &str) -> Option<String> {
        Path::of(&text.parse().unwrap()).ok().map(Path::into_text)
    }

    #[test]
    fn a_path_that_is_understood_is_so_however_it_is_spelled() {
        for (text, expected) in [
            ("/v1/chat/completions/", "/chat/completions"),
            ("/V1/Chat/Completions", "/chat/completions"),
            ("/v1/chat/%63ompletions?a=%62", "/chat/completions?a=%62"),
            ("/%761/chat%2Fcompletions", "/chat/completions"),
            ("/openai/deployments/My%2DGPT/Embeddings/", "/embeddings"),
            ("/v1/messages/count%5Ftokens", "/messages/count_tokens"),
            // What is only forwarded stays as it is.
            ("/v1/files/", "/files/"),
            ("/v1/Files/%61", "/Files/%61"),
            ("/v1/responses/Resp_1", "/responses/Resp_1"),
        ] {
            assert_eq!(path(text).as_deref(), Some(expected), "{text}");
        }
        let azures = Path::of(&"/openai/deployments/My%2DGPT/embeddings/".parse().unwrap());
        assert_eq!(azures.unwrap().deployment(), Some("My-GPT"));
    }

    #[test]
    fn with_and_without_v1_is_the_same() {
        for text in [
            "/v1/chat/completions",
            "/chat/completions",
            "//v1//chat/completions",
            "/v1/v1/chat/completions",
        ] {
            assert_eq!(path(text).as_deref(), Some("/chat/completions"), "{text}");
        }
        assert_eq!(
            path("/v1/responses?beta=true").as_deref(),
            Some("/responses?beta=true")
        );
        assert_eq!(path("/v1").as_deref(), Some("/"));
        assert_eq!(path("/v10/x").as_deref(), Some("/v10/x"));
        assert_eq!(path("/v1/v10").as_deref(), Some("/v10"));
        assert_eq!(path("/v1/files/").as_deref(), Some("/files/"));
    }

    #[test]
    fn nothing_leads_out_of_the_upstreams_api() {
        for text in ["/v1/../admin", "/v1/%2e%2E/admin", "/v1/./x", "/v1/..%2fx"] {
            assert_eq!(path(text), None, "{text}");
        }
        let named = "/models/openai%2Fgpt-4o";
        assert_eq!(path(&format!("/v1{named}")).as_deref(), Some(named));
    }

    #[test]
    fn keys_in_a_query_stay_here() {
        for (text, expected) in [
            ("/v1/files?key=k&limit=2", "/files?limit=2"),
            ("/v1/files?limit=2&API-Key=k&api%5Fkey=k", "/files?limit=2"),
            ("/v1/files?X-Amz-Signature=k&x-goog-api-key=k", "/files"),
            ("/v1/files?keys=k&after=key", "/files?keys=k&after=key"),
        ] {
            assert_eq!(path(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn azures_clients_ask_for_the_same_and_name_the_model_in_the_path() {
        for (text, expected, model) in [
            (
                "/openai/v1/responses?api-version=preview",
                "/responses",
                None,
            ),
            ("/v1/openai/models?api-version=1&a=b", "/models?a=b", None),
            (
                "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
                "/chat/completions",
                Some("gpt-4o"),
            ),
            (
                "/openai/deployments/meta%2Fllama/audio/speech",
                "/audio/speech",
                Some("meta/llama"),
            ),
            ("/openai/deployments/gpt-4o", "/deployments/gpt-4o", None),
            (
                "/deployments/a/b?api-version=1",
                "/deployments/a/b?api-version=1",
                None,
            ),
            ("/openai-like/x", "/openai-like/x", None),
        ] {
            let path = Path::of(&text.parse().unwrap()).unwrap();
            assert_eq!(
                (path.as_str(), path.deployment()),
                (expected, model),
                "{text}"
            );
        }
    }
}
