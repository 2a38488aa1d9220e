//! The addresses we serve on, and who may call.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::Secret;
use super::address::parse_address;

/// The operators' address.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminConfig {
    /// Where the page, the metrics and the actions of operators are served.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// What actions ask for, such as taking an upstream out; without it there are none.
    pub token: Option<Secret>,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 4001)),
            token: None,
        }
    }
}

/// The certificate that clients see.
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerTls {
    /// A PEM file with the certificate chain.
    pub cert: PathBuf,
    /// A PEM file with its private key.
    pub key: PathBuf,
}

/// Reads an address, and says how to write one.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    struct Text;
    impl Visitor<'_> for Text {
        type Value = SocketAddr;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an address such as 127.0.0.1:4000")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<SocketAddr, E> {
            parse_address(text).map_err(E::custom)
        }

        fn visit_u64<E: Error>(self, port: u64) -> Result<SocketAddr, E> {
            self.visit_str(&port.to_string())
        }
    }
    deserializer.deserialize_any(Text)
}
