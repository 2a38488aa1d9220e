//! Which error a client gets, by what has become of its attempts.

use std::time::Duration;

use super::{error_response, result};
use crate::config::UpstreamId;
use crate::event::RequestResult;
use crate::failover::Exhausted;
use crate::failover::SkipReason::{
    self, KeyRefused, ModelMissing, NoCredential, NoMemory, NoTime, OutOfRotation, QuotaExhausted,
    RateLimited, TakenOut, TooLarge, TooSmall, Unreadable, Unsupported,
};
use crate::outcome::Outcome;
use crate::request::ClientApi;

const FAILED: Outcome = Outcome::ServerError { status: 500 };
const LIMITED: Outcome = Outcome::RateLimited {
    status: 429,
    retry_after: None,
    is_daily: false,
};
const REFUSED: Outcome = Outcome::Unauthorized { status: 401 };
const REJECTED: Outcome = Outcome::RejectedRequest { status: 400 };
const FILTERED: Outcome = Outcome::ContentRefused { status: 400 };
const TOO_LONG: Outcome = Outcome::TooLong { status: 400 };
const NO_PATH: Outcome = Outcome::EndpointMissing { status: 404 };

fn foreign_error(status: u16) -> Outcome {
    Outcome::ForeignError { status }
}

/// These were asked, one upstream each, and these others were not.
fn exhausted(asked: &[Outcome], skipped: &[SkipReason]) -> Exhausted {
    let names = ["a", "b", "c", "d"];
    let asked: Vec<(&str, Outcome)> = names.into_iter().zip(asked.iter().cloned()).collect();
    let others = ["w", "x", "y", "z"].into_iter();
    let skipped: Vec<(&str, SkipReason)> = others.zip(skipped.iter().copied()).collect();
    Exhausted::of(&asked, &skipped)
}

fn code(exhausted: &Exhausted) -> (u16, String) {
    let error = error_response(exhausted, "gpt-4o");
    let code = error.error_for(ClientApi::OpenAi)["code"].take();
    (error.status, code.as_str().unwrap_or_default().to_owned())
}

fn expect(asked: &[Outcome], skipped: &[SkipReason], status: u16, named: &str) {
    let error = code(&exhausted(asked, skipped));
    assert_eq!(
        error,
        (status, named.to_owned()),
        "{asked:?}, not {skipped:?}"
    );
}

#[test]
fn a_request_that_is_itself_the_reason_is_no_failure_unless_an_upstream_is_to_blame() {
    let is_failed =
        |asked: &[Outcome], skipped: &[SkipReason]| match result(&exhausted(asked, skipped)) {
            RequestResult::Rejected => false,
            RequestResult::Failed => true,
            other => panic!("{other:?}"),
        };
    assert!(!is_failed(&[], &[TooSmall]));
    assert!(!is_failed(&[], &[Unsupported("tools"), TooLarge]));
    assert!(!is_failed(&[], &[NoCredential]));
    assert!(!is_failed(&[TOO_LONG], &[]));
    assert!(!is_failed(&[FILTERED], &[]));
    assert!(is_failed(&[FAILED, TOO_LONG], &[]));
    assert!(is_failed(&[], &[TooSmall, OutOfRotation]));
    assert!(is_failed(&[], &[KeyRefused]));
    assert!(is_failed(&[foreign_error(413)], &[]));
}

fn expect_failure(asked: &[Outcome], skipped: &[SkipReason]) {
    expect(asked, skipped, 503, "all_upstreams_failed");
}

#[test]
fn a_request_is_too_long_if_it_is_so_for_everybody_who_can_be_asked() {
    let code = "context_length_exceeded";
    expect(&[TOO_LONG, TOO_LONG], &[], 400, code);
    expect(&[TOO_LONG], &[TooSmall], 400, code);
    expect(&[], &[TooSmall, TooSmall], 400, code);
    expect_failure(&[TOO_LONG, FAILED], &[]);
    expect_failure(&[TOO_LONG], &[OutOfRotation]);
    expect_failure(&[], &[TooSmall, OutOfRotation]);
    expect(&[TOO_LONG, REJECTED], &[], 400, "invalid_request");
}

#[test]
fn a_request_is_wrong_if_the_last_one_says_so_and_nobody_has_failed() {
    expect(&[REJECTED], &[], 400, "invalid_request");
    expect(&[REJECTED], &[Unsupported("tools")], 400, "invalid_request");
    expect_failure(&[REJECTED, FAILED], &[]);
    expect_failure(&[FAILED, REJECTED], &[]);
    expect_failure(&[REJECTED], &[OutOfRotation]);
    expect(&[FAILED, FILTERED], &[], 400, "content_filter");
}

#[test]
fn what_stands_in_front_of_all_upstreams_may_refuse_the_form_of_a_request() {
    for status in [400, 413, 414, 431] {
        expect(
            &[foreign_error(status), foreign_error(status)],
            &[],
            status,
            "refused_on_the_way",
        );
    }
    expect(
        &[foreign_error(413)],
        &[Unsupported("tools")],
        413,
        "refused_on_the_way",
    );
    expect_failure(&[foreign_error(403)], &[]);
    expect_failure(&[foreign_error(413), foreign_error(400)], &[]);
    expect_failure(&[foreign_error(413), FAILED], &[]);
    expect_failure(&[foreign_error(413)], &[OutOfRotation]);
}

#[test]
fn what_rules_everybody_out_is_an_error_of_the_request() {
    for (reason, status, code) in [
        (TooLarge, 413, "request_too_large"),
        (Unreadable, 400, "untranslatable_json"),
        (NoCredential, 401, "invalid_api_key"),
        (Unsupported("tools"), 400, "unsupported_by_upstreams"),
    ] {
        expect(&[], &[reason], status, code);
        expect(&[], &[TooSmall, reason], status, code);
        expect_failure(&[], &[reason, OutOfRotation]);
        expect_failure(&[], &[OutOfRotation, reason]);
        expect_failure(&[FAILED], &[reason]);
    }
}

#[test]
fn an_error_names_what_nobody_can_do() {
    for (asked, skipped, feature) in [
        (&[][..], &[Unsupported("tools")][..], "(tools)"),
        (&[NO_PATH], &[Unsupported("tools")], "(tools)"),
        (&[NO_PATH], &[], "(this endpoint)"),
    ] {
        expect(asked, skipped, 400, "unsupported_by_upstreams");
        let error = error_response(&exhausted(asked, skipped), "gpt-4o");
        let body = error.body(ClientApi::OpenAi, "");
        assert!(body.contains(feature), "{body}");
    }
    expect_failure(&[NO_PATH], &[OutOfRotation]);
    expect_failure(&[NO_PATH], &[Unsupported("tools"), NoTime]);
}

#[test]
fn what_we_lack_ourselves_is_said() {
    let code_of_memory = "memory_limit_reached";
    expect(&[Outcome::NoMemory], &[], 503, code_of_memory);
    expect(&[FAILED], &[NoMemory], 503, code_of_memory);
    let code_of_resources = "local_resources_exhausted";
    let none_left = Outcome::NoResources;
    expect(
        &[none_left.clone(), none_left.clone()],
        &[],
        503,
        code_of_resources,
    );
    expect_failure(&[none_left, FAILED], &[]);
    let mut offline = exhausted(&[FAILED], &[]);
    offline.is_network_lost = true;
    assert_eq!(code(&offline).1, "local_network_unreachable");
}

#[test]
fn a_client_is_limited_if_nothing_but_limits_is_in_the_way() {
    let code = "rate_limit_exceeded";
    expect(&[LIMITED, LIMITED], &[], 429, code);
    expect(&[LIMITED], &[RateLimited, Unsupported("tools")], 429, code);
    expect(&[], &[RateLimited], 429, code);
    expect_failure(&[LIMITED, FAILED], &[]);
    expect_failure(&[LIMITED], &[OutOfRotation]);
}

#[test]
fn somebody_has_to_act_if_that_is_so_everywhere() {
    let key = "upstream_key_refused";
    let quota = "upstream_quota_exhausted";
    expect(&[REFUSED], &[], 403, key);
    expect(&[], &[KeyRefused], 403, key);
    expect(&[Outcome::QuotaExhausted { status: 429 }], &[], 402, quota);
    expect(&[], &[QuotaExhausted], 402, quota);
    expect(
        &[Outcome::ModelUnavailable { status: 404 }],
        &[],
        404,
        "model_not_found",
    );
    expect(&[], &[ModelMissing], 404, "model_not_found");
    // The request has no say in it, and who can never serve it has none.
    expect(&[REFUSED, TOO_LONG], &[Unsupported("tools")], 403, key);
    expect(&[REFUSED, NO_PATH], &[], 403, key);
    expect_failure(&[REFUSED, FAILED], &[]);
    expect_failure(&[REFUSED], &[OutOfRotation]);
}

#[test]
fn an_error_says_whose_fault_it_is_and_lists_the_attempts() {
    let error = |asked: &[Outcome], skipped: &[SkipReason]| {
        let error = error_response(&exhausted(asked, skipped), "gpt-4o");
        error.error_for(ClientApi::OpenAi)
    };
    let refused = error(&[REFUSED, REFUSED], &[]);
    assert_eq!(refused["type"], "upstream_error");
    assert_eq!(refused["attempts"].as_array().map(Vec::len), Some(2));
    let missing = error(&[], &[ModelMissing]);
    assert_eq!(missing["type"], "invalid_request_error");
    let unreadable = error(&[], &[Unreadable]);
    let message = unreadable["message"].as_str().unwrap_or_default();
    assert!(message.ends_with("cannot be translated: it cannot be read"));
}

#[test]
fn the_last_word_of_each_key_counts() {
    let asked_twice = |outcomes: [Outcome; 2], keys: [usize; 2]| {
        let [one, other] = outcomes;
        let mut exhausted = Exhausted::of(&[("a", one), ("a", other)], &[]);
        for (attempt, key) in exhausted.attempts.iter_mut().zip(keys) {
            attempt.key = key;
        }
        code(&exhausted).1
    };
    assert_eq!(
        asked_twice([FAILED, REFUSED], [0, 0]),
        "upstream_key_refused"
    );
    assert_eq!(
        asked_twice([REFUSED, FAILED], [0, 0]),
        "all_upstreams_failed"
    );
    assert_eq!(
        asked_twice([FAILED, REFUSED], [0, 1]),
        "all_upstreams_failed"
    );
}

#[test]
fn if_nobody_can_be_asked_the_reason_is_told_and_a_retry_is_in_vain() {
    for skipped in [&[TakenOut][..], &[TakenOut, Unsupported("tools")], &[]] {
        expect(&[], skipped, 503, "no_upstream_available");
        let error = error_response(&exhausted(&[], skipped), "gpt-4o");
        assert!(error.is_in_vain && error.retry_after.is_none());
    }
    expect_failure(&[], &[TakenOut, OutOfRotation]);
    let mut pinned = exhausted(&[FAILED], &[]);
    pinned.pinned_to = Some(UpstreamId::from("a"));
    assert_eq!(code(&pinned), (503, "owner_unavailable".to_owned()));
}

#[test]
fn a_client_waits_for_what_has_an_end_and_else_asks_again_soon() {
    let (asked, soon) = (Duration::from_secs(30), Duration::from_secs(1));
    let busy = |retry_after| Outcome::Overloaded {
        status: 503,
        retry_after,
    };
    for (outcomes, skipped, wait) in [
        (&[LIMITED][..], &[][..], asked),
        (&[busy(Some(asked))], &[], asked),
        (&[LIMITED, TOO_LONG], &[], asked),
        (&[busy(None)], &[], soon),
        (&[FAILED], &[], soon),
        (&[LIMITED, FAILED], &[], soon),
        (&[LIMITED], &[OutOfRotation], soon),
    ] {
        let mut exhausted = exhausted(outcomes, skipped);
        exhausted.retry_in = Some(asked);
        let error = error_response(&exhausted, "gpt-4o");
        assert_eq!(error.retry_after, Some(wait), "{outcomes:?}");
    }
    let unknown = error_response(&exhausted(&[LIMITED], &[]), "gpt-4o");
    assert_eq!(unknown.retry_after, Some(soon));
}

#[test]
fn everything_that_has_happened_is_told_once_and_the_log_repeats_no_prompt() {
    let asked = [("a", FAILED), ("a", FAILED), ("b", TOO_LONG)];
    let mut exhausted = Exhausted::of(&asked, &[("c", OutOfRotation)]);
    exhausted.attempts[2].detail = Some("you wrote: hello".to_owned());
    exhausted.attempts[2].model = Some("m".into());
    let shown = super::story::for_client(&exhausted);
    let expected = format!(
        "a: {FAILED} (2 times); b: {TOO_LONG} for m, you wrote: hello; c: not asked, it is out of rotation after failures"
    );
    assert_eq!(shown, expected);
    let logged = super::story::for_log(&exhausted, "gpt\n-4o");
    let expected = expected.replace(", you wrote: hello", "");
    assert_eq!(logged, format!("`gpt-4o`: {expected}"));
    assert_eq!(super::story::for_log(&exhausted, ""), expected);
    exhausted.attempts[0].detail = Some("no space left".to_owned());
    let logged = super::story::for_log(&exhausted, "");
    assert!(logged.contains("no space left"), "{logged}");
    let body = error_response(&exhausted, "gpt-4o").body(ClientApi::OpenAi, "");
    assert!(body.contains("(model `gpt-4o`): a: "), "{body}");
}
