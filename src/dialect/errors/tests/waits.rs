//! How long an error asks us to wait.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::dialect::errors::{self, ErrorReply};
use crate::outcome::Outcome;

#[test]
fn a_wait_is_asked_for_by_headers_then_by_words_and_is_else_estimated() {
    let words = br#"{"error":{"message":"Please retry after 26 seconds."}}"#;
    let seconds = |asked, estimated, body| {
        let secs = |seconds: Option<u64>| seconds.map(Duration::from_secs);
        let reply = ErrorReply {
            asked: secs(asked),
            estimated: secs(estimated),
            ..ErrorReply::new(429, body)
        };
        match errors::classify(&reply) {
            Outcome::RateLimited { retry_after, .. } => retry_after.map(|wait| wait.as_secs()),
            other => panic!("{other}"),
        }
    };
    assert_eq!(seconds(Some(3), Some(60), &words[..]), Some(3));
    assert_eq!(seconds(None, Some(60), &words[..]), Some(26));
    assert_eq!(seconds(None, Some(60), b"{}"), Some(60));
    assert_eq!(seconds(None, None, b""), None);
}

/// The outcome of a 429, with its wait in seconds.
fn limited(asked: Option<u64>, body: &str) -> (bool, u64) {
    let reply = ErrorReply {
        asked: asked.map(Duration::from_secs),
        ..ErrorReply::new(429, body.as_bytes())
    };
    match errors::classify(&reply) {
        Outcome::RateLimited {
            status: 429,
            retry_after,
            is_daily,
        } => (is_daily, retry_after.unwrap_or_default().as_secs()),
        other => panic!("{other}: {body}"),
    }
}

#[test]
fn the_limit_of_a_day_lasts_until_its_reset_or_the_end_of_the_day() {
    let in_an_hour = SystemTime::now() + Duration::from_secs(3605);
    let reset = in_an_hour.duration_since(UNIX_EPOCH).unwrap().as_millis();
    let of_router = |message: &str| {
        let headers = json!({"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": reset.to_string()});
        json!({"error": {"message": message, "code": 429, "metadata": {"headers": headers}}})
            .to_string()
    };
    let free = "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day";
    let (is_daily, seconds) = limited(Some(2), &of_router(free));
    assert!(is_daily && (3590..=3605).contains(&seconds), "{seconds}");
    let (is_daily, seconds) = limited(
        None,
        &of_router("Rate limit exceeded: free-models-per-min."),
    );
    assert!(!is_daily && (3590..=3605).contains(&seconds), "{seconds}");

    let tokens = r#"{"error":{"message":"Rate limit reached for model `m` on tokens per day (TPD): Limit 100000, Used 97050, Requested 3619. Please try again in 9m38.016s.","type":"tokens","code":"rate_limit_exceeded"}}"#;
    assert_eq!(limited(None, tokens), (true, 578));
    assert_eq!(
        limited(None, &tokens.replace("per day (TPD)", "per minute (TPM)")),
        (false, 578)
    );

    let said = "you have used up your daily free allocation of 10,000 neurons, please upgrade to Cloudflare's Workers Paid plan";
    for body in [
        json!({"errors": [{"code": 4006, "message": said}], "success": false, "result": null}),
        json!({"errors": [{"code": 3036, "message": format!("4006: {said}")}]}),
        json!({"error": {"message": said}}),
    ] {
        let (is_daily, seconds) = limited(None, &body.to_string());
        let left = 86_400
            - SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs()
                % 86_400;
        assert!(
            is_daily && seconds.abs_diff(left) < 5 || left < 5,
            "{seconds}"
        );
    }
    let quota = |id: &str| {
        let details = json!([{"violations": [{"quotaId": id}]}, {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s"}]);
        json!([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": details,
            "message": "You exceeded your current quota, please check your plan and billing details. Please retry in 37s."}}])
            .to_string()
    };
    let (is_daily, seconds) = limited(
        None,
        &quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let left = 86_400 - (now.as_secs() + 17 * 3600) % 86_400;
    assert!(
        is_daily && seconds.abs_diff(left) < 5 || left < 40,
        "{seconds}"
    );
    let a_minute = quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier");
    assert_eq!(limited(None, &a_minute), (false, 37));
    let full = json!({"errors": [{"code": 3040, "message": "No more data centers to forward the request to"}]});
    assert_eq!(limited(None, &full.to_string()), (false, 0));
}

/// A failure has nothing to do with what is left of a rate limit, which stands in the headers of all replies.
#[test]
fn only_a_rate_limit_is_waited_for_by_estimate() {
    let by_estimate = |status, body| {
        errors::classify(&ErrorReply {
            estimated: Some(Duration::from_secs(20)),
            ..ErrorReply::new(status, body)
        })
    };
    let failed = |status| Outcome::ServerError { status };
    assert_eq!(by_estimate(500, &b"{}"[..]), failed(500));
    assert_eq!(by_estimate(408, b"<html>"), failed(408));
    let overloaded = |status| Outcome::Overloaded {
        status,
        retry_after: None,
    };
    assert_eq!(by_estimate(503, b"{}"), overloaded(503));
    let words = br#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    assert_eq!(by_estimate(529, words), overloaded(529));
    let money = br#"{"error":{"message":"m"}}"#;
    assert_eq!(
        by_estimate(402, money),
        Outcome::QuotaExhausted { status: 402 }
    );
}
