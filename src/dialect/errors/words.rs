//! Words that say more than codes do.

/// What a message says about a model by its name, if the model is not there.
pub(super) const MODEL_IS_GONE: [&str; 14] = [
    "not exist",
    "not found",
    "unknown model",
    "invalid model",
    "no such model",
    "decommissioned",
    "deprecated",
    "retired",
    "no longer",
    "not available",
    "does not have access",
    "don't have access",
    "no access",
    "end of life",
];

/// What gateways, firewalls and web frameworks say in JSON without knowing the API. Some are a mere status in words.
pub(super) const WORDS_OF_GATEWAYS: [&str; 15] = [
    "",
    "not found",
    "404 not found",
    "page not found",
    "404 page not found",
    "file not found",
    "resource not found",
    "forbidden",
    "403 forbidden",
    "bad request",
    "method not allowed",
    "request entity too large",
    "request blocked",
    "no route matched with those values",
    "missing authentication token",
];
