//! A table of the models behind a pattern such as `*`, by the names that clients ask for.

use std::sync::{LazyLock, OnceLock};

use crate::wire::mix::number_with;

/// How many names one pattern may keep apart. Clients choose the names, so there must be a limit.
const SLOTS: usize = 1024;
/// How many slots a name may have: the first that is free is its own for good.
const TRIES: usize = 8;
/// The longest name that is kept apart, in bytes.
const LONGEST: usize = 128;

/// Names are told apart by a number that clients cannot know.
static SEED: LazyLock<u64> = LazyLock::new(|| fastrand::u64(..));

/// What belongs to each name. Looking it up takes no lock and allocates nothing.
#[derive(Debug)]
pub(super) struct Names<T> {
    /// There are none until the first name is asked for.
    slots: OnceLock<Box<[OnceLock<Named<T>>]>>,
}

#[derive(Debug)]
struct Named<T> {
    name: Box<str>,
    its: T,
}

impl<T> Names<T> {
    pub(super) fn new() -> Self {
        Self {
            slots: OnceLock::new(),
        }
    }

    /// What belongs to a name, which is `new` for a new name; `None` if there is no room for it.
    pub(super) fn get(&self, name: &str, new: impl Fn() -> T) -> Option<&T> {
        if name.is_empty() || name.len() > LONGEST {
            return None;
        }
        let first = number_with(*SEED, name.as_bytes()) as usize % SLOTS;
        let slots = self
            .slots
            .get_or_init(|| (0..SLOTS).map(|_| OnceLock::new()).collect());
        // Usually it is there, and was the first to come.
        if let Some(named) = slots[first].get()
            && *named.name == *name
        {
            return Some(&named.its);
        }
        let mut its_slots = slots[first..].iter().chain(slots).take(TRIES);
        its_slots.find_map(|slot| {
            let named = slot.get_or_init(|| Named {
                name: name.into(),
                its: new(),
            });
            (*named.name == *name).then_some(&named.its)
        })
    }

    /// What belongs to all names that have been asked for.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.each().map(|(_, its)| its)
    }

    /// All names that have been asked for, each with what belongs to it.
    pub(super) fn each(&self) -> impl Iterator<Item = (&str, &T)> {
        let slots = self.slots.get().into_iter().flatten();
        let named = slots.filter_map(OnceLock::get);
        named.map(|named| (&*named.name, &named.its))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::{LONGEST, SLOTS};
    use crate::config::UpstreamId;
    use crate::health::Health;

    #[test]
    fn each_name_behind_a_pattern_has_health_of_its_own_which_lasts() {
        let health = Health::new(Instant::now());
        let model = |label: &str| health.model(&UpstreamId::from("a"), &Arc::from(label), 1);
        let (all, one) = (model("gpt-*"), model("gpt-4o"));
        assert!(!Arc::ptr_eq(all.of_name("gpt-1"), all.of_name("gpt-2")));
        assert!(Arc::ptr_eq(all.of_name("gpt-1"), all.of_name("gpt-1")));
        assert_eq!(all.of_name("gpt-1").id(), all.id());
        assert!(Arc::ptr_eq(one.of_name("gpt-1"), &one));
        assert!(Arc::ptr_eq(all.of_name(""), &all));
        let longest = "x".repeat(LONGEST);
        assert!(!Arc::ptr_eq(all.of_name(&longest), &all));
        assert!(Arc::ptr_eq(all.of_name(&(longest + "x")), &all));
        // A configuration that is read again finds what is known.
        assert!(Arc::ptr_eq(
            model("gpt-*").of_name("gpt-1"),
            all.of_name("gpt-1")
        ));
    }

    #[test]
    fn names_without_end_share_one_health_in_the_end() {
        let health = Health::new(Instant::now());
        let all = health.model(&UpstreamId::from("a"), &Arc::from("*"), 1);
        let known = Arc::clone(all.of_name("known"));
        for number in 0..20 * SLOTS {
            all.of_name(&format!("model-{number}"));
        }
        assert!(all.family().count() <= SLOTS + 1);
        assert!(Arc::ptr_eq(all.of_name("known"), &known));
        assert!(Arc::ptr_eq(all.of_name("one more"), &all));
        assert!(Arc::ptr_eq(all.of_name(&"x".repeat(10_000)), &all));
    }
}
