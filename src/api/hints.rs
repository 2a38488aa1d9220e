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
/// How often the client has tried before, as SDKs report it.
const RETRIES: &str = "x-stainless-retry-count";
/// Whether others may be asked if the first one fails, and who may be asked at all.
const FAILOVER: &str = "x-backstop-failover";
const UPSTREAM: &str = "x-backstop-upstream";
/// A longer time is as good as endless.
const LONGEST: f64 = 86_400.0;

/// What a client's headers say.
#[derive(Debug)]
pub(super) struct Hints {
    /// How often the client has tried before.
    pub(super) retries: usize,
    /// How long it waits, if it says so.
    pub(super) patience: Option<ClientPatience>,
    /// Who may be asked.
    pub(super) control: Control,
}

impl Hints {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Rejection> {
        let [ours, next_byte, head] = PATIENCE;
        let names = [ours, next_byte, head, RETRIES, FAILOVER, UPSTREAM];
        let [ours, next_byte, head, retries, failover, upstream] = texts(headers, names);
        Ok(Self {
            retries: retries.and_then(|count| count.parse().ok()).unwrap_or(0),
            patience: patience([ours, next_byte, head])?,
            control: Control {
                only: upstream.map(UpstreamId::from),
                is_once: is_once(failover)?,
            },
        })
    }
}

fn patience(texts: [Option<&str>; PATIENCE.len()]) -> Result<Option<ClientPatience>, Rejection> {
    for (name, text) in PATIENCE.into_iter().zip(texts) {
        let Some(text) = text else {
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

fn is_once(failover: Option<&str>) -> Result<bool, Rejection> {
    match failover {
        None | Some("on") => Ok(false),
        Some("off") => Ok(true),
        Some(_) => Err(Rejection::Header(FAILOVER, "`on` or `off`")),
    }
}

/// The first value of each of these headers. One pass is cheaper than a look-up for each name: hardly any is there.
fn texts<'a, const N: usize>(headers: &'a HeaderMap, names: [&str; N]) -> [Option<&'a str>; N] {
    let mut texts = [None; N];
    for (name, value) in headers {
        let wanted = names.iter().zip(&mut texts);
        for (_, text) in wanted.filter(|(wanted, _)| name.as_str() == **wanted) {
            text.get_or_insert_with(|| value.to_str().unwrap_or_default().trim());
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{ClientPatience, Hints};

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
            let hints = Hints::of(&headers(sent)).unwrap();
            assert_eq!(hints.patience, expected, "{sent:?}");
        }
    }

    #[test]
    fn our_own_headers_must_make_sense() {
        for text in ["", "soon", "0", "-1", "NaN"] {
            assert!(Hints::of(&headers(&[("x-backstop-timeout", text)])).is_err());
        }
        assert!(Hints::of(&headers(&[("x-backstop-failover", "no")])).is_err());
        let asked = Hints::of(&headers(&[
            ("x-backstop-failover", "off"),
            ("x-backstop-upstream", "azure"),
            ("x-stainless-retry-count", "2"),
        ]));
        let Hints {
            retries, control, ..
        } = asked.unwrap();
        assert!(control.is_once);
        assert_eq!(control.only, Some("azure".into()));
        assert_eq!(retries, 2);
    }
}
