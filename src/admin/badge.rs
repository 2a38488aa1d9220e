//! `GET /badge.svg`: the state of everything, or of one upstream, as a picture for a page or a README.
//!
//! It is for pages of any origin. So that such a page learns nothing from it that it could not see, the picture has the
//! same size whatever it says, and an upstream that does not exist looks like one, too.

use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Response, StatusCode};

use super::respond;
use crate::wire::body::Body;

/// The width of a character, at a font size of 11.
const CHARACTER: usize = 7;
/// What stands in a picture at most; longer names are cut off.
const LONGEST_NAME: usize = 40;
/// The width of the right half, which has room for every state.
const RIGHT: usize = 104;

/// The picture for a name with its state.
pub(super) fn picture(name: &str, state: Option<&str>) -> Response<Body> {
    let svg = HeaderValue::from_static("image/svg+xml");
    let mut response = respond::with_type(StatusCode::OK, svg, drawing(name, state));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let anybody = HeaderValue::from_static("cross-origin");
    headers.insert("cross-origin-resource-policy", anybody);
    response
}

fn drawing(name: &str, state: Option<&str>) -> String {
    let (text, colour) = look(state);
    let name: String = name.chars().take(LONGEST_NAME).collect();
    let left = CHARACTER * name.chars().count() + 14;
    let width = left + RIGHT;
    let name = escaped(&name);
    let (middle_of_left, middle_of_right) = (left / 2, left + RIGHT / 2);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{name}: {text}">
<title>{name}: {text}</title>
<clipPath id="r"><rect width="{width}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#24292f"/><rect x="{left}" width="{RIGHT}" height="20" fill="{colour}"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"><text x="{middle_of_left}" y="14">{name}</text><text x="{middle_of_right}" y="14">{text}</text></g>
</svg>
"##
    )
}

/// What a state is called here, and its colour: white text is readable on each.
fn look(state: Option<&str>) -> (&'static str, &'static str) {
    const GREEN: &str = "#1a7f37";
    const AMBER: &str = "#8a5a00";
    const RED: &str = "#b4232a";
    const GREY: &str = "#57606a";
    match state {
        Some("well") => ("all well", GREEN),
        Some("covered") => ("covered", AMBER),
        Some("failing") => ("failing", RED),
        Some("in_rotation") => ("in rotation", GREEN),
        Some("out") => ("down", RED),
        Some("partly_out") => ("partly down", AMBER),
        Some("key_refused") => ("key refused", RED),
        Some("cooling_down") => ("cooling down", AMBER),
        Some("probing") => ("being tested", AMBER),
        Some("recovering") => ("coming back", AMBER),
        Some("taken_out") => ("taken out", GREY),
        _ => ("unknown", GREY),
    }
}

/// A text within XML.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            // XML has no way to write these, nor other control characters.
            '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            control if control.is_control() && control != '\n' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::drawing;

    #[test]
    fn a_name_is_text_and_the_size_tells_no_state() {
        let hostile = drawing("</text><script>\"&", Some("well"));
        assert!(!hostile.contains("<script>"), "{hostile}");
        let size = |state| {
            let drawn = drawing("openai", state);
            drawn.split(" height").next().unwrap().to_owned()
        };
        for state in ["well", "failing", "in_rotation", "key_refused", "taken_out"] {
            assert_eq!(size(Some(state)), size(None), "{state}");
        }
    }
}
