//! Texts of our own in a conversation: what stands for nothing, and what a model is told that has begun its answer (prefill).

/// Placeholder where some text is required.
pub const NOTHING: &str = "(empty)";

/// The text of a tool's result that has only images, where users alone can show some.
pub const SHOWN: &str = "(shown in the next message)";

/// The instruction to continue a prefill.
pub fn continue_prompt(prefill: &str) -> String {
    const ENOUGH: usize = 200;
    let start = prefill.ceil_char_boundary(prefill.len().saturating_sub(ENOUGH));
    format!(
        "Continue your last message exactly behind its last words: {}",
        prefill[start..].trim()
    )
}

/// A later system message, as part of a user's message: marked in the way that coding agents use for models without system
/// messages.
pub fn reminder(text: &str) -> String {
    format!("<system-reminder>\n{text}\n</system-reminder>")
}

#[cfg(test)]
mod tests {
    use super::continue_prompt;

    #[test]
    fn only_the_last_words_are_repeated() {
        let long = format!("{}\u{e9}nd ", "ä".repeat(300));
        assert!(continue_prompt(&long).ends_with("\u{e9}nd") && continue_prompt(&long).len() < 300);
    }
}
