//! How many tokens a request has, before anybody has counted them.

/// `OpenAI`'s rule of thumb: a token is about four characters of English.
const BYTES_PER_TOKEN: usize = 4;
/// A longer text in ASCII without a blank is a picture, a recording or a document.
const LONGEST_WORD: usize = 4096;
/// What most models take for a picture, at most (Anthropic's documentation of vision).
const PICTURE: usize = 1600;

/// About how many tokens a body of so many bytes has, where a rate limit of an upstream's is asked about it.
pub fn tokens_of_size(bytes: usize) -> usize {
    // A handshake counts as endlessly long.
    (bytes / BYTES_PER_TOKEN).clamp(1, 1 << 20)
}

/// The same for a client's limits, with pictures in it. It is settled when the upstream has counted them.
pub fn tokens_in(body: &[u8]) -> u64 {
    let mut tokens = body.len() / BYTES_PER_TOKEN;
    if body.len() > LONGEST_WORD {
        let texts = body.split(|byte| *byte == b'"');
        for data in texts.filter(|text| is_data(text)) {
            tokens = tokens - data.len() / BYTES_PER_TOKEN + PICTURE;
        }
    }
    tokens.max(1) as u64
}

fn is_data(text: &[u8]) -> bool {
    text.len() > LONGEST_WORD && memchr::memchr(b' ', text).is_none() && text.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::tokens_in;

    #[test]
    fn text_counts_by_its_length_and_data_does_not() {
        assert_eq!(tokens_in(b""), 1);
        assert_eq!(tokens_in(&[b'x'; 400]), 100);
        let prose = "many words ".repeat(10_000);
        assert_eq!(tokens_in(prose.as_bytes()), 27_500);
        let picture = format!("{{\"url\": \"data:{}\"}}", "A".repeat(1 << 20));
        assert_eq!(tokens_in(picture.as_bytes()), 1603);
        let chinese = format!("\"{}\"", "数".repeat(4000));
        assert_eq!(tokens_in(chinese.as_bytes()), 3000);
    }
}
