//! Why an answer ends.

/// Why an answer ends, in no API's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The model has said what it wanted to say.
    Whole,
    /// At a text that the client named.
    Stop(String),
    /// The model calls tools.
    Calls,
    /// At the limit for the answer, or of the window.
    Limit,
    /// The provider keeps the rest back, or the model refuses.
    Filtered,
    /// It broke off, and the upstream says so.
    Failed,
}

impl End {
    /// Reads a finish reason or a stop reason, whoever wrote it and in whichever case; `None`: it has not ended yet (some write an
    /// empty text instead of null, or the word).
    pub fn of(name: &str) -> Option<Self> {
        if matches!(name, "" | "null") {
            return None;
        }
        // Sources: the references of `OpenAI`, Anthropic, Google (`FinishReason`), Mistral, `DeepSeek`, Zhipu, `OpenRouter`,
        // Cohere, Bedrock, vLLM, TGI and `SGLang`.
        Some(match name.to_ascii_lowercase().as_str() {
            "stop_sequence" => Self::Stop(String::new()),
            "tool_calls" | "tool_call" | "tool_use" | "function_call" => Self::Calls,
            "length" | "max_tokens" | "max_output_tokens" | "max_length" => Self::Limit,
            "model_length" | "model_context_window_exceeded" => Self::Limit,
            "pause_turn" | "compaction" => Self::Limit,
            "content_filter" | "content_filtered" | "guardrail_intervened" => Self::Filtered,
            "refusal" | "sensitive" | "safety" | "recitation" | "blocklist" => Self::Filtered,
            "prohibited_content" | "spii" | "language" => Self::Filtered,
            "image_safety" | "image_prohibited_content" => Self::Filtered,
            "error" | "abort" | "network_error" | "timeout" => Self::Failed,
            "failed" | "cancelled" | "server_error" => Self::Failed,
            "insufficient_system_resource" | "malformed_function_call" => Self::Failed,
            "function_call_filter: malformed_function_call" => Self::Failed,
            "unexpected_tool_call" | "function_call_filter: unexpected_tool_call" => Self::Failed,
            "too_many_tool_calls" | "malformed_response" | "malformed_tool_use" => Self::Failed,
            "malformed_model_output" => Self::Failed,
            // An unknown reason of a text that was said is an end like `stop`, `end_turn`, `completed` or `eos`.
            _ => Self::Whole,
        })
    }

    /// Whether an answer that says nothing is one all the same, because this is why.
    pub fn explains_silence(&self) -> bool {
        matches!(self, Self::Stop(_) | Self::Limit | Self::Filtered)
    }

    /// Whether the answer was cut: then the client sees that what came last may be incomplete.
    pub fn is_cut(&self) -> bool {
        matches!(self, Self::Limit | Self::Filtered)
    }
}

#[cfg(test)]
mod tests {
    use super::End;

    #[test]
    fn reasons_are_read_by_word_in_any_case() {
        for (name, end) in [
            ("", None),
            ("null", None),
            ("STOP", Some(End::Whole)),
            ("unheard-of", Some(End::Whole)),
            ("stop_sequence", Some(End::Stop(String::new()))),
            ("MAX_TOKENS", Some(End::Limit)),
            ("SAFETY", Some(End::Filtered)),
            (
                "function_call_filter: MALFORMED_FUNCTION_CALL",
                Some(End::Failed),
            ),
            ("insufficient_system_resource", Some(End::Failed)),
        ] {
            assert_eq!(End::of(name), end, "{name}");
        }
    }
}
