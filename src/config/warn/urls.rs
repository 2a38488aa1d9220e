//! URLs that say too much or too little: the path of a request is appended to them.

use super::Look;
use crate::catalogue::{Dialect, Provider};
use crate::config::path::Path;
use crate::config::upstream::{UpstreamConfig, origin};

/// The paths of requests, which examples of other programs have in their URLs.
const ENDPOINTS: [&str; 14] = [
    "/chat/completions",
    "/completions",
    "/responses",
    "/messages/count_tokens",
    "/messages",
    "/embeddings",
    "/moderations",
    "/images/generations",
    "/audio/transcriptions",
    "/audio/speech",
    "/rerank",
    "/files",
    "/batches",
    "/models",
];

/// Servers that have their API below `/v1`, wherever they run.
const BELOW_V1: [&str; 5] = ["ollama", "lmstudio", "vllm", "sglang", "tgi"];

impl Look<'_> {
    pub(super) fn urls(&mut self) {
        let config = self.config;
        let upstreams = Path::default().key("upstreams");
        for (id, upstream) in &config.upstreams {
            let path = upstreams.key(id.as_ref());
            if upstream.base_url.is_some() {
                let url = upstream.base_url();
                let asked = match upstream.provider.dialect() {
                    Dialect::OpenAi => "/chat/completions",
                    Dialect::Anthropic => "/messages",
                };
                self.endpoint(url, asked, path.key("base_url"));
                self.start(url, upstream, path.key("base_url"));
            }
            if let Some(url) = upstream.messages_url.as_deref() {
                let url = url.trim_end_matches('/');
                self.endpoint(url, "/messages", path.key("messages_url"));
            }
        }
    }

    /// Warns of a URL that ends in the path of a request.
    fn endpoint(&mut self, url: &str, asked: &str, path: Path) {
        let rest = ENDPOINTS
            .iter()
            .find_map(|endpoint| Some((endpoint, url.strip_suffix(endpoint)?)));
        let Some((endpoint, base)) = rest else {
            return;
        };
        // A variable in it may hold a secret.
        let is_written = self.found.shown(&path, url) == url;
        let hint = match is_written {
            true => format!("write {base}"),
            false => format!("leave {endpoint} out"),
        };
        let message = format!(
            "ends with {endpoint}, but the path of each request is appended to it: requests go to …{endpoint}{asked}, and fail with 404"
        );
        self.found.note(path, message, Some(hint));
    }

    /// Warns of a URL without the path below which the API of that host lies.
    fn start(&mut self, url: &str, upstream: &UpstreamConfig, path: Path) {
        if origin(url) != url {
            return;
        }
        let name = upstream.provider.name();
        let known = Provider::all().find_map(|provider| {
            let own = provider.base_url()?;
            (origin(own) == url && own != url).then_some(own)
        });
        let meant = match known {
            Some(own) => own.to_owned(),
            None if BELOW_V1.contains(&name) => format!("{url}/v1"),
            None => return,
        };
        let message = "has no path, but the API lies below one: requests fail with 404";
        let hint = match known.is_some() && upstream.provider.base_url() == known {
            true => format!("leave base_url out, or write {meant}"),
            false => format!("write {meant}"),
        };
        self.found.note(path, message, Some(hint));
    }
}
