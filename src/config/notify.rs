//! Who is told when something goes wrong.

use serde::Deserialize;

use super::Secret;

/// A webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyConfig {
    /// Where messages are posted. Whoever knows such a URL may post there, so it is never shown.
    pub url: Secret,
    /// The form of a message.
    pub format: NotifyFormat,
    /// What it is told; everything, if that is left out.
    pub on: Option<Vec<NotifyOn>>,
}

impl NotifyConfig {
    /// Whether it is told of such things.
    pub fn is_on(&self, what: NotifyOn) -> bool {
        self.on.as_ref().is_none_or(|on| on.contains(&what))
    }
}

/// The form of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyFormat {
    /// JSON with everything in fields of its own.
    #[default]
    Json,
    /// A text, as Slack's incoming webhooks want it.
    Slack,
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyOn {
    /// An upstream or a model goes out of rotation, or our own network is lost; and it is back.
    Upstreams,
    /// Requests of clients fail; and they are answered again.
    Clients,
    /// A key is refused, an account is empty or a model is missing; and that is mended.
    Accounts,
}

impl NotifyOn {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Upstreams, Self::Clients, Self::Accounts];

    /// Its name in the configuration.
    pub fn label(self) -> &'static str {
        match self {
            Self::Upstreams => "upstreams",
            Self::Clients => "clients",
            Self::Accounts => "accounts",
        }
    }
}
