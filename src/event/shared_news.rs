//! What becomes of the knowledge that replicas share.

/// Something about the server through which replicas share what they know, or about their messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharedNews {
    /// The server is there, or there again.
    Connected {
        /// Where it is: host and port.
        server: String,
    },
    /// The server cannot be reached, or is lost: each replica goes on alone.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// Other replicas took a message of ours, or would have.
    Sent,
    /// A message of another replica came.
    Received,
    /// A message came that says nothing to us.
    Ignored(Unusable),
}

/// Why a message says nothing to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is longer than any of ours.
    TooLong,
    /// It is no message, or not one that we understand.
    Malformed,
    /// Its signature is wrong: its sender has another secret, or is none of us.
    Forged,
    /// Another version of backstop has sent it, whose messages have another form.
    OtherVersion,
    /// It came before, or later than the next one.
    Repeated,
    /// There are more replicas than we keep apart, or more messages than we can read.
    TooMany,
}

impl Unusable {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::TooLong,
        Self::Malformed,
        Self::Forged,
        Self::OtherVersion,
        Self::Repeated,
        Self::TooMany,
    ];

    /// A short constant name for labels and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::OtherVersion => "other_version",
            Self::Repeated => "repeated",
            Self::TooMany => "too_many",
        }
    }
}
