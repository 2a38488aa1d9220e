//! What `OpenAI`'s models take, by their generations: `gpt-5.4-mini`, `o3-pro`, `gpt-6.1-sol`.

use super::effort::{EffortLevels, Level};
use super::facts::{Facts, InChats, Sampling};
use super::name::{Version, has, is_variant, strip, version};

/// Models that `/responses` alone takes: `This model is only supported in v1/responses and not in v1/chat/completions`.
const BY_RESPONSES: [&str; 3] = ["-pro", "-codex", "-deep-research"];

/// What is known of one of `OpenAI`'s models that think; `None`: it is none of them.
pub(super) fn facts(name: &str) -> Option<Facts> {
    let facts = match strip(name, "gpt-").and_then(version) {
        Some(generation) => of_gpt(name, generation)?,
        None => of_o_series(name)?,
    };
    let is_by_responses = BY_RESPONSES.iter().any(|part| has(name, part));
    Some(Facts {
        thinks: true,
        in_chats: match is_by_responses {
            true => InChats::Nothing,
            false => facts.in_chats,
        },
        ..facts
    })
}

/// `gpt-N` thinks from 5 on. `gpt-35` is Azure's name for 3.5.
fn of_gpt(name: &str, generation: Version) -> Option<Facts> {
    if !((5, 0)..(30, 0)).contains(&generation) {
        return None;
    }
    let efforts = efforts(name, generation);
    Some(Facts {
        efforts,
        // Those from 5.1 to 5.4 think only if they are asked to.
        sampling: match generation {
            (5, 1..=4) if efforts.contains(Level::None) => Sampling::Unthinking,
            _ => Sampling::Never,
        },
        // From 5.4 on, tools and thoughts together want `/responses`.
        in_chats: match generation {
            generation if generation < (5, 4) => InChats::All,
            _ if efforts.contains(Level::None) => InChats::ToolsUnthinking,
            _ => InChats::NoTools,
        },
        ..Facts::UNKNOWN
    })
}

/// The levels came one by one, and the newest large models always think.
fn efforts(name: &str, generation: Version) -> EffortLevels {
    let is_pro = has(name, "-pro");
    let least = match generation {
        _ if is_pro && generation < (5, 2) => Level::High,
        _ if is_pro => Level::Medium,
        _ if has(name, "-codex") => Level::Low,
        (5, 0) => Level::Minimal,
        (6, 0) if has(name, "-astra") => Level::Low,
        (6, 1) if has(name, "-sol") => Level::Low,
        generation if generation >= (6, 2) => Level::Low,
        _ => Level::None,
    };
    let most = match generation {
        generation if generation >= (6, 0) => Level::Max,
        generation if generation >= (5, 2) => Level::Xhigh,
        _ => Level::High,
    };
    let levels = EffortLevels::from_to(least, most);
    // `minimal` was replaced by `none`.
    match generation {
        (5, 0) => levels,
        _ => levels.without(Level::Minimal),
    }
}

fn of_o_series(name: &str) -> Option<Facts> {
    let is_one = ["o1", "o3", "o4"].iter().any(|of| is_variant(name, of));
    let knows_no_effort = is_variant(name, "o1-mini") || is_variant(name, "o1-preview");
    is_one.then_some(Facts {
        efforts: match knows_no_effort {
            true => EffortLevels::UNKNOWN,
            false => EffortLevels::THREE,
        },
        sampling: Sampling::Never,
        takes_parallel_choice: false,
        ..Facts::UNKNOWN
    })
}
