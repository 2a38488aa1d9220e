//! Webhooks. No message shows a URL: whoever knows it may post there.

use http::Uri;

use super::notes::Check;
use crate::config::path::Path;

impl Check<'_> {
    pub(super) fn notify(&mut self) {
        let notify = Path::default().key("notify");
        for (index, hook) in self.config.notify.iter().enumerate() {
            let path = notify.index(index);
            let url = path.key("url");
            if !self.found.is_spoilt(&url)
                && let Some(why) = wrong_url(hook.url.expose())
            {
                self.note(url, why);
            }
            if hook.on.as_ref().is_some_and(Vec::is_empty) {
                let all = "is empty: leave it out for everything, or write some of upstreams, clients, accounts";
                self.note(path.key("on"), all);
            }
        }
    }
}

fn wrong_url(url: &str) -> Option<&'static str> {
    if url.is_empty() {
        return Some("is missing: write for example \"${SLACK_WEBHOOK}\"");
    }
    let Ok(uri) = url.parse::<Uri>() else {
        return Some("is not a URL, which begins with https:// or http:// and a host");
    };
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    if !is_web || uri.host().is_none_or(str::is_empty) {
        return Some("is not a URL, which begins with https:// or http:// and a host");
    }
    let authority = uri.authority().map(http::uri::Authority::as_str);
    if authority.is_some_and(|authority| authority.contains('@')) {
        return Some("must not hold a user or a password");
    }
    None
}
