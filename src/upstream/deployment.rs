//! Azure's older API: the path names a deployment, which is what is called a model elsewhere, and the query a version.

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

/// The path and query for a version of that API, behind `https://NAME.openai.azure.com/openai`.
pub(super) fn path(path: &str, model: Option<&str>, version: &str) -> String {
    let (plain, query) = path.split_once('?').unwrap_or((path, ""));
    let mut out = match model {
        Some(model) if OF_A_DEPLOYMENT.contains(&plain) => {
            format!("/deployments/{}{plain}", escaped(model))
        }
        _ => plain.to_owned(),
    };
    out.push('?');
    if !query.is_empty() {
        out.push_str(query);
        out.push('&');
    }
    out.push_str("api-version=");
    out.push_str(&escaped(version));
    if let Some(model) = model.filter(|_| plain == "/realtime") {
        out.push_str("&deployment=");
        out.push_str(&escaped(model));
    }
    out
}

/// Percent-encoded but for what needs not be (RFC 3986, 2.3).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(byte.into());
            }
            _ => escaped += &format!("%{byte:02X}"),
        }
    }
    escaped
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
        ] {
            assert_eq!(path(asked, model, "v"), expected);
        }
    }
}
