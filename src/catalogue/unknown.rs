//! Which models a provider cannot have, by their names.

use super::api::{Dialect, Serves};
use super::name::{has, strip};
use super::provider::Provider;

/// Makers that give their weights to nobody but clouds and routers, which are [`Serves::Any`].
const CLOSED: [&str; 4] = ["openai", "anthropic", "gemini", "xai"];

/// Why a provider cannot know a model by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It is a model of this one.
    Others(Provider),
    /// Only routers put a vendor in front.
    Vendor,
    /// No model has such a name.
    Alias,
}

impl Provider {
    /// Why it cannot know a model by this name; `None`: it may. A `*` at the end stands for any ending.
    pub fn cannot_know(self, name: &str) -> Option<Unknown> {
        if self.serves() == Serves::Any {
            return None;
        }
        let name = name.strip_prefix("models/").unwrap_or(name);
        match (owner(name), self.serves()) {
            (_, Serves::Any) => None,
            (Some(owner), Serves::Own) if owner == self => {
                name.contains('/').then_some(Unknown::Vendor)
            }
            (Some(owner), Serves::Own) => Some(Unknown::Others(owner)),
            (Some(owner), Serves::Open) if owner == self => None,
            (Some(owner), Serves::Open) => {
                let is_closed = CLOSED.contains(&owner.name());
                is_closed.then_some(Unknown::Others(owner))
            }
            (None, Serves::Own) => self.is_alias(name).then_some(Unknown::Alias),
            (None, Serves::Open) => None,
        }
    }

    /// Whether it serves nothing but its own models.
    pub fn serves_own_alone(self) -> bool {
        self.serves() == Serves::Own
    }

    /// All models of Anthropic have a word in common; those of others have at least a number or a hyphen.
    fn is_alias(self, name: &str) -> bool {
        if name.ends_with('*') {
            return false;
        }
        if self.dialect() == Dialect::Anthropic {
            return !has(name, "claude");
        }
        name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
    }
}

/// The provider whose families a name, or all names that begin like it, belong to.
fn owner(name: &str) -> Option<Provider> {
    let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
    let (name, is_pattern) = match name.strip_suffix('*') {
        Some(beginning) => (beginning, true),
        None => (name, false),
    };
    // Open weights, in spite of the family.
    if strip(name, "gpt-oss").is_some() {
        return None;
    }
    let is_of = |family: &str| {
        let stem = family.trim_end_matches('*');
        // `claude*` means `claude-*`.
        let is_meant = is_pattern && name.len() >= 3 && strip(stem, name).is_some();
        is_meant || strip(name, stem).is_some()
    };
    Provider::all().find(|provider| provider.families().iter().any(|family| is_of(family)))
}

#[cfg(test)]
mod tests {
    use super::Unknown;
    use crate::catalogue::Provider;

    fn provider(name: &str) -> Provider {
        Provider::all().find(|one| one.name() == name).unwrap()
    }

    #[test]
    fn a_provider_cannot_know_what_another_keeps_to_itself() {
        for (at, name, owner) in [
            ("anthropic", "gpt-4o", "openai"),
            ("anthropic", "o3-mini", "openai"),
            ("anthropic", "gpt-4*", "openai"),
            ("openai", "claude-sonnet-5", "anthropic"),
            ("openai", "Claude-*", "anthropic"),
            ("openai", "claude*", "anthropic"),
            ("gemini", "ernie-5.0", "ernie"),
            ("groq", "gemini-3.8-flash", "gemini"),
            ("ernie", "gpt-6-luna", "openai"),
            ("openai", "anthropic/claude-opus-5", "anthropic"),
        ] {
            let unknown = Some(Unknown::Others(provider(owner)));
            assert_eq!(provider(at).cannot_know(name), unknown, "{name} at {at}");
        }
        assert_eq!(
            provider("openai").cannot_know("openai/gpt-4o"),
            Some(Unknown::Vendor)
        );
        assert_eq!(
            provider("openai").cannot_know("smart"),
            Some(Unknown::Alias)
        );
        assert_eq!(
            provider("anthropic").cannot_know("my-model-1"),
            Some(Unknown::Alias)
        );
    }

    #[test]
    fn nothing_is_held_against_what_a_provider_may_have() {
        for (at, name) in [
            ("openai", "gpt-4o"),
            ("openai", "text-embedding-3-small"),
            ("openai", "ft:gpt-4o-mini:acme::abc"),
            ("openai", "gpt-oss-120b"),
            ("openai", "*"),
            ("anthropic", "claude-sonnet-5-5"),
            ("gemini", "models/gemini-3.8-flash"),
            ("groq", "openai/gpt-oss-120b"),
            ("ernie", "deepseek-v3.1"),
            ("qwen", "kimi-k3"),
            ("openrouter", "anthropic/claude-opus-5"),
            ("azure", "smart"),
            ("ollama", "gpt-4o"),
            ("openai-compatible", "claude-sonnet-5"),
        ] {
            assert_eq!(provider(at).cannot_know(name), None, "{name} at {at}");
        }
    }
}
