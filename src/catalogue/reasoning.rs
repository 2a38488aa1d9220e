//! Which models think before they speak, by their names.

use std::iter;

/// Beginnings of the names of models that think unless they are told not to; what may follow is a version or a size.
/// As of 2026; a missing line costs a timeout that is too short for a silent model, a wrong one a failover that is late.
const FAMILIES: [&str; 31] = [
    "o1",
    "o3",
    "o4",
    "gpt-5",
    "gpt-6",
    "gpt-oss",
    "codex",
    "deepseek-reasoner",
    "deepseek-r1",
    "deepseek-v4",
    "r1",
    "qwq",
    "qvq",
    "qwen3",
    "qwen3.5",
    "magistral",
    "gemini-2.5",
    "gemini-3",
    "gemini-3.5",
    "grok-3-mini",
    "grok-4",
    "kimi-k2.5",
    "kimi-k2.6",
    "glm-4.5",
    "glm-4.6",
    "glm-4.7",
    "glm-5",
    "glm-z1",
    "minimax-m1",
    "minimax-m2",
    "ernie-x1",
];

/// Parts of names of variants that think, whatever their family.
const THINKING: [&str; 3] = ["-thinking", "-reasoning", "-reasoner"];
/// Parts of names of variants that do not think, although their family does.
const UNTHINKING: [&str; 5] = ["-chat", "-instruct", "-coder", "-non-reasoning", "-nothink"];

/// Whether a model is a reasoning model, by its name.
pub fn is_reasoning_model(name: &str) -> bool {
    let has = |part: &&str| find(name, part).is_some();
    if UNTHINKING.iter().any(has) {
        return false;
    }
    let is_of_family = |name: &str| FAMILIES.iter().any(|family| begins(name, family));
    beginnings(name).any(is_of_family) || THINKING.iter().any(has)
}

/// Whether a model is one of `OpenAI`'s o-series, by its name.
pub fn is_o_model(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    ["o1", "o3", "o4"]
        .iter()
        .any(|family| name.starts_with(family))
}

/// Whether a model calls tools in a chat only without reasoning: `OpenAI`'s since gpt-5.4.
pub fn calls_tools_unthinking(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    let minor = name.strip_prefix("gpt-5.").and_then(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_digit());
        rest[..end.unwrap_or(rest.len())].parse::<u32>().ok()
    });
    minor.is_some_and(|minor| minor >= 4)
}

/// Where the name of a family may begin: behind the vendor that routers put in front (`openai/o3`,
/// `deepseek.r1-v1:0`).
fn beginnings(name: &str) -> impl Iterator<Item = &str> {
    let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
    let without_vendors = name.match_indices('.').map(|(dot, _)| &name[dot + 1..]);
    iter::once(name).chain(without_vendors)
}

/// Whether a name begins with a family's, whatever its case.
fn begins(name: &str, family: &str) -> bool {
    let Some((start, rest)) = name.split_at_checked(family.len()) else {
        return false;
    };
    let is_end = rest.is_empty() || rest.starts_with(['-', '.', ':', '@', '_']);
    is_end && start.eq_ignore_ascii_case(family)
}

/// Where a part begins, whatever its case.
fn find(name: &str, part: &str) -> Option<usize> {
    let mut windows = name.as_bytes().windows(part.len());
    windows.position(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::is_reasoning_model;

    #[test]
    fn models_that_think_are_known_by_their_names() {
        for name in [
            "o3",
            "o4-mini",
            "gpt-5.2",
            "gpt-5.1-codex-max",
            "codex-mini-latest",
            "openai/o1",
            "openai.gpt-oss-120b-1:0",
            "deepseek-r1:8b",
            "deepseek-ai/DeepSeek-R1",
            "us.deepseek.r1-v1:0",
            "deepseek-reasoner",
            "qwen3-thinking-2507",
            "qwen3:8b",
            "Qwen/QwQ-32B",
            "magistral-medium-2509",
            "gemini-2.5-flash",
            "google/gemini-3-pro-preview",
            "grok-4-fast-reasoning",
            "grok-3-mini",
            "kimi-thinking-preview",
            "kimi-k2-thinking",
            "z-ai/glm-4.6",
            "claude-opus-4-thinking",
        ] {
            assert!(is_reasoning_model(name), "{name}");
        }
        for name in [
            "gpt-4o",
            "gpt-5-chat-latest",
            "o3x",
            "omni",
            "deepseek-chat",
            "llama-3.3",
            "grok-4-fast-non-reasoning",
            "grok-3",
            "Qwen3-Coder-480B",
            "qwen3-235b-a22b-instruct-2507",
            "claude-sonnet-4-5",
            "gemini-2.0-flash",
            "",
        ] {
            assert!(!is_reasoning_model(name), "{name}");
        }
    }
}
