//! How long an error asks us to wait, in words.

use std::time::Duration;

use jiff::fmt::friendly::SpanParser;

/// What stands before a time: `Please try again in 6m0s`, `Please retry after 26 seconds`.
const BEFORE: [&str; 10] = [
    "try again in ",
    "try again after ",
    "retry in ",
    "retry after ",
    "retrying in ",
    "please wait ",
    "wait for ",
    "available in ",
    "reset in ",
    "resets in ",
];

/// More words than a time has: `1 hour 5 minutes 30 seconds`.
const MOST_WORDS: usize = 6;

/// The wait that a message in small letters asks for.
pub(super) fn wait_in_words(message: &str) -> Option<Duration> {
    BEFORE.iter().find_map(|before| {
        let (_, rest) = message.split_once(before)?;
        time(rest)
    })
}

/// The longest time that a text begins with; a mere number counts seconds.
fn time(text: &str) -> Option<Duration> {
    let mut longest = None;
    let mut end = 0;
    for piece in text.split_inclusive(' ').take(MOST_WORDS) {
        end += piece.len();
        let so_far = text[..end].trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if let Ok(time) = SpanParser::new().parse_unsigned_duration(so_far) {
            longest = Some(time);
        }
    }
    longest.or_else(|| {
        let number = text
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .next()?
            .trim_end_matches('.');
        Duration::try_from_secs_f64(number.parse().ok()?).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::wait_in_words;

    #[test]
    fn waits_are_found_in_the_words_of_every_vendor() {
        for (message, millis) in [
            // OpenAI, Groq
            (
                "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29980. Please try again in 41.724s. Visit https://platform.openai.com",
                Some(41_724),
            ),
            ("Please try again in 20ms. Contact us", Some(20)),
            ("Please try again in 6m0s.", Some(360_000)),
            ("Please try again in 1h12m3.5s.", Some(4_323_500)),
            (
                "Limit 1, Used 1, Requested 1. Please try again in 7m43.2s. Need more tokens?",
                Some(463_200),
            ),
            // Azure
            (
                "Requests to the ChatCompletions_Create Operation have exceeded call rate limit. Please retry after 26 seconds. Please go here",
                Some(26_000),
            ),
            ("Please retry after 1 second.", Some(1_000)),
            (
                "Rate limit is exceeded. Try again in 53 seconds.",
                Some(53_000),
            ),
            // Gemini
            (
                "You exceeded your current quota.\\n* Quota exceeded for metric: x, limit: 5\\nPlease retry in 37.2s.",
                Some(37_200),
            ),
            ("Please retry in 17h3m12.123456789s.", Some(61_392_123)),
            // Others
            ("please wait 5 minutes and 30 seconds", Some(300_000)),
            ("Too many requests, retry after 60", Some(60_000)),
            ("Your limit resets in 1 hour 5 minutes", Some(3_900_000)),
            ("try again in 2 mins", Some(120_000)),
            ("Try again later", None),
            ("try again in a while", None),
            ("retry after checking your plan", None),
            ("", None),
        ] {
            let wait = wait_in_words(&message.to_ascii_lowercase());
            assert_eq!(wait.map(|wait| wait.as_millis()), millis, "{message}");
        }
    }
}
