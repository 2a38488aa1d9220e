//! Finds what is known of a model by its name: rules before the table.

use std::cell::RefCell;

use super::effort::EffortLevels;
use super::facts::{Facts, InChats, Sampling};
use super::models::{self, Model};
use super::{claude, gpt, name, thinkers};

/// What is known of a model by its name, whatever its case, with or without a vendor in front (`openai/o3`).
pub fn facts(name: &str) -> Facts {
    FACTS.with_borrow_mut(|latest| latest.find(name, look_up))
}

/// What is known of a model that Anthropic's API serves: a Claude of no known generation stands for the newest. Others copy the
/// API for models of their own, whose names do not show what they take: they take what is old.
pub fn claude_facts(name: &str) -> Facts {
    CLAUDE_FACTS.with_borrow_mut(|latest| latest.find(name, look_up_claude))
}

thread_local! {
    static FACTS: RefCell<Latest> = RefCell::default();
    static CLAUDE_FACTS: RefCell<Latest> = RefCell::default();
}

/// The names that were looked up last, with what is known of them: every request asks several times for the same few.
#[derive(Default)]
struct Latest {
    /// A name has one place; another one may take it.
    places: [Option<(Box<str>, Facts)>; PLACES],
}

const PLACES: usize = 32;
/// What is longer is hardly a name, and is not kept.
const LONGEST: usize = 100;

impl Latest {
    fn find(&mut self, name: &str, look_up: impl FnOnce(&str) -> Facts) -> Facts {
        if name.len() > LONGEST {
            return look_up(name);
        }
        let place = &mut self.places[place_of(name)];
        if let Some((kept, facts)) = place
            && **kept == *name
        {
            return *facts;
        }
        let facts = look_up(name);
        *place = Some((name.into(), facts));
        facts
    }
}

/// The upper bits of an FNV-1 hash.
fn place_of(name: &str) -> usize {
    let mix = |hash: u32, byte: u8| hash.wrapping_mul(0x0100_0193) ^ u32::from(byte);
    let hash = name.bytes().fold(0x811c_9dc5, mix);
    hash.wrapping_mul(0x0100_0193) as usize >> 16 & (PLACES - 1)
}

fn look_up(name: &str) -> Facts {
    known(name).unwrap_or_else(|| variant(name, Facts::UNKNOWN))
}

fn look_up_claude(name: &str) -> Facts {
    if claude::is_claude(name) {
        return known(name).unwrap_or_else(|| variant(name, claude::facts(name)));
    }
    let own = look_up(name);
    Facts {
        context_window: own.context_window,
        max_output: own.max_output,
        missing: own.missing,
        retires: own.retires,
        thinks: own.thinks,
        ..claude::facts(OLD_CLAUDE)
    }
}

/// What all copies of Anthropic's API understand.
const OLD_CLAUDE: &str = "claude-opus-4-1";

/// `None`: neither the name nor its family is known.
fn known(name: &str) -> Option<Facts> {
    let found = name::beginnings(name).find_map(|name| {
        let model = models::find(name);
        let by_rule = gpt::facts(name)
            .or_else(|| name::strip(name, "claude").map(claude::facts))
            .or_else(|| thinkers::facts(name));
        let facts = by_rule.or_else(|| model.map(|_| Facts::UNKNOWN))?;
        Some(model.map_or(facts, |model| with(facts, model)))
    });
    // Some put a word of theirs in front: `databricks-claude-sonnet-4-5`.
    let found = found.or_else(|| Some(claude::facts(&name[name.find("claude")?..])));
    found.map(|facts| variant(name, facts))
}

fn with(facts: Facts, model: &Model) -> Facts {
    Facts {
        context_window: model.context_window,
        max_output: model.max_output,
        missing: model.missing,
        retires: model.retires,
        efforts: match model.efforts.is_known() {
            true => model.efforts,
            false => facts.efforts,
        },
        ..facts
    }
}

/// What the rest of the name says: whether this variant thinks, and its window.
fn variant(name: &str, facts: Facts) -> Facts {
    let facts = Facts {
        context_window: facts.context_window.or_else(|| window_in(name)),
        ..facts
    };
    if facts.thinks && thinkers::is_unthinking(name) {
        return Facts {
            thinks: false,
            efforts: EffortLevels::UNKNOWN,
            sampling: Sampling::Always,
            in_chats: InChats::All,
            ..facts
        };
    }
    Facts {
        thinks: facts.thinks || thinkers::is_thinking(name),
        ..facts
    }
}

/// Some names contain the window: `ernie-4.5-turbo-128k`, `moonshot-v1-8k`.
fn window_in(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(['k', 'K'])?.rsplit('-').next()?;
    digits.parse::<u32>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{claude_facts, facts};
    use crate::catalogue::{Ability, Facts, InChats, Level, Sampling, Thinking, Unthinking};

    /// Models that think.
    const THINKERS: &str = "o3 o4-mini gpt-5.2 gpt-5.1-codex-max gpt-6-luna gpt-6.2-astra openai/gpt-7 codex-mini-latest \
         openai/o1 openai.gpt-oss-120b-1:0 deepseek-r1:8b deepseek-ai/DeepSeek-R1 us.deepseek.r1-v1:0 \
         deepseek-reasoner deepseek-flash qwen3-thinking-2507 qwen3:8b qwen3.8-max Qwen/QwQ-32B \
         magistral-medium-2509 gemini-2.5-flash gemini-4-argon google/gemini-3-pro-preview \
         grok-4-fast-reasoning grok-4.20-multi-agent grok-3-mini kimi-thinking-preview kimi-k2-thinking \
         kimi-k3 z-ai/glm-4.6 MiniMax-M2.7 claude-opus-4-thinking claude-opus-5 claude-fable-5-1 \
         databricks-claude-sonnet-5-5";
    /// Models that do not, or of which nobody knows.
    const OTHERS: &str = "gpt-4o gpt-4.1-mini gpt-35-turbo gpt-image-1 gpt-5-chat-latest o3x omni deepseek-chat deepseek-v3.1 \
         llama-3.3 grok-4-fast-non-reasoning grok-3 kimi-k2 glm-4-32b-0414 Qwen3-Coder-480B \
         qwen3-235b-a22b-instruct-2507 qwen-plus claude-sonnet-4-5 gemini-2.0-flash";

    #[test]
    fn models_that_think_are_known_by_their_names() {
        for name in THINKERS.split(' ') {
            assert!(facts(name).thinks, "{name}");
        }
        for name in OTHERS.split(' ').chain([""]) {
            assert!(!facts(name).thinks, "{name}");
        }
    }

    #[test]
    fn a_name_asked_for_again_is_known_as_before() {
        let names: Vec<&str> = THINKERS.split(' ').chain(OTHERS.split(' ')).collect();
        let first: Vec<Facts> = names.iter().map(|name| facts(name)).collect();
        for _ in 0..2 {
            for (name, first) in names.iter().zip(&first) {
                assert_eq!(facts(name), *first, "{name}");
                assert_eq!(facts(name), super::look_up(name), "{name}");
                let again = claude_facts(name);
                assert_eq!(again, super::look_up_claude(name), "{name}");
            }
        }
    }

    #[test]
    fn windows_are_read_off_the_table_or_the_name() {
        for (name, window) in [
            ("gpt-4o-2024-08-06", Some(128_000)),
            ("openai/gpt-4", Some(8192)),
            ("gpt-4.5-preview", None),
            ("gpt-4.1-mini", Some(1_047_576)),
            ("gpt-6.1-sol", Some(1_050_000)),
            ("ernie-4.5-turbo-128k", Some(131_072)),
            ("moonshot-v1-8k", Some(8192)),
            ("meta-llama/Llama-3.3-70B-Instruct-Turbo", Some(131_072)),
            ("meta.llama3-3-70b-instruct-v1:0", Some(131_072)),
            ("llama3.1:8b", Some(131_072)),
            ("claude-sonnet-5", Some(1_000_000)),
            ("claude-sonnet-4-5", None),
            ("unheard-of", None),
        ] {
            assert_eq!(facts(name).context_window, window, "{name}");
        }
    }

    #[test]
    fn the_largest_answer_is_known_by_the_family() {
        for (name, largest) in [
            ("gpt-4o-mini", Some(16_384)),
            ("claude-opus-4-1-20250805", Some(32_000)),
            ("claude-opus-4-6", None),
            ("claude-sonnet-4-5", Some(64_000)),
            ("ernie-4.5-turbo-128k", Some(12_288)),
            ("unheard-of", None),
        ] {
            assert_eq!(facts(name).max_output, largest, "{name}");
        }
    }

    #[test]
    fn what_a_model_lacks_is_known_by_its_family() {
        let missing = |name, ability| facts(name).missing.contains(ability);
        assert!(missing("gpt-3.5-turbo", Ability::Vision));
        assert!(!missing("gpt-4o", Ability::Vision));
        assert!(missing("ernie-4.5-turbo-128k", Ability::Vision));
        assert!(!missing("ernie-4.5-turbo-vl-32k", Ability::Vision));
        assert!(!missing("ernie-5.0", Ability::Vision));
        assert!(!missing("deepseek-flash", Ability::Vision));
        assert!(missing("deepseek-chat", Ability::JsonSchema));
        assert!(Ability::ALL.iter().all(|ability| !missing("x", *ability)));
    }

    #[test]
    fn what_openais_models_take_in_chats_follows_from_the_generation() {
        for (name, in_chats, sampling) in [
            ("gpt-4o", InChats::All, Sampling::Always),
            ("o3", InChats::All, Sampling::Never),
            ("o3-pro", InChats::Nothing, Sampling::Never),
            ("gpt-5", InChats::All, Sampling::Never),
            ("gpt-5.1", InChats::All, Sampling::Unthinking),
            (
                "gpt-5.4-nano",
                InChats::ToolsUnthinking,
                Sampling::Unthinking,
            ),
            ("gpt-5.6-sol", InChats::ToolsUnthinking, Sampling::Never),
            ("gpt-5.10", InChats::ToolsUnthinking, Sampling::Never),
            ("gpt-5.3-codex", InChats::Nothing, Sampling::Never),
            (
                "openai/gpt-6-sol",
                InChats::ToolsUnthinking,
                Sampling::Never,
            ),
            (
                "gpt-6-luna-2026-09-22",
                InChats::ToolsUnthinking,
                Sampling::Never,
            ),
            ("gpt-6-astra", InChats::NoTools, Sampling::Never),
            ("gpt-6.1-sol", InChats::NoTools, Sampling::Never),
            ("gpt-6.2-astra", InChats::NoTools, Sampling::Never),
            ("gpt-5-chat-latest", InChats::All, Sampling::Always),
            ("gpt-oss-120b", InChats::All, Sampling::Always),
        ] {
            let facts = facts(name);
            assert_eq!(
                (facts.in_chats, facts.sampling),
                (in_chats, sampling),
                "{name}"
            );
        }
    }

    #[test]
    fn efforts_are_named_as_far_as_they_are_known() {
        for (name, levels) in [
            ("gpt-4o", ""),
            ("gpt-5-chat-latest", ""),
            ("o1-mini", ""),
            ("o4-mini", "low medium high"),
            ("gpt-5-mini", "minimal low medium high"),
            ("gpt-5-pro", "high"),
            ("gpt-5.1", "none low medium high"),
            ("gpt-5.6", "none low medium high xhigh"),
            ("gpt-6-luna", "none low medium high xhigh max"),
            ("gpt-6.2-sol", "low medium high xhigh max"),
            ("gemini-3-pro", "low medium high"),
            ("mistral-small-latest", "none high"),
            ("deepseek-r1", ""),
            ("claude-haiku-4-5", ""),
            ("claude-sonnet-4-5-20250929", ""),
            ("claude-opus-4-1", ""),
            ("claude-opus-4-5", "low medium high"),
            ("claude-sonnet-4-6", "low medium high max"),
            ("claude-opus-4-7", "low medium high xhigh max"),
        ] {
            let found: Vec<_> = facts(name).efforts.iter().collect();
            assert_eq!(found.join(" "), levels, "{name}");
        }
        assert!(facts("gpt-5.1").efforts.contains(Level::None));
    }

    #[test]
    fn how_claude_models_think_follows_from_the_generation() {
        for (name, thinking, unthinking) in [
            (
                "claude-3-5-haiku-latest",
                Thinking::Never,
                Unthinking::Disabled,
            ),
            ("claude-sonnet-4-5", Thinking::Budget, Unthinking::Disabled),
            ("claude-opus-4-6", Thinking::Adaptive, Unthinking::Disabled),
            ("claude-opus-5", Thinking::Adaptive, Unthinking::Disabled),
            ("claude-fable-5", Thinking::Adaptive, Unthinking::Disabled),
            ("claude-fable-5-1", Thinking::Adaptive, Unthinking::Never),
            (
                "claude-mythos-preview",
                Thinking::Adaptive,
                Unthinking::Never,
            ),
            ("claude-opus-5-5", Thinking::Adaptive, Unthinking::Never),
            (
                "claude-sonnet-5-5",
                Thinking::Adaptive,
                Unthinking::BetweenTools,
            ),
            ("claude-haiku-5-5", Thinking::Adaptive, Unthinking::Disabled),
        ] {
            let facts = facts(name);
            assert_eq!(
                (facts.thinking, facts.unthinking),
                (thinking, unthinking),
                "{name}"
            );
            let is_free = facts.unthinking == Unthinking::Disabled;
            assert_eq!(facts.takes_forced_tools, is_free, "{name}");
        }
    }

    #[test]
    fn what_claude_models_take_follows_from_the_generation() {
        let of = |name: &str| {
            let facts = facts(name);
            let takes = [
                ("both", facts.takes_both),
                ("sampling", facts.sampling == Sampling::Always),
                ("budget", facts.takes_budget),
                ("prefill", facts.takes_prefill),
                ("schema", facts.takes_schema),
                ("system", facts.takes_system_amid),
            ];
            let taken = takes
                .into_iter()
                .filter_map(|(what, is_so)| is_so.then_some(what));
            taken.collect::<Vec<_>>().join(" ")
        };
        for (name, taken) in [
            ("claude-3-5-haiku-latest", "both sampling prefill"),
            ("claude-sonnet-4-0", "both sampling budget prefill"),
            (
                "us.anthropic.claude-opus-4-1-v1:0",
                "sampling budget prefill",
            ),
            ("claude-sonnet-4-5", "sampling budget prefill schema"),
            ("databricks-claude-opus-4-6", "sampling budget schema"),
            ("claude-opus-4-7", "schema"),
            ("claude-opus-4-8", "schema system"),
            ("anthropic/claude-sonnet-5", "schema"),
            ("claude-sonnet-5-5", "schema system"),
        ] {
            assert_eq!(of(name), taken, "{name}");
        }
    }

    #[test]
    fn only_anthropics_api_takes_unknown_names_for_claude() {
        assert_eq!(facts("unheard-of"), Facts::UNKNOWN);
        assert!(
            claude_facts("unheard-of").takes_prefill && !claude_facts("unheard-of").takes_schema
        );
        assert!(
            claude_facts("deepseek-flash").thinks
                && claude_facts("deepseek-flash").takes_forced_tools
        );
    }

    #[test]
    fn retirements_are_those_of_the_variant() {
        for (name, retires) in [
            ("gpt-4o-mini", Some(date(2027, 1, 14))),
            ("gpt-4o-2024-05-13", Some(date(2026, 10, 23))),
            ("gpt-6-luna", None),
            ("gemini-2.5-flash", Some(date(2026, 12, 1))),
            ("gemini-2.5-flash-lite", None),
            ("llama-3.3-70b-versatile", Some(date(2026, 8, 16))),
            (
                "meta-llama/Llama-3.3-70B-Instruct-Turbo",
                Some(date(2026, 10, 22)),
            ),
            ("llama-3.3-70b", None),
        ] {
            assert_eq!(facts(name).retires, retires, "{name}");
        }
    }
}
