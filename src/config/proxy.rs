//! Forward proxies: which one leads to an upstream, by the configuration or by the environment.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use http::header::HeaderValue;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use percent_encoding::percent_decode_str;

use super::secret::Secret;

/// How a forward proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyScheme {
    /// HTTP CONNECT; requests for plain `http` URLs are handed to it as they are.
    Http,
    /// The same over TLS.
    Https,
    /// SOCKS5; names are resolved here.
    Socks5,
    /// SOCKS5; names are resolved by the proxy.
    Socks5h,
}

/// A forward proxy. What it shows of itself has no user and no password.
#[derive(Clone)]
pub struct ForwardProxy {
    scheme: ProxyScheme,
    intercept: Intercept,
    password: Option<Secret>,
}

impl ForwardProxy {
    /// Reads `scheme://user:password@host:port`; without a scheme, it is `http`.
    pub fn parse(text: &Secret) -> Result<Self, String> {
        let wrong = "write http://host:port, https://…, socks5://… or socks5h://…, with user:password@ before the \
                     host if it wants a login, or none";
        let any = Uri::from_static("https://any");
        let matcher = Matcher::builder().all(text.expose()).build();
        let intercept = matcher.intercept(&any).ok_or(wrong)?;
        let scheme = match intercept.uri().scheme_str() {
            Some("http") => ProxyScheme::Http,
            Some("https") => ProxyScheme::Https,
            Some("socks5") => ProxyScheme::Socks5,
            Some("socks5h") => ProxyScheme::Socks5h,
            _ => return Err(wrong.to_owned()),
        };
        match intercept.uri().host() {
            None | Some("") => Err(wrong.to_owned()),
            Some(_) => Ok(Self {
                scheme,
                intercept,
                password: password(text.expose()),
            }),
        }
    }

    /// How it is spoken to.
    pub fn scheme(&self) -> ProxyScheme {
        self.scheme
    }

    /// Whether it is an HTTP proxy.
    pub fn is_http(&self) -> bool {
        matches!(self.scheme, ProxyScheme::Http | ProxyScheme::Https)
    }

    /// Where it listens, as an `http` URL with a port.
    pub fn uri(&self) -> Uri {
        let (host, port) = self.address();
        let uri = Uri::builder().scheme("http").path_and_query("/");
        uri.authority(format!("{host}:{port}"))
            .build()
            .unwrap_or_default()
    }

    /// The value of `proxy-authorization`.
    pub fn basic_auth(&self) -> Option<&HeaderValue> {
        self.intercept.basic_auth()
    }

    /// User and password for SOCKS.
    pub fn login(&self) -> Option<(&str, &str)> {
        self.intercept.raw_auth()
    }

    /// What must not be shown if the proxy repeats it: its password, and the login with it as it is sent.
    pub fn secrets(&self) -> impl Iterator<Item = Secret> {
        let login = self.basic_auth().and_then(|value| value.to_str().ok());
        let login = login.and_then(|value| value.strip_prefix("Basic "));
        let login = login.map(|login| Secret::from(login.to_owned()));
        self.password.clone().into_iter().chain(login)
    }

    fn address(&self) -> (&str, u16) {
        let usual = match self.scheme {
            ProxyScheme::Http => 80,
            ProxyScheme::Https => 443,
            ProxyScheme::Socks5 | ProxyScheme::Socks5h => 1080,
        };
        let uri = self.intercept.uri();
        let host = uri.host().unwrap_or_default();
        (host, uri.port_u16().unwrap_or(usual))
    }
}

/// The password in the URL of a proxy.
fn password(url: &str) -> Option<Secret> {
    let (login, _) = url.rsplit_once('@')?;
    let (_, login) = login.split_once("://").unwrap_or(("", login));
    let (_, password) = login.split_once(':')?;
    let password = percent_decode_str(password).decode_utf8().ok()?;
    Some(Secret::from(password.into_owned()))
}

impl fmt::Display for ForwardProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = self.address();
        let scheme = self.intercept.uri().scheme_str().unwrap_or_default();
        write!(f, "{scheme}://{host}:{port}")
    }
}

impl fmt::Debug for ForwardProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForwardProxy({self})")
    }
}

/// The variables of the environment that name forward proxies.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct ProxyVariables {
    http: Option<Secret>,
    https: Option<Secret>,
    all: Option<Secret>,
    /// The hosts that are reached directly.
    no: String,
}

impl ProxyVariables {
    /// Reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, or the same in small letters.
    pub(super) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let one = |name: &str| {
            let text = variable(name).or_else(|| variable(&name.to_ascii_lowercase()))?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        Self {
            http: one("HTTP_PROXY").map(Secret::from),
            https: one("HTTPS_PROXY").map(Secret::from),
            all: one("ALL_PROXY").map(Secret::from),
            no: one("NO_PROXY").unwrap_or_default(),
        }
    }

    /// The variables whose texts name no proxy, and why not.
    pub(super) fn mistakes(&self) -> impl Iterator<Item = (&'static str, String)> {
        let all = [
            ("HTTP_PROXY", &self.http),
            ("HTTPS_PROXY", &self.https),
            ("ALL_PROXY", &self.all),
        ];
        all.into_iter().filter_map(|(name, text)| {
            let mistake = ForwardProxy::parse(text.as_ref()?).err()?;
            Some((name, mistake))
        })
    }

    /// The proxy for a URL. This machine itself is never reached through one.
    pub(super) fn for_url(&self, url: &str) -> Option<ForwardProxy> {
        let url: Uri = url.parse().ok()?;
        let own = match url.scheme_str() {
            Some("https") => &self.https,
            _ => &self.http,
        };
        let text = own.as_ref().or(self.all.as_ref())?;
        if is_this_machine(url.host()?) {
            return None;
        }
        let no = self.exceptions(&url);
        let rules = Matcher::builder().all("http://any").no(no).build();
        rules.intercept(&url)?;
        ForwardProxy::parse(text).ok()
    }

    /// The hosts that are reached directly, for the port of a URL, as the library reads them: without ports, and with
    /// `.example.com` for `*.example.com`.
    fn exceptions(&self, url: &Uri) -> String {
        let usual = match url.scheme_str() {
            Some("https") => 443,
            _ => 80,
        };
        let port = url.port_u16().unwrap_or(usual);
        let entries = self.no.split([',', ' ']).filter_map(|entry| {
            let host = match entry.split_once(':') {
                // An IPv6 address has several colons.
                Some((host, own)) if !own.contains(':') => {
                    (own.parse() == Ok(port)).then_some(host)?
                }
                _ => entry,
            };
            Some(
                host.strip_prefix('*')
                    .filter(|rest| !rest.is_empty())
                    .unwrap_or(host),
            )
        });
        entries.collect::<Vec<_>>().join(",")
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_local_name =
        bare.eq_ignore_ascii_case("localhost") || bare.to_ascii_lowercase().ends_with(".localhost");
    is_local_name || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{ForwardProxy, ProxyScheme, ProxyVariables, Secret};

    fn variables(pairs: &'static [(&str, &str)]) -> ProxyVariables {
        ProxyVariables::read(&|name| {
            let found = pairs.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    fn through(variables: &ProxyVariables, url: &str) -> Option<String> {
        variables.for_url(url).map(|proxy| proxy.to_string())
    }

    #[test]
    fn the_environment_decides_by_scheme_and_host() {
        let variables = variables(&[
            ("HTTPS_PROXY", "http://user:p%40ss@proxy.example:3128"),
            ("all_proxy", "socks5h://socks.example"),
            (
                "no_proxy",
                "internal.example, 10.0.0.0/8,192.168.1.7 *.lab.example,gpu.example:8000,tls.example:443,fd00::/8",
            ),
        ]);
        let secure = Some("http://proxy.example:3128".to_owned());
        let other = Some("socks5h://socks.example:1080".to_owned());
        for (url, expected) in [
            ("https://api.openai.com/v1", &secure),
            ("http://api.example/v1", &other),
            ("https://llm.internal.example/v1", &None),
            ("https://10.1.2.3/v1", &None),
            ("http://192.168.1.7:8000/v1", &None),
            ("http://192.168.1.8:8000/v1", &other),
            ("http://a.lab.example/v1", &None),
            ("http://gpu.example:8000/v1", &None),
            ("http://gpu.example/v1", &other),
            ("https://tls.example/v1", &None),
            ("http://tls.example/v1", &other),
            ("http://[fd00::1]:8000/v1", &None),
            ("http://[fe80::1]:8000/v1", &other),
            ("http://127.0.0.1:11434/v1", &None),
            ("http://[::1]:11434/v1", &None),
            ("http://localhost:11434/v1", &None),
        ] {
            assert_eq!(through(&variables, url), *expected, "{url}");
        }
        let proxy = variables.for_url("https://api.openai.com").unwrap();
        assert_eq!(proxy.basic_auth().unwrap(), "Basic dXNlcjpwQHNz");
        assert!(!format!("{proxy:?} {variables:?}").contains("p%40ss"));
    }

    #[test]
    fn each_is_spoken_to_as_its_scheme_says() {
        for (text, scheme, is_http, uri) in [
            (
                "proxy.example:3128",
                ProxyScheme::Http,
                true,
                "http://proxy.example:3128/",
            ),
            (
                "http://proxy.example",
                ProxyScheme::Http,
                true,
                "http://proxy.example:80/",
            ),
            (
                "https://proxy.example",
                ProxyScheme::Https,
                true,
                "http://proxy.example:443/",
            ),
            (
                "socks5://proxy.example",
                ProxyScheme::Socks5,
                false,
                "http://proxy.example:1080/",
            ),
            (
                "socks5h://proxy.example:9",
                ProxyScheme::Socks5h,
                false,
                "http://proxy.example:9/",
            ),
        ] {
            let proxy = ForwardProxy::parse(&Secret::from(text.to_owned())).unwrap();
            assert_eq!(
                (proxy.scheme(), proxy.is_http()),
                (scheme, is_http),
                "{text}"
            );
            assert_eq!(proxy.uri(), uri, "{text}");
            assert_eq!(proxy.login(), None);
        }
        let text = Secret::from("socks5://user:p%40ss@proxy.example".to_owned());
        let proxy = ForwardProxy::parse(&text).unwrap();
        assert_eq!(proxy.login(), Some(("user", "p@ss")));
        assert_eq!(
            format!("{proxy:?}"),
            "ForwardProxy(socks5://proxy.example:1080)"
        );
    }

    #[test]
    fn its_secrets_are_the_password_and_the_login_as_it_is_sent() {
        let secrets = |text: &str| {
            let proxy = ForwardProxy::parse(&Secret::from(text.to_owned())).unwrap();
            let secrets = proxy.secrets().map(|secret| secret.expose().to_owned());
            secrets.collect::<Vec<_>>()
        };
        for url in ["http://user:p%40ss@proxy", "user:p%40ss@proxy"] {
            assert_eq!(secrets(url), ["p@ss", "dXNlcjpwQHNz"], "{url}");
        }
        assert_eq!(secrets("socks5://user:p%40ss@proxy"), ["p@ss"]);
        assert!(secrets("http://proxy:3128").is_empty());
    }

    #[test]
    fn what_names_no_proxy_is_told() {
        let variables = variables(&[("HTTP_PROXY", "socks4://x"), ("ALL_PROXY", "proxy:3128")]);
        let mistakes: Vec<_> = variables.mistakes().map(|(name, _)| name).collect();
        assert_eq!(mistakes, ["HTTP_PROXY"]);
        for text in ["", "ftp://x:1", "http://", "http://a b"] {
            let proxy = ForwardProxy::parse(&Secret::from(text.to_owned()));
            assert!(proxy.is_err(), "{text}");
        }
    }
}
