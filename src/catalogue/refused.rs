//! Fields of a chat request that some providers reject.

/// Every field that may be left out, in the order of the bits. All are hints: without one, the answer has the same shape.
const FIELDS: [&str; 30] = [
    "access_programs",
    "background_options",
    "frequency_penalty",
    "logit_bias",
    "metadata",
    "modalities",
    "moderation",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_breakpoint",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream_options",
    "temperature",
    "thinking",
    "top_k",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
    "min_p",
    "repetition_penalty",
];

/// A set of fields that a provider rejects with an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusedFields(u32);

impl RefusedFields {
    /// No field.
    pub const NONE: Self = Self(0);

    /// The set of these fields. A name that is none of [`Self::all`] stops the compiler.
    pub(super) const fn of(names: &[&str]) -> Self {
        let mut set = 0;
        let mut index = 0;
        while index < names.len() {
            set |= 1 << position(names[index]);
            index += 1;
        }
        Self(set)
    }

    /// The set of one field, by its name; `None`: it is no hint, so it cannot be left out.
    pub fn named(name: &str) -> Option<Self> {
        let position = FIELDS.iter().position(|field| *field == name)?;
        Some(Self(1 << position))
    }

    /// The names of all fields that may be left out.
    pub fn all() -> impl Iterator<Item = &'static str> {
        FIELDS.into_iter()
    }

    /// The fields of either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The fields of this set that are not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The names of the fields.
    pub fn iter(self) -> impl Iterator<Item = &'static str> {
        let numbered = FIELDS.into_iter().enumerate();
        numbered.filter_map(move |(number, field)| (self.0 & 1 << number != 0).then_some(field))
    }
}

const fn position(name: &str) -> usize {
    let mut index = 0;
    while !is_same(FIELDS[index], name) {
        index += 1;
    }
    index
}

/// As `==`, which no constant may use.
const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut index = 0;
    while index < one.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::RefusedFields;

    #[test]
    fn every_field_has_a_bit_of_its_own() {
        let all = RefusedFields::all();
        let each = all.filter_map(|name| Some((name, RefusedFields::named(name)?)));
        for (name, set) in each {
            assert_eq!(set.iter().collect::<Vec<_>>(), [name]);
        }
        assert_eq!(RefusedFields::named("messages"), None);
        let two = RefusedFields::of(&["user", "seed"]);
        assert_eq!(two.iter().collect::<Vec<_>>(), ["seed", "user"]);
        assert_eq!(
            two.without(RefusedFields::of(&["user"])),
            RefusedFields::of(&["seed"])
        );
    }
}
