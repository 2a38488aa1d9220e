//! Which errors are believed, and what they say about keys, accounts and models.

use super::{check, classify};
use crate::config::{ErrorRule, Meaning};
use crate::dialect::errors::{self, ErrorReply, classify_status};
use crate::outcome::Outcome;

#[test]
fn only_an_error_in_an_apis_shape_is_a_fact() {
    let page = "<html><head><title>403 Forbidden</title></head></html>";
    for status in [400, 401, 402, 403, 404, 405, 410, 413, 414, 422, 431] {
        for body in [
            "",
            page,
            "404 page not found",
            "default backend - 404",
            "RBAC: access denied",
            r#"{"success":false,"errors":[{"code":1010}]}"#,
            r#"{"timestamp":"2026","status":404,"error":"Not Found","path":"/v1"}"#,
            r#"{"message":"no Route matched with those values"}"#,
            r#"{"message":"Forbidden"}"#,
            r#"{"detail":"Not Found"}"#,
        ] {
            let outcome = classify(status, None, body.as_bytes());
            assert_eq!(outcome, Outcome::ForeignError { status }, "{status} {body}");
        }
    }
    // The header of a 429 and the status of a failure say enough.
    for (status, label) in [
        (429, "rate_limited"),
        (503, "overloaded"),
        (502, "server_error"),
    ] {
        assert_eq!(classify(status, None, page.as_bytes()).label(), label);
    }
    // All these are shapes of APIs.
    for body in [
        r#"{"error":{"message":"no"}}"#,
        r#"[{"error":{"code":401,"message":"no","status":"UNAUTHENTICATED"}}]"#,
        r#"{"type":"error","error":{"type":"authentication_error","message":"no"}}"#,
        r#"{"error":"Unauthorized"}"#,
        r#"{"message":"Unauthorized"}"#,
        r#"{"detail":"Invalid token"}"#,
        r#"{"code":"InvalidApiKey","message":"Invalid API-key provided.","request_id":"1"}"#,
        r#"{"error_code":110,"error_msg":"Access token invalid"}"#,
        r#"{"statusCode":401,"message":"Access denied due to invalid subscription key"}"#,
        r#"{"code":"unauthenticated","error":"no"}"#,
        r#""Invalid token""#,
    ] {
        let outcome = classify(401, None, body.as_bytes());
        assert_eq!(outcome, Outcome::Unauthorized { status: 401 }, "{body}");
    }
}

#[test]
fn failures_of_others_are_nobodys_rejection() {
    let body = r#"{"error":{"message":"m","type":"t"}}"#;
    for status in [
        407, 408, 411, 412, 417, 418, 421, 423, 424, 425, 444, 460, 499,
    ] {
        let outcome = classify(status, None, body.as_bytes());
        assert_eq!(outcome, Outcome::ServerError { status });
        assert_eq!(classify_status(status, None), outcome);
    }
    assert_eq!(classify(409, None, body.as_bytes()).label(), "overloaded");
    assert_eq!(classify(498, None, body.as_bytes()).label(), "overloaded");
}

/// What providers say, whatever the status.
const REFUSALS: &str = r#"
400 model_unavailable {"detail":"Model nonexistent is not supported. Supported models are ['voyage-2']."}
413 unsupported {"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}
400 too_long {"error":{"message":"prompt too long; exceeded max context length by 1119046 tokens (ref: 9)","type":"invalid_request_error"}}
400 unsupported {"error":{"message":"Web search options not supported with this model.","param":"web_search_options"}}
400 server_error {"type":"error","error":{"type":"api_error","message":"Test error"}}
400 quota_exhausted {"error":{"code":"Arrearage","param":null,"message":"Access denied, please make sure your account is in good standing.","type":"Arrearage"}}
403 model_unavailable {"code":"AccessDenied.Unpurchased","message":"Access to model denied. Please make sure you are eligible for using the model.","request_id":"r"}
429 rate_limited {"error":{"code":"insufficient_quota","message":"Allocated quota exceeded, please increase your quota limit.","type":"insufficient_quota"}}
400 unauthorized [{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}]
400 unauthorized {"error":{"code":400,"message":"API key expired. Please renew the API key.","status":"INVALID_ARGUMENT"}}
403 quota_exhausted {"error":{"code":403,"message":"This API method requires billing to be enabled.","status":"PERMISSION_DENIED"}}
400 model_unavailable {"error":{"message":"The model `llama2-70b` has been decommissioned and is no longer supported.","type":"invalid_request_error","code":"model_decommissioned"}}
400 model_unavailable {"error":{"message":"The model `x` requires terms acceptance.","type":"invalid_request_error","code":"model_terms_required"}}
400 unauthorized {"error":{"message":"Organization has been restricted. Please reach out to support.","type":"invalid_request_error","code":"organization_restricted"}}
400 model_unavailable {"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}
402 quota_exhausted {"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}
400 model_unavailable {"object":"error","message":"Invalid model: mistral-x","type":"invalid_model","param":null,"code":"1500"}
400 model_unavailable {"error":{"message":"foo/bar is not a valid model ID","code":400}}
404 model_unavailable {"error":{"message":"No endpoints found matching your data policy.","code":404}}
403 quota_exhausted {"error":{"message":"Key limit exceeded (total limit). Manage it using https://openrouter.ai","code":403}}
400 unauthorized {"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***st. You can obtain one at https://console.x.ai."}
403 quota_exhausted {"code":"The caller does not have permission to execute the specified operation","error":"Your newly created teams doesn't have any credits yet."}
400 model_unavailable {"error":{"message":"Unable to access non-serverless model x/y.","type":"invalid_request_error","param":null,"code":"model_not_available"}}
429 quota_exhausted {"error":{"message":"Your account is suspended, please check your plan and billing details","type":"exceeded_current_quota_error"}}
429 overloaded {"error":{"message":"The engine is currently overloaded","type":"engine_overloaded_error"}}
401 model_unavailable {"error":{"code":"invalid_model","message":"No permission to use the model","type":"invalid_request_error"}}
400 rejected {"error":{"code":"invalid_model","message":"model is empty","type":"invalid_request_error"}}
403 unauthorized {"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","type":"request_forbidden"}}
400 model_unavailable {"error":{"message":"Your organization must be verified to generate reasoning summaries.","type":"invalid_request_error","param":"reasoning.summary","code":"unsupported_value"}}
429 quota_exhausted {"error":{"message":"Your account is not active, please check your billing details on our website.","type":"billing_not_active","code":"billing_not_active"}}
403 unauthorized {"error":{"message":"The OpenAI account associated with this API key has been deactivated.","type":"invalid_request_error","code":"account_deactivated"}}
412 quota_exhausted {"error":{"object":"error","message":"Account x is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices.","code":"PRECONDITION_FAILED"}}
403 quota_exhausted {"error":{"code":"AccountOverdueError","message":"The request failed because your account has an overdue balance.","type":"Forbidden"}}
404 model_unavailable {"error":{"code":"ModelNotOpen","message":"Your account has not activated the model.","type":"NotFound"}}
400 model_unavailable {"code":20012,"message":"Model does not exist. Please check it carefully.","data":null}
403 quota_exhausted {"code":30001,"message":"Sorry, your account balance is insufficient","data":null}
429 quota_exhausted {"error":{"code":"1113","message":"no balance"}}
400 unauthorized {"type":"error","error":{"type":"invalid_request_error","message":"This organization has been disabled."}}
404 rejected {"type":"error","error":{"type":"not_found_error","message":"No usable thread","details":{"error_code":"thread_not_found"}}}
409 rejected {"type":"error","error":{"type":"invalid_request_error","message":"Already continued","details":{"error_code":"thread_already_continued"}}}
400 model_unavailable {"message":"The provided model identifier is invalid."}
429 quota_exhausted {"message":"Too many tokens per day, please wait before trying again."}
500 quota_exhausted {"error":{"code":"insufficient_quota","message":"m"}}
400 content_refused {"error":{"code":"data_inspection_failed","message":"m"}}
400 server_error {"error":{"type":"internal_server_error","message":"m"}}
"#;

#[test]
fn refusals_of_accounts_regions_and_models_are_known_by_the_words_of_each_provider() {
    check(REFUSALS);
}

#[test]
fn a_model_whose_name_the_configuration_wrote_is_never_the_clients_fault() {
    let body = r#"{"error":{"message":"Sorry, Qwen-Max is not available to you","type":"invalid_request_error"}}"#;
    let by_param = r#"{"error":{"message":"no","type":"invalid_request_error","param":"model"}}"#;
    let wrong = r#"{"error":{"message":"no","type":"invalid_request_error","param":"messages"}}"#;
    for (body, model, label) in [
        (body, Some("qwen-max"), "model_unavailable"),
        (by_param, Some("qwen-max"), "model_unavailable"),
        (wrong, Some("qwen-max"), "rejected"),
        (body, Some("other"), "rejected"),
        (by_param, None, "rejected"),
    ] {
        let reply = ErrorReply {
            model,
            ..ErrorReply::new(400, body.as_bytes())
        };
        assert_eq!(errors::classify(&reply).label(), label, "{model:?} {body}");
    }
}

#[test]
fn what_the_configuration_says_about_an_error_comes_first() {
    let rule = |status, code: &str, words: &str, outcome| ErrorRule {
        status,
        code: (!code.is_empty()).then(|| code.to_owned()),
        words: (!words.is_empty()).then(|| words.to_owned()),
        outcome: Some(outcome),
    };
    let rules = [
        rule(Some(400), "E42", "", Meaning::Overloaded),
        rule(None, "", "Tenant Frozen", Meaning::QuotaExhausted),
        rule(Some(418), "", "", Meaning::RateLimited),
        rule(Some(401), "", "", Meaning::Rejected),
    ];
    for (status, body, label) in [
        (
            400,
            r#"{"error":{"code":"E42","message":"m"}}"#,
            "overloaded",
        ),
        (422, r#"{"error":{"code":"E42","message":"m"}}"#, "rejected"),
        (
            403,
            r#"{"error":{"message":"your tenant frozen since May"}}"#,
            "quota_exhausted",
        ),
        (403, "<html>TENANT FROZEN</html>", "quota_exhausted"),
        (418, "", "rate_limited"),
        (401, r#"{"error":{"code":"invalid_api_key"}}"#, "rejected"),
        (404, "", "foreign_error"),
    ] {
        let reply = ErrorReply {
            rules: &rules,
            ..ErrorReply::new(status, body.as_bytes())
        };
        assert_eq!(errors::classify(&reply).label(), label, "{status} {body}");
        // Inside a 200 only codes and words count.
        let is_named = body.contains("E42") || body.to_lowercase().contains("tenant frozen");
        assert_eq!(reply.ruled_inside().is_some(), is_named, "{status} {body}");
    }
}

#[test]
fn a_429_has_three_meanings_and_a_403_may_be_about_a_model() {
    check(
        r#"
429 overloaded {"error":{"code":"slow_down"}}
429 overloaded {"error":{"code":"cluster_tpm_limit_exceeded"}}
429 overloaded {"type":"error","error":{"type":"rate_limit_error","details":{"error_code":"ramp_limit_exceeded"}}}
429 quota_exhausted {"type":"error","error":{"type":"rate_limit_error","details":{"error_code":"contract_spend_limit_reached"}}}
429 rate_limited [{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}]}}]
403 model_unavailable {"error":{"message":"no access","code":"model_not_found"}}
"#,
    );
}
