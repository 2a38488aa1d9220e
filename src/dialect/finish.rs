//! Why a chat has ended.

/// What a finish reason means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// Nothing: some write an empty text instead of null.
    NotYet,
    /// The answer is complete, or as long as it may be.
    Ended,
    /// The answer broke off: `error` (`OpenRouter`, vLLM), `abort` (`SGLang`, vLLM), `network_error` (Zhipu).
    Failed,
}

/// Reads a finish reason.
pub(super) fn finish(reason: &str) -> Finish {
    match reason {
        "" => Finish::NotYet,
        "error" | "abort" | "network_error" => Finish::Failed,
        _ => Finish::Ended,
    }
}
