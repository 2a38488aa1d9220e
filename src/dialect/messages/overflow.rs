//! A prompt that fits into a model's window, but not together with the answer that was asked for.

/// How vLLM, `SGLang` and kin name the tokens of the window, of the prompt and of the answer.
const WINDOW: [&str; 2] = ["maximum context length is ", "maximum context length of "];
const PROMPT: [&str; 3] = [
    " in the messages",
    " tokens from the input messages",
    " input tokens",
];
const ANSWER: [&str; 3] = [
    " in the completion",
    " tokens for the completion",
    " output tokens",
];
const ANSWER_FIRST: [&str; 1] = ["is too large: "];

/// What others say of it, in Anthropic's words: Claude Code takes the numbers out of them, and asks for an answer that fits.
/// `None`: they do not say it, or the prompt alone is too long.
pub(super) fn overflow(message: &str) -> Option<String> {
    let window = number_after(message, &WINDOW)?;
    let prompt = number_before(message, &PROMPT)?;
    let answer =
        number_before(message, &ANSWER).or_else(|| number_after(message, &ANSWER_FIRST))?;
    (prompt < window).then(|| {
        format!(
            "input length and `max_tokens` exceed context limit: {prompt} + {answer} > {window}, decrease input length or \
             `max_tokens` and try again"
        )
    })
}

fn number_after(text: &str, words: &[&str]) -> Option<u64> {
    let rest = words
        .iter()
        .find_map(|words| Some(text.split_once(words)?.1))?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().ok()
}

fn number_before(text: &str, words: &[&str]) -> Option<u64> {
    let rest = words
        .iter()
        .find_map(|words| Some(text.split_once(words)?.0))?;
    let start = rest.rfind(|letter: char| !letter.is_ascii_digit());
    rest[start.map_or(0, |start| start + 1)..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::overflow;

    #[test]
    fn a_prompt_that_fits_without_its_answer_is_told_in_anthropics_words() {
        for message in [
            "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 40960 tokens and your request has 12000 input tokens (32000 > 40960 - 12000). None",
            "This model's maximum context length is 40960 tokens. However, you requested 44000 tokens (12000 in the messages, 32000 in the completion). Please reduce the length of the messages or completion.",
            "This model's maximum context length is 40960 tokens. However, you requested 32000 output tokens and your prompt contains at least 12000 input tokens, for a total of at least 44000 tokens.",
            "Requested token count exceeds the model's maximum context length of 40960 tokens. You requested a total of 44000 tokens: 12000 tokens from the input messages and 32000 tokens for the completion.",
        ] {
            let expected = "input length and `max_tokens` exceed context limit: 12000 + 32000 > 40960, decrease input length or `max_tokens` and try again";
            assert_eq!(overflow(message).as_deref(), Some(expected), "{message}");
        }
        for message in [
            "This model's maximum context length is 9 tokens. However, you requested 44 tokens (12 in the messages, 32 in the completion).",
            "This model's maximum context length is 9 tokens. However, your messages resulted in 12 tokens.",
            "prompt is too long: 9 > 5",
        ] {
            assert_eq!(overflow(message), None, "{message}");
        }
    }
}
