//! Which headers may pass in each direction: all, except those that concern another party.
//!
//! These are deny lists, so that new headers of the APIs pass without a change here.

use std::iter;

use http::HeaderMap;

use crate::wire::headers::end_to_end;

/// Headers of clients that no upstream may see.
static OF_CLIENTS: KeptBack = KeptBack {
    names: Words::of(&[
        // Its credentials and cookies, and its accounts elsewhere.
        "authorization",
        "api-key",
        "cookie",
        "cookie2",
        "chatgpt-account-id",
        "openai-organization",
        "openai-project",
        "remote-user",
        // Headers that our own connection to the upstream sets anew.
        "host",
        "content-length",
        "expect",
        "max-forwards",
        "http2-settings",
        "priority",
        "early-data",
        "alt-used",
        // Where the request came from, and by which proxies.
        "forwarded",
        "via",
        "cdn-loop",
        "true-client-ip",
        "do-connecting-ip",
        "front-end-https",
        // What its browser reports about pages, devices and people.
        "origin",
        "referer",
        "dnt",
        "purpose",
        "save-data",
        "device-memory",
        "viewport-width",
        "upgrade-insecure-requests",
    ]),
    prefixes: Words::of(&[
        "proxy-",
        "access-control-",
        "sec-",
        "cf-",
        "client-cert",
        "fastly-",
        "fly-",
        "ocp-apim-",
        "ssl-client-",
        "wl-proxy-",
    ]),
    x_names: Words::of(&[
        "api-key",
        "access-token",
        "csrf-token",
        "xsrf-token",
        // Some servers read another method or path from these.
        "http-method",
        "http-method-override",
        "method-override",
        "override-url",
        "rewrite-url",
        "host",
        "server-name",
        // Where the request came from.
        "real-ip",
        "client-ip",
        "client-port",
        "client-dn",
        "client-verify",
        "cluster-client-ip",
        "originating-ip",
        "azure-clientip",
        "azure-socketip",
        "scheme",
        "url-scheme",
    ]),
    x_prefixes: Words::of(&[
        "backstop-",
        "forwarded",
        "original-",
        "remote-",
        "real-",
        "accel-",
        // The client's identity, as determined by a proxy before us.
        "auth",
        "client-cert",
        "ssl-",
        "tls-",
        "arr-",
        "consumer-",
        "credential-",
        "webauth-",
        "ms-client-principal",
        "ms-token-",
        "appengine-",
        "envoy-",
        "vercel-",
        "proxy",
        // Signatures, tokens and projects of cloud accounts.
        "amz-",
        "amzn-",
        "goog-",
    ]),
    but: Words::of(&["sec-websocket-", "x-amzn-bedrock-"]),
};

/// Headers of upstreams that no client may see.
static OF_UPSTREAMS: KeptBack = KeptBack {
    names: Words::of(&[
        // Names of our accounts; cookies; authentication challenges, for which a browser would prompt a person.
        "openai-organization",
        "openai-project",
        "anthropic-organization-id",
        "set-cookie",
        "set-cookie2",
        "www-authenticate",
        "authentication-info",
        // Headers that we set ourselves.
        "date",
        "server",
        // Headers by which a browser would do something to our own origin: go elsewhere, report, clear data, reload.
        "alt-svc",
        "strict-transport-security",
        "expect-ct",
        "public-key-pins",
        "public-key-pins-report-only",
        "clear-site-data",
        "refresh",
        "link",
        "nel",
        "report-to",
        "reporting-endpoints",
        "server-timing",
        "timing-allow-origin",
        "accept-ch",
        "critical-ch",
        "service-worker-allowed",
        "set-login",
        "speculation-rules",
        "supports-loading-mode",
        "observe-browsing-topics",
    ]),
    prefixes: Words::of(&[
        "proxy-",
        "access-control-",
        "attribution-reporting-",
        "sec-",
    ]),
    x_names: Words::of(&[
        // Our own id; the upstream's is passed on under another name.
        "request-id",
        // With these, a proxy before us would send another file or resource.
        "sendfile",
        "lighttpd-send-file",
        "litespeed-location",
    ]),
    x_prefixes: Words::of(&["backstop-", "accel-", "reproxy-"]),
    but: Words::of(&["sec-websocket-", "x-accel-buffering"]),
};

/// The headers of a client's request that may go on to an upstream.
pub(super) fn for_upstream(headers: HeaderMap) -> HeaderMap {
    end_to_end(headers, |name| !OF_CLIENTS.has(name))
}

/// The headers of an upstream's reply that may go on to the client.
pub(super) fn for_client(headers: HeaderMap) -> HeaderMap {
    end_to_end(headers, |name| !OF_UPSTREAMS.has(name))
}

/// Header names in lower case, as they always are here. Names that start with `x-` (many do) are listed without it.
struct KeptBack {
    names: Words,
    prefixes: Words,
    x_names: Words,
    x_prefixes: Words,
    /// Exceptions: these pass although a prefix denies them.
    but: Words,
}

impl KeptBack {
    fn has(&self, name: &str) -> bool {
        let (rest, names, prefixes) = match name.strip_prefix("x-") {
            Some(rest) => (rest, &self.x_names, &self.x_prefixes),
            None => (name, &self.names, &self.prefixes),
        };
        names.like(rest).any(|known| known == rest)
            || prefixes.like(rest).any(|prefix| rest.starts_with(prefix))
                && !self.but.like(name).any(|prefix| name.starts_with(prefix))
    }
}

/// Up to 64 words, indexed by their first letter: every header of every request and reply is looked up here, and should
/// be compared with few of them.
struct Words {
    words: &'static [&'static str],
    /// For each letter, a bit for each word.
    by_letter: [u64; 26],
}

impl Words {
    const fn of(words: &'static [&'static str]) -> Self {
        let mut by_letter = [0; 26];
        let mut index = 0;
        while index < words.len() {
            let letter = words[index].as_bytes()[0] - b'a';
            by_letter[letter as usize] |= 1 << index;
            index += 1;
        }
        Self { words, by_letter }
    }

    /// The words with the same first letter.
    fn like(&self, name: &str) -> impl Iterator<Item = &'static str> {
        let letter = name
            .as_bytes()
            .first()
            .map(|first| first.wrapping_sub(b'a'));
        let bits = letter.and_then(|letter| self.by_letter.get(usize::from(letter)));
        let mut left = bits.copied().unwrap_or(0);
        iter::from_fn(move || {
            let index = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            self.words.get(index).copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::{HeaderName, HeaderValue};

    use super::{for_client, for_upstream};

    fn passed(pass: fn(HeaderMap) -> HeaderMap, names: &str) -> String {
        let mut headers = HeaderMap::new();
        for name in names.split_whitespace() {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_static("1"));
        }
        let passed = pass(headers);
        let passed: Vec<&str> = passed.keys().map(HeaderName::as_str).collect();
        passed.join(" ")
    }

    #[test]
    fn what_a_client_says_to_the_api_goes_on() {
        let names = "\
            accept accept-language anthropic-beta anthropic-dangerous-direct-browser-access \
            anthropic-version content-type http-referer idempotency-key if-none-match openai-beta range \
            sec-websocket-extensions sec-websocket-protocol traceparent user-agent \
            x-amzn-bedrock-guardrailidentifier x-client-request-id x-ms-client-request-id x-request-id \
            x-stainless-retry-count x-title";
        assert_eq!(passed(for_upstream, names), names);
    }

    #[test]
    fn what_a_client_says_to_somebody_else_does_not() {
        let names = "\
            access-control-request-headers access-control-request-method \
            access-control-request-private-network alt-used api-key authorization cdn-loop \
            cf-access-jwt-assertion cf-connecting-ip cf-ipcountry chatgpt-account-id client-cert \
            client-cert-chain connection content-length cookie dnt early-data expect fastly-client-ip \
            fly-client-ip forwarded host keep-alive ocp-apim-subscription-key openai-organization \
            openai-project origin priority proxy-authorization proxy-connection referer sec-ch-ua \
            sec-ch-ua-platform sec-fetch-site sec-gpc ssl-client-cert te trailer transfer-encoding \
            true-client-ip upgrade upgrade-insecure-requests via x-amz-date x-amz-security-token \
            x-amzn-oidc-data x-amzn-trace-id x-api-key x-appengine-user-ip x-auth-request-email x-auth-token \
            x-authenticated-user x-azure-clientip x-backstop-dropped x-client-cert x-client-ip \
            x-cluster-client-ip x-consumer-username x-envoy-external-address x-forwarded \
            x-forwarded-client-cert x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-prefix \
            x-forwarded-proto x-goog-api-key x-goog-iap-jwt-assertion x-goog-user-project x-host \
            x-http-method x-http-method-override x-method-override x-ms-client-principal \
            x-ms-client-principal-id x-original-forwarded-for x-original-host x-original-url \
            x-originating-ip x-proxyuser-ip x-real-ip x-remote-addr x-remote-user x-rewrite-url x-scheme \
            x-ssl-client-verify";
        assert_eq!(passed(for_upstream, names), "");
    }

    #[test]
    fn what_an_upstream_says_of_its_answer_goes_on() {
        let names = "\
            anthropic-ratelimit-requests-remaining cache-control cf-ray content-disposition content-encoding \
            content-length content-type etag location openai-processing-ms openai-version request-id \
            retry-after retry-after-ms sec-websocket-accept vary x-accel-buffering x-amzn-requestid \
            x-ratelimit-remaining-requests x-should-retry";
        assert_eq!(passed(for_client, names), names);
    }

    #[test]
    fn what_an_upstream_must_not_say_does_not() {
        let names = "\
            accept-ch access-control-allow-credentials access-control-allow-origin alt-svc \
            anthropic-organization-id attribution-reporting-register-source clear-site-data connection \
            critical-ch date keep-alive link nel openai-organization openai-project proxy-authenticate \
            proxy-authentication-info refresh report-to reporting-endpoints sec-session-registration server \
            server-timing service-worker-allowed set-cookie strict-transport-security trailer \
            transfer-encoding upgrade www-authenticate x-accel-redirect x-backstop-attempts \
            x-backstop-continuation x-backstop-dropped x-backstop-estimated x-backstop-upstream \
            x-backstop-whatever-comes x-request-id x-sendfile";
        assert_eq!(passed(for_client, names), "");
    }
}
