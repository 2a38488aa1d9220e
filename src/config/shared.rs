//! Where several replicas share what they know.

use std::fmt;
use std::path::PathBuf;

use http::Uri;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer};

use super::Secret;

/// What replicas share, and through whom.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharedConfig {
    /// The URL of a Redis or Valkey server, or those of several nodes of a cluster, or of sentinels; empty: nothing is shared.
    /// A URL may hold a password, so it is never shown.
    #[serde(deserialize_with = "one_or_many")]
    pub redis: Vec<Secret>,
    /// The name by which sentinels know the server: then the URLs are those of sentinels.
    pub sentinel: Option<String>,
    /// The password of the sentinels themselves.
    pub sentinel_password: Option<Secret>,
    /// A PEM file with certificates to trust besides the platform's.
    pub ca_file: Option<PathBuf>,
    /// The name of the fleet: replicas with another name share nothing with these.
    pub fleet: String,
    /// What this replica is called on the page; the machine's name, if that is left out.
    pub name: Option<String>,
    /// What names and keys are hashed with, and messages signed, so that the server learns nothing from them. All replicas need
    /// the same. If that is left out, it is the password of the first URL; see [`SharedConfig::signing_secret`].
    pub secret: Option<Secret>,
}

impl Default for SharedConfig {
    fn default() -> Self {
        Self {
            redis: Vec::new(),
            sentinel: None,
            sentinel_password: None,
            ca_file: None,
            fleet: "backstop".to_owned(),
            name: None,
            secret: None,
        }
    }
}

impl SharedConfig {
    /// Whether anything is shared.
    pub fn is_on(&self) -> bool {
        !self.redis.is_empty()
    }

    /// What messages are signed with, and names hashed: the secret, else the password of the first URL. `None`: there is neither,
    /// so that whoever reaches the server can speak for a replica.
    pub fn signing_secret(&self) -> Option<Secret> {
        let password = || self.servers().into_iter().next()?.password;
        let is_there = |secret: &Secret| !secret.expose().is_empty();
        let own = self.secret.clone().filter(is_there);
        own.or_else(|| password().filter(is_there))
    }

    /// The servers that can be named.
    pub fn servers(&self) -> Vec<RedisUrl> {
        let urls = self.redis.iter();
        urls.filter_map(|url| RedisUrl::parse(url.expose()).ok())
            .collect()
    }
}

/// A server's URL, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    /// Whether the connection is encrypted.
    pub is_secure: bool,
    /// The name or the address, an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user, if one is named.
    pub user: Option<String>,
    /// The password, if there is one.
    pub password: Option<Secret>,
    /// The number of the database.
    pub database: i64,
}

impl RedisUrl {
    /// Takes a URL apart; else says what is wrong with it, without its content.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const NO_URL: &str =
            "is not a URL; write for example rediss://:password@redis.example:6379";
        if text.is_empty() {
            return Err("is missing: write for example redis://127.0.0.1:6379");
        }
        let uri: Uri = text.parse().map_err(|_| NO_URL)?;
        let is_secure = match uri.scheme_str() {
            Some("redis" | "valkey") => false,
            Some("rediss" | "valkeys") => true,
            _ => return Err("must begin with redis:// or, with TLS, rediss://"),
        };
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(NO_URL);
        }
        let (user, password) = credentials(&uri).ok_or(NO_URL)?;
        let database = match uri.path().trim_matches('/') {
            "" => 0,
            number => number
                .parse()
                .map_err(|_| "ends with a database that is no number")?,
        };
        Ok(Self {
            is_secure,
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(6379),
            user: user.filter(|user| !user.is_empty()),
            password: password.map(Secret::from),
            database,
        })
    }
}

/// Without the password.
impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

/// The host and the port.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// The user and the password before the `@`; `None` if they are no text.
fn credentials(uri: &Uri) -> Option<(Option<String>, Option<String>)> {
    let authority = uri.authority()?.as_str();
    let Some((both, _)) = authority.rsplit_once('@') else {
        return Some((None, None));
    };
    let decoded = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8().ok()?;
        Some(decoded.into_owned())
    };
    match both.split_once(':') {
        Some((user, password)) => Some((Some(decoded(user)?), Some(decoded(password)?))),
        None => Some((Some(decoded(both)?), None)),
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Secret>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a URL or a list of URLs")]
    enum OneOrMany {
        One(Secret),
        Many(Vec<Secret>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(url) => vec![url],
        OneOrMany::Many(urls) => urls,
    })
}

#[cfg(test)]
mod tests {
    use super::{RedisUrl, Secret, SharedConfig};

    #[test]
    fn messages_are_signed_with_the_secret_else_with_the_first_password() {
        let signing = |urls: &[&str], secret: Option<&str>| {
            let text = |text: &&str| Secret::from((*text).to_owned());
            let config = SharedConfig {
                redis: urls.iter().map(text).collect(),
                secret: secret.as_ref().map(text),
                ..SharedConfig::default()
            };
            let signing = config.signing_secret();
            signing.map(|secret| secret.expose().to_owned())
        };
        for (urls, secret, expected) in [
            (&["redis://:p@a"][..], Some("s"), Some("s")),
            (&["redis://:p@a"][..], None, Some("p")),
            (&["redis://:p@a"][..], Some(""), Some("p")),
            (&["redis://:@a"][..], None, None),
            (&["redis://me@a"][..], Some(""), None),
            (&["redis://a", "redis://:p@b"][..], None, None),
        ] {
            assert_eq!(signing(urls, secret).as_deref(), expected, "{urls:?}");
        }
    }

    #[test]
    fn a_url_says_where_the_server_is_and_how_to_log_in() {
        for (text, shown, is_secure, user, password, database) in [
            ("redis://a", "a:6379", false, None, None, 0),
            ("rediss://a:7000/3", "a:7000", true, None, None, 3),
            ("valkey://:p%40ss@a", "a:6379", false, None, Some("p@ss"), 0),
            (
                "valkeys://me:p@[::1]:1",
                "[::1]:1",
                true,
                Some("me"),
                Some("p"),
                0,
            ),
        ] {
            let url = RedisUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("RedisUrl({shown})"));
            assert_eq!((url.is_secure, url.database), (is_secure, database));
            assert_eq!(url.user.as_deref(), user);
            let found = url.password.as_ref().map(Secret::expose);
            assert_eq!(found, password);
            assert!(!format!("{url:?}").contains("p@"), "{url:?}");
        }
        for text in ["", "a:6379", "http://a", "redis://", "redis://a/x"] {
            assert!(RedisUrl::parse(text).is_err(), "{text}");
        }
    }
}
