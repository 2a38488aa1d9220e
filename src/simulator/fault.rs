//! The ways in which a simulator can fail, from a closed port to a stream that only forgets its end.

use std::time::Duration;

/// What goes wrong with a request; a count of tokens means content tokens of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing goes wrong.
    #[default]
    None,
    /// Nobody listens: connects are refused and open connections are closed.
    Refuse,
    /// The request is read, then the TCP connection is reset.
    Reset,
    /// The request is read, then the connection is closed without a byte.
    Close,
    /// The request is read and nothing ever comes.
    Hang,
    /// Status 200 and headers come, then nothing.
    HangAfterHeaders,
    /// An error status; without a body, the one typical of the status.
    Status {
        /// The HTTP status.
        code: u16,
        /// Headers added to the answer.
        headers: Vec<(String, String)>,
        /// The body, sent as JSON.
        body: Option<String>,
    },
    /// Status 429 with `retry-after` (seconds, rounded up) and `retry-after-ms`.
    RateLimited {
        /// The wait that is asked for.
        after: Duration,
    },
    /// Status 302 to another place.
    Redirect {
        /// The value of `location`.
        to: String,
    },
    /// Status 200 with an HTML page, as a captive portal sends.
    Html,
    /// Status 200 with the expected content type and an empty body.
    Empty,
    /// Half of the answer, then the connection is closed; a stream is cut after its opening events.
    Truncated,
    /// Status 200 and the expected content type, but neither JSON nor events.
    Garbage,
    /// Status 200 with an error object: as the JSON body, or as the first event of a stream.
    ErrorInside {
        /// The status whose typical error is sent.
        status: u16,
    },
    /// Status 200 with a JSON error body though a stream was asked for.
    JsonForStream,
    /// A whole answer without any choice, output or datum.
    NoChoices,
    /// A stream of nothing but `[DONE]`; an empty body when no stream was asked for.
    OnlyDone,
    /// A comment every 50 ms for ever; blank lines when no stream was asked for.
    OnlyComments,
    /// The opening events, then the stream is cut; otherwise as [`Fault::Truncated`].
    RoleThenCut,
    /// The opening events, then the stream ends cleanly; otherwise as [`Fault::Empty`].
    RoleThenEnd,
    /// Nothing comes after so many tokens, or after half of the body.
    StallAfter(usize),
    /// The stream is cut after so many tokens, or the body after its half.
    CutAfter(usize),
    /// The TCP connection is reset after so many tokens, or after half of the body.
    ResetAfter(usize),
    /// A clean end after so many tokens without a finish, or after half of the body.
    EndAfter(usize),
    /// An error event after so many tokens; otherwise an error object with status 200.
    ErrorAfter(usize),
    /// An event that is not JSON after so many tokens, then a clean end; otherwise as [`Fault::Garbage`].
    GarbageAfter(usize),
    /// Comments for ever after so many tokens; otherwise as [`Fault::OnlyComments`].
    CommentsAfter(usize),
    /// Everything comes up to the finish, and then nothing, not even an end; complete without a stream.
    StallAtEnd,
    /// Everything comes, the last event too, but never the end of the body; complete without a stream.
    StallAfterAll,
    /// An error event after the finish; complete without a stream.
    ErrorAtEnd,
    /// The TCP connection is reset after the finish; complete without a stream.
    ResetAtEnd,
    /// The body comes byte by byte, one every 50 ms.
    Trickle,
    /// The stream is these bytes, event by event; complete without a stream.
    Raw(String),
    /// Everything comes except the final `[DONE]`; complete where there is none.
    NoDone,
}

impl Fault {
    /// An error status with the body typical of it and no special headers.
    pub fn status(code: u16) -> Self {
        Self::Status {
            code,
            headers: Vec::new(),
            body: None,
        }
    }

    /// The status whose typical error is put inside an answer of status 200.
    pub(super) fn inner_status(&self) -> u16 {
        match self {
            Self::ErrorInside { status } => *status,
            _ => 500,
        }
    }
}
