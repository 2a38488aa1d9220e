//! How errors are classified.

use std::time::Duration;

use serde_json::value::RawValue;

use super::{ErrorReply, classify_inner, classify_status};
use crate::config::{ErrorRule, Meaning};
use crate::outcome::Outcome;

fn reply(status: u16, asked: Option<Duration>, body: &[u8]) -> ErrorReply<'_> {
    ErrorReply {
        asked,
        ..ErrorReply::new(status, body)
    }
}

fn classify(status: u16, asked: Option<Duration>, body: &[u8]) -> Outcome {
    super::classify(&reply(status, asked, body))
}

fn classify_handshake(status: u16, asked: Option<Duration>, body: &[u8]) -> Outcome {
    super::classify_handshake(&reply(status, asked, body))
}

fn classify_response(status: u16, asked: Option<Duration>, body: &[u8]) -> Outcome {
    super::classify_response(&reply(status, asked, body))
}

#[test]
fn refused_content_is_known_by_its_code() {
    for (status, code) in [
        (403, "input_unsafe"),
        (400, "content_filter"),
        (400, "content_policy_violation"),
    ] {
        let body = format!(r#"{{"error":{{"code":"{code}","innererror":{{}}}}}}"#);
        let outcome = classify(status, None, body.as_bytes());
        assert_eq!(outcome, Outcome::ContentRefused { status }, "{code}");
    }
}

#[test]
fn status_and_code_decide() {
    let cases = [
        (
            400,
            r#"{"error":{"message":"no","type":"invalid_request_error","code":null}}"#,
            "rejected",
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]"#,
            "unauthorized",
        ),
        (
            400,
            r#"{"error":{"code":"billing_hard_limit_reached"}}"#,
            "quota_exhausted",
        ),
        (
            401,
            r#"{"error":{"code":"invalid_api_key"}}"#,
            "unauthorized",
        ),
        (
            401,
            r#"{"error":{"code":"invalid_model","message":"No permission"}}"#,
            "model_unavailable",
        ),
        (
            402,
            r#"{"error":{"message":"Payment required"}}"#,
            "quota_exhausted",
        ),
        (
            404,
            r#"{"error":{"message":"The model `x` is gone"}}"#,
            "model_unavailable",
        ),
        (408, "", "server_error"),
        (413, r#"{"error":{"message":"Too many bytes"}}"#, "rejected"),
        (
            422,
            r#"{"detail":[{"loc":["body","n"],"msg":"Field required"}]}"#,
            "rejected",
        ),
        (
            429,
            r#"{"error":{"code":"rate_limit_exceeded"}}"#,
            "rate_limited",
        ),
        (
            429,
            r#"{"error":{"type":"insufficient_quota"}}"#,
            "quota_exhausted",
        ),
        (
            500,
            r#"{"error":"model runner has stopped"}"#,
            "server_error",
        ),
        (503, "", "overloaded"),
        (529, "", "overloaded"),
        (530, "", "server_error"),
    ];
    for (status, body, label) in cases {
        assert_eq!(
            classify(status, None, body.as_bytes()).label(),
            label,
            "{status} {body}"
        );
    }
}

#[test]
fn a_request_that_is_too_long_is_told_from_one_that_is_wrong() {
    for body in [
        r#"{"error":{"code":"context_length_exceeded","message":"m"}}"#,
        r#"{"error":{"code":400,"type":"exceed_context_size_error","message":"m"}}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 5"}}"#,
    ] {
        let outcome = classify(400, None, body.as_bytes());
        assert_eq!(outcome, Outcome::TooLong { status: 400 }, "{body}");
    }
}

#[test]
fn the_wait_an_upstream_asks_for_is_kept() {
    let wait = Some(Duration::from_secs(7));
    assert_eq!(
        classify(429, wait, b""),
        Outcome::RateLimited { retry_after: wait }
    );
}

#[test]
fn an_upstream_without_websockets_is_not_to_blame() {
    let handshake = |status, body: &str| classify_handshake(status, None, body.as_bytes());
    for status in [200, 302, 404, 405, 410, 426, 501] {
        let outcome = handshake(status, "<html>");
        assert_eq!(outcome, Outcome::UpgradeRefused { status });
        assert!(!outcome.hurts_health());
    }
    let no_model = r#"{"error":{"code":"model_not_found"}}"#;
    for (status, body, label) in [
        (404, no_model, "model_unavailable"),
        (400, r#"{"error":{"message":"m"}}"#, "rejected"),
        (401, r#"{"error":{"message":"m"}}"#, "unauthorized"),
        (401, "<html>", "foreign_error"),
        (429, "", "rate_limited"),
        (500, "", "server_error"),
        (503, "", "overloaded"),
    ] {
        assert_eq!(handshake(status, body).label(), label);
    }
}

#[test]
fn a_wait_may_stand_in_the_body() {
    let wait = |body: &str| match classify(429, None, body.as_bytes()) {
        Outcome::RateLimited { retry_after } => retry_after.map(|wait| wait.as_millis()),
        other => panic!("{other}"),
    };
    let gemini = r#"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"Help"},{"@type":"RetryInfo","retryDelay":"37s"}]}}]"#;
    assert_eq!(wait(gemini), Some(37_000));
    let words =
        r#"{"error":{"message":"Rate limit reached. Please try again in 1m41.724s. Visit us."}}"#;
    assert_eq!(wait(words), Some(101_724));
    assert_eq!(
        wait(r#"{"error":{"message":"try again in a while"}}"#),
        None
    );
    assert_eq!(wait("{}"), None);
}

#[test]
fn an_error_inside_a_reply_is_classified_by_its_code_or_type() {
    let inner = |json: &str| {
        classify_inner(&RawValue::from_string(json.to_owned()).unwrap(), None).to_string()
    };
    assert_eq!(
        inner(r#"{"code":"rate_limit_exceeded","message":"slow"}"#),
        "rate_limited (429)"
    );
    assert_eq!(
        inner(r#"{"code":502,"message":"upstream"}"#),
        "server_error (502)"
    );
    assert_eq!(inner(r#"{"type":"overloaded_error"}"#), "overloaded (529)");
    assert_eq!(inner(r#"{"message":"?"}"#), "server_error (500)");
    assert_eq!(inner(r#""text""#), "server_error (500)");
}

#[test]
fn what_one_model_does_not_take_is_told_from_what_is_wrong() {
    for (status, body) in [
        (
            400,
            r#"{"error":{"message":"m","code":"unsupported_parameter"}}"#,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"seed: Extra inputs are not permitted"}}"#,
        ),
        (
            422,
            r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","store"],"msg":"Extra inputs are not permitted","input":false}]},"type":"invalid_request_error","code":null}"#,
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"store\": Cannot find field.","status":"INVALID_ARGUMENT"}}]"#,
        ),
        (
            400,
            r#"{"error":{"message":"registry.example/library/x does not support tools"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"'messages.2' : property 'annotations' is unsupported"}}"#,
        ),
    ] {
        let outcome = classify(status, None, body.as_bytes());
        assert_eq!(outcome, Outcome::Unsupported { status }, "{body}");
    }
    for body in [
        r#"{"error":{"message":"messages must not be empty","type":"invalid_request_error","code":null}}"#,
        r#"{"error":{"message":"You wrote: \"extra\"","type":"invalid_request_error"}}"#,
    ] {
        assert_eq!(
            classify(400, None, body.as_bytes()).label(),
            "rejected",
            "{body}"
        );
    }
}

#[test]
fn a_missing_path_is_told_from_a_missing_model() {
    let label = |body: &str| classify_response(404, None, body.as_bytes()).label();
    for body in [
        "404 page not found",
        r#"{"detail":"Not Found"}"#,
        r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#,
        r#"{"error":{"message":"Invalid URL (POST /v1/responses)","type":"invalid_request_error"}}"#,
    ] {
        assert_eq!(label(body), "endpoint_missing", "{body}");
    }
    let no_model = r#"{"error":{"message":"model 'x' not found","type":"not_found_error"}}"#;
    assert_eq!(label(no_model), "model_unavailable");
    let no_item =
        r#"{"error":{"message":"Item with id 'rs_1' not found.","type":"invalid_request_error"}}"#;
    assert_eq!(label(no_item), "provider_bound_items");
}

#[test]
fn a_429_has_three_meanings_and_a_403_may_be_about_a_model() {
    let cases = [
        (429, r#"{"error":{"code":"slow_down"}}"#, "overloaded"),
        (
            429,
            r#"{"error":{"code":"cluster_tpm_limit_exceeded"}}"#,
            "overloaded",
        ),
        (
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","details":{"error_code":"ramp_limit_exceeded"}}}"#,
            "overloaded",
        ),
        (
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","details":{"error_code":"contract_spend_limit_reached"}}}"#,
            "quota_exhausted",
        ),
        (
            429,
            r#"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}]}}]"#,
            "quota_exhausted",
        ),
        (
            403,
            r#"{"error":{"message":"no access","code":"model_not_found"}}"#,
            "model_unavailable",
        ),
    ];
    for (status, body, label) in cases {
        assert_eq!(
            classify(status, None, body.as_bytes()).label(),
            label,
            "{body}"
        );
    }
}

#[test]
fn a_404_is_about_the_model_the_path_or_what_the_request_refers_to() {
    for (message, label) in [
        ("The model `gpt-9` does not exist", "model_unavailable"),
        (
            "This is a chat model and not supported in the v1/completions endpoint.",
            "unsupported",
        ),
        (
            "This model is only supported in v1/responses and not in v1/chat/completions.",
            "unsupported",
        ),
        ("Invalid URL (POST /chat/completions)", "unsupported"),
        ("Conversation with id 'conv_1' not found.", "rejected"),
        ("No such File object: file-1", "rejected"),
    ] {
        let body = serde_json::json!({"error": {"message": message, "code": null}}).to_string();
        assert_eq!(
            classify(404, None, body.as_bytes()).label(),
            label,
            "{message}"
        );
    }
    let here = r#"{"error":{"message":"This model is only supported in v1/chat/completions and not in v1/responses."}}"#;
    assert_eq!(
        classify_response(404, None, here.as_bytes()).label(),
        "unsupported"
    );
}

#[test]
fn what_is_said_in_words_alone_is_understood() {
    for (status, body, label) in [
        (
            403,
            r#"{"error":{"code":403,"message":"it requires moderation","metadata":{"reasons":["x"],"flagged_input":"y"}}}"#,
            "content_refused",
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}"#,
            "content_refused",
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
            "quota_exhausted",
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"API key expired.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
            "unauthorized",
        ),
        (
            429,
            r#"{"error":{"message":"Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 50000.","type":"tokens","code":"rate_limit_exceeded"}}"#,
            "unsupported",
        ),
    ] {
        let outcome = classify(status, None, body.as_bytes());
        assert_eq!(outcome.label(), label, "{body}");
    }
}

#[test]
fn the_code_of_an_error_inside_a_reply_says_as_much_as_that_of_any_other() {
    for (code, label) in [
        ("insufficient_quota", "quota_exhausted"),
        ("billing_error", "quota_exhausted"),
        ("moderation_blocked", "content_refused"),
        ("input_unsafe", "content_refused"),
        ("exceed_context_size_error", "too_long"),
        ("unsupported_parameter", "unsupported"),
        ("invalid_image_format", "rejected"),
        ("request_too_large", "rejected"),
        ("vector_store_timeout", "server_error"),
    ] {
        let error = format!(r#"{{"code":"{code}","message":"m"}}"#);
        let error = RawValue::from_string(error).unwrap();
        assert_eq!(classify_inner(&error, None).label(), label, "{code}");
    }
}

#[test]
fn what_others_have_left_in_a_conversation_is_no_fault_of_the_clients() {
    let anthropic =
        "messages.3.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'";
    let thought = "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.";
    for (message, code) in [
        (anthropic, ""),
        ("messages.3.content.0: `tool_use` ids must be unique", ""),
        (thought, ""),
        (
            "messages.1.content.0: Invalid `signature` in `thinking` block",
            "",
        ),
        (
            "Invalid 'messages[1].tool_calls[0].id': string too long.",
            "string_above_max_length",
        ),
        (
            "Invalid 'messages[2].tool_call_id': string too long.",
            "string_above_max_length",
        ),
        (
            "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.",
            "",
        ),
        ("Unexpected role 'user' after role 'tool'", ""),
        (
            "Function call is missing a thought_signature in functionCall parts.",
            "",
        ),
        (
            "The `reasoning_content` in the thinking mode must be passed back to the API.",
            "",
        ),
    ] {
        let body = serde_json::json!({"error": {"message": message, "code": code}});
        let outcome = classify(400, None, body.to_string().as_bytes());
        assert_eq!(
            outcome,
            Outcome::ProviderBoundItems { status: 400 },
            "{message}"
        );
    }
    for (message, code) in [
        ("messages.1.content.0.text: Field required", ""),
        (
            "Invalid 'messages[1].content': string too long.",
            "string_above_max_length",
        ),
        ("Expected `thinking` or `redacted_thinking`", ""),
    ] {
        let body = serde_json::json!({"error": {"message": message, "code": code}});
        let outcome = classify(400, None, body.to_string().as_bytes());
        assert_eq!(
            outcome,
            Outcome::RejectedRequest { status: 400 },
            "{message}"
        );
    }
}

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
#[test]
fn refusals_of_accounts_regions_and_models_are_known_by_the_words_of_each_provider() {
    let (key, quota, model) = ("unauthorized", "quota_exhausted", "model_unavailable");
    for (status, body, label) in [
        (
            400,
            r#"{"error":{"code":"Arrearage","param":null,"message":"Access denied, please make sure your account is in good standing.","type":"Arrearage"}}"#,
            quota,
        ),
        (
            403,
            r#"{"code":"AccessDenied.Unpurchased","message":"Access to model denied. Please make sure you are eligible for using the model.","request_id":"r"}"#,
            model,
        ),
        (
            429,
            r#"{"error":{"code":"insufficient_quota","message":"Allocated quota exceeded, please increase your quota limit.","type":"insufficient_quota"}}"#,
            "rate_limited",
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}]"#,
            key,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"API key expired. Please renew the API key.","status":"INVALID_ARGUMENT"}}"#,
            key,
        ),
        (
            403,
            r#"{"error":{"code":403,"message":"This API method requires billing to be enabled.","status":"PERMISSION_DENIED"}}"#,
            quota,
        ),
        (
            400,
            r#"{"error":{"message":"The model `llama2-70b` has been decommissioned and is no longer supported.","type":"invalid_request_error","code":"model_decommissioned"}}"#,
            model,
        ),
        (
            400,
            r#"{"error":{"message":"The model `x` requires terms acceptance.","type":"invalid_request_error","code":"model_terms_required"}}"#,
            model,
        ),
        (
            400,
            r#"{"error":{"message":"Organization has been restricted. Please reach out to support.","type":"invalid_request_error","code":"organization_restricted"}}"#,
            key,
        ),
        (
            400,
            r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#,
            model,
        ),
        (
            402,
            r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
            quota,
        ),
        (
            400,
            r#"{"object":"error","message":"Invalid model: mistral-x","type":"invalid_model","param":null,"code":"1500"}"#,
            model,
        ),
        (
            400,
            r#"{"error":{"message":"foo/bar is not a valid model ID","code":400}}"#,
            model,
        ),
        (
            404,
            r#"{"error":{"message":"No endpoints found matching your data policy.","code":404}}"#,
            model,
        ),
        (
            403,
            r#"{"error":{"message":"Key limit exceeded (total limit). Manage it using https://openrouter.ai","code":403}}"#,
            quota,
        ),
        (
            400,
            r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***st. You can obtain one at https://console.x.ai."}"#,
            key,
        ),
        (
            403,
            r#"{"code":"The caller does not have permission to execute the specified operation","error":"Your newly created teams doesn't have any credits yet."}"#,
            quota,
        ),
        (
            400,
            r#"{"error":{"message":"Unable to access non-serverless model x/y.","type":"invalid_request_error","param":null,"code":"model_not_available"}}"#,
            model,
        ),
        (
            429,
            r#"{"error":{"message":"Your account is suspended, please check your plan and billing details","type":"exceeded_current_quota_error"}}"#,
            quota,
        ),
        (
            429,
            r#"{"error":{"message":"The engine is currently overloaded","type":"engine_overloaded_error"}}"#,
            "overloaded",
        ),
        (
            401,
            r#"{"error":{"code":"invalid_model","message":"No permission to use the model","type":"invalid_request_error"}}"#,
            model,
        ),
        (
            400,
            r#"{"error":{"code":"invalid_model","message":"model is empty","type":"invalid_request_error"}}"#,
            "rejected",
        ),
        (
            403,
            r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","type":"request_forbidden"}}"#,
            key,
        ),
        (
            400,
            r#"{"error":{"message":"Your organization must be verified to stream this model.","type":"invalid_request_error","param":"stream","code":"unsupported_value"}}"#,
            model,
        ),
        (
            429,
            r#"{"error":{"message":"Your account is not active, please check your billing details on our website.","type":"billing_not_active","code":"billing_not_active"}}"#,
            quota,
        ),
        (
            403,
            r#"{"error":{"message":"The OpenAI account associated with this API key has been deactivated.","type":"invalid_request_error","code":"account_deactivated"}}"#,
            key,
        ),
        (
            412,
            r#"{"error":{"object":"error","message":"Account x is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices.","code":"PRECONDITION_FAILED"}}"#,
            quota,
        ),
        (
            403,
            r#"{"error":{"code":"AccountOverdueError","message":"The request failed because your account has an overdue balance.","type":"Forbidden"}}"#,
            quota,
        ),
        (
            404,
            r#"{"error":{"code":"ModelNotOpen","message":"Your account has not activated the model.","type":"NotFound"}}"#,
            model,
        ),
        (
            400,
            r#"{"code":20012,"message":"Model does not exist. Please check it carefully.","data":null}"#,
            model,
        ),
        (
            403,
            r#"{"code":30001,"message":"Sorry, your account balance is insufficient","data":null}"#,
            quota,
        ),
        (
            429,
            r#"{"error":{"code":"1113","message":"no balance"}}"#,
            quota,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"This organization has been disabled."}}"#,
            key,
        ),
        (
            400,
            r#"{"message":"The provided model identifier is invalid."}"#,
            model,
        ),
        (
            429,
            r#"{"message":"Too many tokens per day, please wait before trying again."}"#,
            quota,
        ),
        (
            500,
            r#"{"error":{"code":"insufficient_quota","message":"m"}}"#,
            quota,
        ),
        (
            400,
            r#"{"error":{"code":"data_inspection_failed","message":"m"}}"#,
            "content_refused",
        ),
        (
            400,
            r#"{"error":{"type":"internal_server_error","message":"m"}}"#,
            "server_error",
        ),
    ] {
        assert_eq!(
            classify(status, None, body.as_bytes()).label(),
            label,
            "{status} {body}"
        );
    }
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
        assert_eq!(super::classify(&reply).label(), label, "{model:?} {body}");
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
        assert_eq!(super::classify(&reply).label(), label, "{status} {body}");
        assert_eq!(
            reply.ruled().is_some(),
            label != "foreign_error" && status != 422
        );
    }
}

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
        match super::classify(&reply) {
            Outcome::RateLimited { retry_after } => retry_after.map(|wait| wait.as_secs()),
            other => panic!("{other}"),
        }
    };
    assert_eq!(seconds(Some(3), Some(60), &words[..]), Some(3));
    assert_eq!(seconds(None, Some(60), &words[..]), Some(26));
    assert_eq!(seconds(None, Some(60), b"{}"), Some(60));
    assert_eq!(seconds(None, None, b""), None);
}
