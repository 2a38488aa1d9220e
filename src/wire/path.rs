//! Paths that every server resolves to the same place.

use super::query::unescaped;

/// No legitimate path is percent-encoded more often than this.
const MOST_ROUNDS: usize = 3;

/// Whether no server leaves the directory in which the path starts.
///
/// Servers, and the proxies before them, disagree: some decode escapes before they resolve `..`, some decode twice,
/// some treat a backslash as a slash, cut what follows a semicolon, or read other characters as dots. So the path must
/// be plain as it is and after every round of decoding. Names with an escaped slash or space are plain.
pub fn is_unambiguous(path: &str) -> bool {
    // So are almost all.
    let is_simple = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-');
    if path.bytes().all(is_simple) {
        return true;
    }
    if !is_plain(path) {
        return false;
    }
    if !path.contains('%') {
        return true;
    }
    // Readers disagree most about invalid escapes and bytes that are not UTF-8.
    let Some(mut read) = unescaped(path) else {
        return false;
    };
    for _ in 1..MOST_ROUNDS {
        if !is_plain(&read) {
            return false;
        }
        match unescaped(&read) {
            Some(again) if again != read => read = again,
            // An escaped percent sign is a plain character.
            _ => return true,
        }
    }
    is_plain(&read) && unescaped(&read).is_none_or(|again| again == read)
}

fn is_plain(path: &str) -> bool {
    path.chars().all(is_plain_letter) && !path.split('/').any(is_dots)
}

/// Excludes characters that end a path or a segment for some servers, and those that become a dot or a slash when they
/// are normalised.
fn is_plain_letter(letter: char) -> bool {
    match letter {
        '\\' | ';' | '#' | '?' => false,
        '\0'..='~' => !letter.is_ascii_control(),
        // Dots and slashes of other scripts (Unicode's compatibility forms).
        '\u{2024}'..='\u{2026}'
        | '\u{2044}'
        | '\u{2215}'
        | '\u{2216}'
        | '\u{29f5}'
        | '\u{3002}' => false,
        '\u{fe52}' | '\u{fe68}' | '\u{ff0e}' | '\u{ff0f}' | '\u{ff1b}' | '\u{ff3c}'
        | '\u{ff61}' => false,
        other => !other.is_control(),
    }
}

/// `.`, `..`, and segments that become one of them when trailing spaces and dots are ignored.
fn is_dots(segment: &str) -> bool {
    segment.starts_with(['.', ' '])
        && segment.contains('.')
        && segment.chars().all(|c| c == '.' || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::is_unambiguous;

    #[test]
    fn names_may_have_slashes_spaces_dots_and_percent_signs_in_them() {
        for path in [
            "/chat/completions",
            "/models/openai%2Fgpt-4o",
            "/models/meta-llama/Llama-3.1:free",
            "/files/a%20b",
            "/files/a.b..c",
            "/files/..a/.hidden",
            "/files/100%25",
            "/files/100%25%20sure",
            "/files/r%C3%A9sum%C3%A9",
            "/files/résumé",
            "/files/a+b@c:d,e=f&g!h~i",
            "//files//",
            "",
        ] {
            assert!(is_unambiguous(path), "{path}");
        }
    }

    #[test]
    fn nothing_that_some_server_would_resolve_passes() {
        for path in [
            "/../admin",
            "/./x",
            "/x/..",
            "/%2e%2E/admin",
            "/.%2e/admin",
            "/..%2fadmin",
            "/..%2Fadmin",
            "/x%2f..%2fadmin",
            "/..%5cadmin",
            "/..\\admin",
            "/x\\y",
            "/%5c",
            "/%252e%252e/admin",
            "/..%252fadmin",
            "/%25252e%25252e%25252fadmin",
            "/%2525252e%2525252e/admin",
            "/..;/admin",
            "/..;x=y/admin",
            "/x;/admin",
            "/..%3b/admin",
            "/..%00/admin",
            "/x%00",
            "/x%0d%0aHost:%20y",
            "/x%7f",
            "/x%09",
            "/..%20/admin",
            "/..%c2%a0/admin",
            "/.../admin",
            "/%c0%ae%c0%ae/admin",
            "/..%c0%afadmin",
            "/%e0%80%ae%e0%80%ae/admin",
            "/%ff",
            "/%u002e%u002e/admin",
            "/%2",
            "/%zz",
            "/%",
            "/x%23y",
            "/x%3fy",
            "/%ef%bc%8e%ef%bc%8e/admin",
            "/..%ef%bc%8fadmin",
            "/..%e2%88%95admin",
            "/%e2%80%a5/admin",
            "/x%c2%85",
        ] {
            assert!(!is_unambiguous(path), "{path}");
        }
    }
}
