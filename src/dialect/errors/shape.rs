//! Errors in the shape that OpenAI's clients read.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::{Value, json};

use super::fields::ErrorFields;
use super::known::{self, TOO_LONG};

/// An error body that `OpenAI`'s SDKs can read: `error` is an object, `message` and `type` are texts, `code` is a
/// text or null. A body in this shape stays as it is, unless it says what is too long without a code, upon which agents shorten their
/// conversation; for any other, `error.upstream` has the original.
///
/// With other shapes they show no reason at all (openai-node: "status code (no body)"), or fail to parse the error
/// (async-openai accepts no number as a code).
pub fn shaped(status: u16, body: Bytes) -> Bytes {
    let parsed: Option<Value> = serde_json::from_slice(&body).ok();
    let fields = ErrorFields::read(&body);
    let is_too_long = known::says_too_long(&fields);
    let stays = |error: &Value| is_fine(error) && !(is_too_long && error["code"].is_null());
    if parsed
        .as_ref()
        .is_some_and(|parsed| stays(&parsed["error"]))
    {
        return body;
    }
    let or_null = |text: &str| match text {
        "" => Value::Null,
        text => text.into(),
    };
    let is_number = fields.code.bytes().all(|byte| byte.is_ascii_digit());
    let code = match is_too_long {
        true => TOO_LONG.into(),
        false if is_number => Value::Null,
        false => or_null(&fields.code),
    };
    let message = match fields.message.as_str() {
        "" => Cow::Owned(format!("the upstream answered {status} and gave no reason")),
        message => Cow::Borrowed(message),
    };
    let kind = match fields.kind.as_str() {
        "" if status < 500 => "invalid_request_error",
        "" => "server_error",
        kind => kind,
    };
    let mut error = json!({
        "message": message,
        "type": kind,
        "param": null,
        "code": code,
    });
    if let Some(original) = parsed {
        error["upstream"] = original;
    }
    json!({ "error": error }).to_string().into()
}

/// The error body for an error event of `OpenAI`'s: the error is an object in it (chats), at its top level, or in the
/// response.
pub fn error_of_event(data: Bytes) -> Bytes {
    let event: Value = serde_json::from_slice(&data).unwrap_or_default();
    let inner = &event["response"]["error"];
    match (event["error"].is_object(), inner.is_object()) {
        (true, _) => data,
        (_, true) => json!({ "error": inner }).to_string().into(),
        _ => json!({ "error": event }).to_string().into(),
    }
}

fn is_fine(error: &Value) -> bool {
    error["message"].is_string()
        && error["type"].is_string()
        && (error["code"].is_string() || error["code"].is_null())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::shaped;

    fn shape(body: &'static str) -> Value {
        serde_json::from_slice(&shaped(400, Bytes::from_static(body.as_bytes()))).unwrap()
    }

    #[test]
    fn what_clients_can_read_is_not_touched() {
        let body = r#"{ "error" : {"message":"m","type":"t","code":null,"new":1} }"#;
        assert_eq!(shaped(400, Bytes::from_static(body.as_bytes())), body);
    }

    #[test]
    fn every_other_shape_is_turned_into_it() {
        for (body, message, kind, code) in [
            (
                r#"[{"error":{"code":400,"message":"Bad","status":"INVALID_ARGUMENT"}}]"#,
                "Bad",
                "invalid_request_error",
                Value::Null,
            ),
            (
                r#"{"error":{"message":"m","type":"BadRequestError","code":400}}"#,
                "m",
                "BadRequestError",
                Value::Null,
            ),
            (
                r#"{"object":"error","message":"m","type":"t","code":"c"}"#,
                "m",
                "t",
                json!("c"),
            ),
            (
                r#"{"error":{"message":"This model's maximum prompt length is 9.","type":"t","code":null}}"#,
                "This model's maximum prompt length is 9.",
                "t",
                json!("context_length_exceeded"),
            ),
            (
                r#"{"error":"model is loading"}"#,
                "model is loading",
                "invalid_request_error",
                Value::Null,
            ),
            (
                "<html>",
                "the upstream answered 400 and gave no reason",
                "invalid_request_error",
                Value::Null,
            ),
        ] {
            let error = &shape(body)["error"];
            assert_eq!(error["message"], message, "{body}");
            assert_eq!(error["type"], kind, "{body}");
            assert_eq!(error["code"], code, "{body}");
            assert_eq!(
                error["upstream"],
                serde_json::from_str::<Value>(body).unwrap_or_default(),
                "{body}"
            );
        }
    }
}
