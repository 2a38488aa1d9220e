//! Tools that the client has not asked for.

/// The tool whose input is the answer, for models that take no JSON schema.
pub(super) const ANSWER_TOOL: &str = "json_tool_call";

/// The name of the provider's own web search.
pub(super) const WEB_SEARCH: &str = "web_search";
