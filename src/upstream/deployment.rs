//! Azure's older API: the path names a deployment (elsewhere called a model), and the query a version.

use crate::wire::path::is_unambiguous;
use crate::wire::query::{escaped, without};

/// Paths that belong to a deployment; all others belong to the resource.
const OF_A_DEPLOYMENT: [&str; 8] = [
    "/audio/speech",
    "/audio/transcriptions",
    "/audio/translations",
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/images/edits",
    "/images/generations",
];

/// The path and query for a version of that API, after `https://NAME.openai.azure.com/openai`; `None` if the model's
/// name would change the path.
pub(super) fn path(path: &str, model: Option<&str>, version: &str) -> Option<String> {
    let (plain, query) = path.split_once('?').unwrap_or((path, ""));
    let mut out = match model {
        Some(model) if OF_A_DEPLOYMENT.contains(&plain) => {
            if !is_unambiguous(model) {
                return None;
            }
            format!("/deployments/{}{plain}", escaped(model))
        }
        _ => plain.to_owned(),
    };
    out.push('?');
    // We set these parameters; the client's are removed.
    let query = without(query, |name| matches!(name, "api-version" | "deployment"));
    if !query.is_empty() {
        out.push_str(&query);
        out.push('&');
    }
    out.push_str("api-version=");
    out.push_str(&escaped(version));
    if let Some(model) = model.filter(|_| plain == "/realtime") {
        out.push_str("&deployment=");
        out.push_str(&escaped(model));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn the_deployment_stands_in_the_path() {
        for (asked, model, expected) in [
            (
                "/chat/completions",
                Some("gpt-4o"),
                "/deployments/gpt-4o/chat/completions?api-version=v",
            ),
            (
                "/images/edits?a=b",
                Some("my model/1"),
                "/deployments/my%20model%2F1/images/edits?a=b&api-version=v",
            ),
            ("/responses", Some("gpt-4o"), "/responses?api-version=v"),
            (
                "/realtime?model=x",
                Some("my model"),
                "/realtime?model=x&api-version=v&deployment=my%20model",
            ),
            ("/files?limit=2", None, "/files?limit=2&api-version=v"),
            ("/chat/completions", None, "/chat/completions?api-version=v"),
            (
                "/realtime?deployment=theirs&api-version=1&api%2Dversion=2",
                Some("ours"),
                "/realtime?api-version=v&deployment=ours",
            ),
        ] {
            assert_eq!(path(asked, model, "v").as_deref(), Some(expected));
        }
    }

    #[test]
    fn no_name_leads_out_of_the_deployments() {
        for model in [
            "..",
            ".",
            "../../admin",
            "a/../../b",
            "..%2f",
            "a\\b",
            "a;b",
            "a\0",
        ] {
            assert_eq!(path("/embeddings", Some(model), "v"), None, "{model}");
        }
    }
}
