//! What a client's headers say about how its request is to be served.

use std::time::Duration;

use http::HeaderMap;

use super::reject::Rejection;
use crate::config::UpstreamId;
use crate::request::{ClientPatience, Control};

/// How long a client waits, in seconds: our own header; `OpenAI`'s and Anthropic's SDKs for Python say how long they
/// wait for the next byte, those for other languages how long for the head of the answer.
const PATIENCE: [&str; 3] = [
    "x-backstop-timeout",
    "x-stainless-read-timeout",
    "x-stainless-timeout",
];
/// A longer time is as good as endless.
const LONGEST: f64 = 86_400.0;

/// How often the client has tried before, as SDKs report it.
pub(super) fn retries(headers: &HeaderMap) -> usize {
    text(headers, "x-stainless-retry-count")
        .and_then(|count| count.parse().ok())
        .unwrap_or(0)
}

/// How long the client waits, if it says so.
pub(super) fn patience(headers: &HeaderMap) -> Result<Option<ClientPatience>, Rejection> {
    for name in PATIENCE {
        let Some(text) = text(headers, name) else {
            continue;
        };
        match text.parse::<f64>() {
            Ok(seconds) if seconds > 0.0 => {
                let time = Duration::from_secs_f64(seconds.min(LONGEST));
                return Ok(Some(ClientPatience::Said(time)));
            }
            // What SDKs send is not the user's fault: `None`, or something new.
            Ok(_) | Err(_) if name != PATIENCE[0] => {}
            Ok(_) | Err(_) => {
                return Err(Rejection::Header(name, "a number of seconds above 0"));
            }
        }
    }
    Ok(None)
}

/// Who may be asked, as far as the client says.
pub(super) fn control(headers: &HeaderMap) -> Result<Control, Rejection> {
    let is_once = match text(headers, "x-backstop-failover") {
        None | Some("on") => false,
        Some("off") => true,
        Some(_) => return Err(Rejection::Header("x-backstop-failover", "`on` or `off`")),
    };
    Ok(Control {
        only: text(headers, "x-backstop-upstream").map(UpstreamId::from),
        is_once,
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().unwrap_or_default().trim())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{ClientPatience, control, patience};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        pairs.collect()
    }

    #[test]
    fn the_sdks_say_how_long_they_wait_and_our_own_header_goes_first() {
        for (sent, expected) in [
            (&[][..], None),
            (&[("x-stainless-read-timeout", "600")], Some(600.0)),
            (&[("x-stainless-timeout", "2.5")], Some(2.5)),
            (
                &[
                    ("x-stainless-timeout", "60"),
                    ("x-stainless-read-timeout", "5"),
                    ("x-backstop-timeout", "1"),
                ],
                Some(1.0),
            ),
            (&[("x-stainless-read-timeout", "None")], None),
            (&[("x-stainless-timeout", "-1")], None),
            (&[("x-stainless-timeout", "1e300")], Some(86_400.0)),
        ] {
            let expected = expected.map(|time| ClientPatience::Said(Duration::from_secs_f64(time)));
            assert_eq!(patience(&headers(sent)).unwrap(), expected, "{sent:?}");
        }
    }

    #[test]
    fn our_own_headers_must_make_sense() {
        for text in ["", "soon", "0", "-1", "NaN"] {
            assert!(patience(&headers(&[("x-backstop-timeout", text)])).is_err());
        }
        assert!(control(&headers(&[("x-backstop-failover", "no")])).is_err());
        let asked = control(&headers(&[
            ("x-backstop-failover", "off"),
            ("x-backstop-upstream", "azure"),
        ]));
        let asked = asked.unwrap();
        assert!(asked.is_once);
        assert_eq!(asked.only, Some("azure".into()));
    }
}
