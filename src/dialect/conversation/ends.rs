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
        // An unknown reason of a text that was said is an end like another.
        let is = |(known, _): &&(&str, Self)| name.eq_ignore_ascii_case(known);
        let known = WORDS.iter().find(is);
        Some(known.map_or(Self::Whole, |(_, end)| end.clone()))
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

/// What they write. Sources: the references of `OpenAI`, Anthropic, Google (`FinishReason`), Mistral, `DeepSeek`, Zhipu,
/// `OpenRouter`, Cohere, Bedrock, vLLM, TGI and `SGLang`.
static WORDS: &[(&str, End)] = &[
    ("stop", End::Whole),
    ("end_turn", End::Whole),
    ("completed", End::Whole),
    ("eos", End::Whole),
    ("complete", End::Whole),
    ("eos_token", End::Whole),
    ("stop_sequence", End::Stop(String::new())),
    ("tool_calls", End::Calls),
    ("tool_call", End::Calls),
    ("tool_use", End::Calls),
    ("function_call", End::Calls),
    ("length", End::Limit),
    ("max_tokens", End::Limit),
    ("max_output_tokens", End::Limit),
    ("max_length", End::Limit),
    ("model_length", End::Limit),
    ("model_context_window_exceeded", End::Limit),
    ("pause_turn", End::Limit),
    ("compaction", End::Limit),
    ("content_filter", End::Filtered),
    ("content_filtered", End::Filtered),
    ("guardrail_intervened", End::Filtered),
    ("refusal", End::Filtered),
    ("sensitive", End::Filtered),
    ("safety", End::Filtered),
    ("recitation", End::Filtered),
    ("blocklist", End::Filtered),
    ("prohibited_content", End::Filtered),
    ("spii", End::Filtered),
    ("image_safety", End::Filtered),
    ("image_prohibited_content", End::Filtered),
    ("language", End::Filtered),
    ("error", End::Failed),
    ("abort", End::Failed),
    ("network_error", End::Failed),
    ("timeout", End::Failed),
    ("insufficient_system_resource", End::Failed),
    ("malformed_function_call", End::Failed),
    ("function_call_filter: malformed_function_call", End::Failed),
    ("unexpected_tool_call", End::Failed),
    ("function_call_filter: unexpected_tool_call", End::Failed),
    ("too_many_tool_calls", End::Failed),
    ("malformed_response", End::Failed),
    ("malformed_tool_use", End::Failed),
    ("malformed_model_output", End::Failed),
    ("failed", End::Failed),
    ("cancelled", End::Failed),
    ("server_error", End::Failed),
];

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
