//! The kinds of failures of which there are several variants.

/// Why no connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// Nobody listens at the address.
    Refused,
    /// The name could not be resolved.
    Dns,
    /// The TLS handshake failed.
    Tls,
    /// The forward proxy cannot be reached, or does not let us through.
    Proxy,
    /// TCP and TLS were not done within the connect timeout.
    TimedOut,
    /// Anything else, for example no route to the host.
    Other,
}

/// Which timer ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before the head of the reply.
    Headers,
    /// Before the first content.
    FirstToken,
    /// Between two pieces of the reply.
    Idle,
    /// Between two pieces of content, while there were others.
    Content,
    /// The content came too slowly.
    Rate,
    /// The time for the whole request, all attempts together.
    Total,
}

/// What is wrong with a reply that has a success status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A redirect: to follow it would carry the credential elsewhere.
    Redirect,
    /// A content type that was not asked for, such as HTML.
    ContentType,
    /// A whole answer in place of the stream that was asked for.
    Unstreamed,
    /// Compressed in a way that is not understood, although that was not asked for.
    Compressed,
    /// No body at all.
    Empty,
    /// Not the JSON or the events that it should be.
    Unparsable,
    /// Well-formed, but without an answer (`choices: []`).
    NoAnswer,
    /// A whole answer in which nothing is said, without a reason for that. If nobody says more, the client gets it.
    Silent,
    /// The model called a tool in a way that no client can follow: without a name, or with arguments that are no JSON object.
    BadCall,
    /// Its provider says that the model has written a call, or JSON, that cannot be handed on, and may show it. If nobody
    /// says more, the client gets that.
    FailedGeneration,
    /// It ended in the middle.
    CutShort,
    /// The model was asked to continue a prefill, and did not.
    NoSeam,
    /// Larger than any answer may be.
    TooLarge,
    /// Another protocol from here on (101), which was not asked for.
    Protocol,
}
