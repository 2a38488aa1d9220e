//! The sentence about one request: what became of it, short enough for a line on a terminal.

use std::fmt::{self, Display};
use std::time::Duration;

use crate::event::{RequestReport, RequestResult};

/// `200 gpt-4o by claude for openai (overloaded) 2 attempts 320ms/1.2s 812+97 tokens alice`: the status, the result if it
/// is no answer, who answered in place of whom, the time to the first token and to the end, input and output tokens, and
/// the client.
pub(super) struct Access<'a>(pub(super) &'a RequestReport);

impl Display for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        write!(f, "{}", report.status)?;
        if report.result != RequestResult::Answered {
            write!(f, " {}", report.result.label())?;
        }
        let model = report.model.as_deref();
        write!(f, " {}", model.unwrap_or_else(|| report.endpoint.label()))?;
        if let Some(upstream) = &report.served_by {
            write!(f, " by {upstream}")?;
        }
        if let Some(other) = &report.in_place_of {
            write!(f, " for {} ({})", other.upstream, other.reason)?;
        }
        let others = report.failed_by.iter();
        let others: Vec<&str> = others
            .filter(|other| Some(*other) != report.served_by.as_ref())
            .map(AsRef::as_ref)
            .collect();
        if !others.is_empty() {
            write!(f, " failed by {}", others.join(", "))?;
        }
        if let Some(limit) = report.limit {
            write!(f, " limited by {}", limit.label())?;
        }
        if report.attempts > 1 {
            write!(f, " {} attempts", report.attempts)?;
        }
        match report.first_token {
            Some(first) => write!(f, " {}/{}", Brief(first), Brief(report.total))?,
            None => write!(f, " {}", Brief(report.total))?,
        }
        if let Some(tokens) = report.tokens {
            write!(f, " {}+{} tokens", tokens.input, tokens.output)?;
        }
        if let Some(route) = report
            .route
            .as_deref()
            .filter(|route| model != Some(*route))
        {
            write!(f, " route {route}")?;
        }
        match &report.client {
            Some(client) => write!(f, " {client}"),
            None => Ok(()),
        }
    }
}

/// A time in as few characters as are of use: `320ms`, `1.2s`, `75s`.
pub(super) struct Brief(pub(super) Duration);

impl Display for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            ms @ ..1000 => write!(f, "{ms}ms"),
            1000..10_000 => write!(f, "{:.1}s", self.0.as_secs_f64()),
            _ => write!(f, "{:.0}s", self.0.as_secs_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Access, Brief};
    use crate::event::{InPlaceOf, RequestReport, RequestResult, Tokens};
    use crate::request::{Endpoint, RequestId};

    fn report() -> RequestReport {
        RequestReport {
            id: RequestId::random(),
            trace: None,
            client: Some("alice".into()),
            route: Some("gpt-4o".into()),
            endpoint: Endpoint::ChatCompletions,
            status: 200,
            result: RequestResult::Answered,
            attempts: 2,
            served_by: Some("claude".into()),
            model: Some("claude-sonnet-5-5".into()),
            in_place_of: Some(InPlaceOf {
                upstream: "openai".into(),
                model: None,
                reason: "overloaded",
                is_passed_over: false,
            }),
            failed_by: Vec::new(),
            out_at: Vec::new(),
            failed_at: Vec::new(),
            failure: None,
            refusal: None,
            limit: None,
            first_byte: None,
            first_token: Some(Duration::from_millis(320)),
            total: Duration::from_millis(1234),
            tokens: Some(Tokens {
                input: 812,
                cached: 0,
                output: 97,
            }),
            added: None,
        }
    }

    #[test]
    fn the_sentence_says_what_is_out_of_the_ordinary_and_no_more() {
        let full = report();
        assert_eq!(
            Access(&full).to_string(),
            "200 claude-sonnet-5-5 by claude for openai (overloaded) 2 attempts 320ms/1.2s 812+97 tokens route gpt-4o alice"
        );
        let plain = RequestReport {
            client: None,
            attempts: 1,
            model: full.route.clone(),
            in_place_of: None,
            ..report()
        };
        assert_eq!(
            Access(&plain).to_string(),
            "200 gpt-4o by claude 320ms/1.2s 812+97 tokens"
        );
        let failed = RequestReport {
            status: 503,
            result: RequestResult::Failed,
            served_by: None,
            model: None,
            in_place_of: None,
            failed_by: vec!["openai".into(), "claude".into()],
            first_token: None,
            tokens: None,
            ..report()
        };
        assert_eq!(
            Access(&failed).to_string(),
            "503 failed chat_completions failed by openai, claude 2 attempts 1.2s route gpt-4o alice"
        );
    }

    #[test]
    fn times_are_short() {
        for (ms, text) in [(0, "0ms"), (999, "999ms"), (1234, "1.2s"), (75_400, "75s")] {
            assert_eq!(Brief(Duration::from_millis(ms)).to_string(), text);
        }
    }
}
