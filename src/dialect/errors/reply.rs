//! An error reply, with what is known about its request and its upstream.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::fields::ErrorFields;
use crate::config::{ErrorRule, Meaning};
use crate::outcome::Outcome;

/// An error reply, with what is known about its request and its upstream.
#[derive(Clone, Copy, Debug)]
pub struct ErrorReply<'a> {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: &'a [u8],
    /// How long its headers ask us to wait.
    pub asked: Option<Duration>,
    /// How long it takes by its rate limits, if neither its headers nor its body ask for a wait.
    pub estimated: Option<Duration>,
    /// What the configuration says about the upstream's errors.
    pub rules: &'a [ErrorRule],
    /// The model's name, if the configuration wrote it: then it is never the client's fault.
    pub model: Option<&'a str>,
}

impl<'a> ErrorReply<'a> {
    /// A reply of which nothing else is known.
    pub fn new(status: u16, body: &'a [u8]) -> Self {
        Self {
            status,
            body,
            asked: None,
            estimated: None,
            rules: &[],
            model: None,
        }
    }

    /// The outcome that the configuration gives an error inside a 200. Such an error has no status of its own, so only
    /// rules with a code or words are about it.
    pub fn ruled_inside(&self) -> Option<Outcome> {
        if self.rules.is_empty() {
            return None;
        }
        let error = ErrorFields::read(self.body);
        self.by(&error, |rule| {
            (rule.code.is_some() || rule.words.is_some()) && self.says(rule, &error)
        })
    }

    pub(super) fn by_rules(&self, error: &ErrorFields) -> Option<Outcome> {
        self.by(error, |rule| {
            let has_status = rule.status.is_none_or(|status| status == self.status);
            has_status && self.says(rule, error)
        })
    }

    /// The outcome by the first rule that fits.
    fn by(&self, error: &ErrorFields, fits: impl Fn(&ErrorRule) -> bool) -> Option<Outcome> {
        let rule = self.rules.iter().find(|rule| fits(rule))?;
        Some(self.meant(rule.outcome?, error))
    }

    /// Whether it has the code and the words of a rule.
    fn says(&self, rule: &ErrorRule, error: &ErrorFields) -> bool {
        let ErrorRule { code, words, .. } = rule;
        // A page has no message, but words.
        let says = |words: &String| match error.message.as_str() {
            "" => contains(self.body, words),
            _ => error.says(words),
        };
        code.as_deref().is_none_or(|code| error.is(code)) && words.as_ref().is_none_or(says)
    }

    /// How long it asks us to wait, in its headers or its body.
    pub(super) fn asked(&self, error: &ErrorFields) -> Option<Duration> {
        self.asked.or(error.wait)
    }

    /// The outcome for a meaning. How long a rate limit lasts may be estimated: other failures have nothing to do with it.
    pub(super) fn meant(&self, meaning: Meaning, error: &ErrorFields) -> Outcome {
        let (status, asked) = (self.status, self.asked(error));
        match meaning {
            // Beside the quota of a day, it asks for seconds.
            Meaning::RateLimited if error.is_daily => Outcome::RateLimited {
                status,
                retry_after: asked.max(error.wait).max(rest_of_day(PACIFIC)),
                is_daily: true,
            },
            Meaning::RateLimited if error.is_limit_of_day() => Outcome::RateLimited {
                status,
                // A shorter one is about a shorter limit.
                retry_after: asked
                    .max(error.wait)
                    .or(self.estimated)
                    .or_else(|| rest_of_day(UTC)),
                is_daily: true,
            },
            Meaning::RateLimited => Outcome::RateLimited {
                status,
                retry_after: asked.or(self.estimated),
                is_daily: false,
            },
            Meaning::QuotaExhausted => Outcome::QuotaExhausted { status },
            Meaning::Unauthorized => Outcome::Unauthorized { status },
            Meaning::ModelUnavailable => Outcome::ModelUnavailable { status },
            Meaning::Overloaded => Outcome::Overloaded {
                status,
                retry_after: asked,
            },
            Meaning::ServerError => Outcome::ServerError { status },
            Meaning::Rejected => Outcome::RejectedRequest { status },
            Meaning::ContentRefused => Outcome::ContentRefused { status },
            Meaning::TooLong => Outcome::TooLong { status },
            Meaning::Unsupported => Outcome::Unsupported { status },
        }
    }

    /// Whether it says that the model is missing whose name the configuration wrote.
    pub(super) fn lacks_model(&self, error: &ErrorFields) -> bool {
        let is_missing = |model| error.is_about_missing_model(model);
        matches!(self.status, 400 | 403 | 404 | 422) && self.model.is_some_and(is_missing)
    }
}

/// How many hours a day begins after one in UTC.
const UTC: u64 = 0;
/// In summer. In winter whoever asks an hour too early is refused once more.
const PACIFIC: u64 = 7;

/// How long it is until the next day begins, so many hours after one in UTC.
fn rest_of_day(hours: u64) -> Option<Duration> {
    const DAY: u64 = 24 * 3600;
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let into_day = (since_epoch.as_secs() + DAY - hours * 3600) % DAY;
    Some(Duration::from_secs(DAY - into_day))
}

fn contains(body: &[u8], words: &str) -> bool {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    text.contains(&words.to_ascii_lowercase())
}
