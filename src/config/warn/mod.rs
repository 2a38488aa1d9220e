//! What works, but probably not as it is meant: each warning says what will happen, and how to mend it.

mod clients;
mod keys;
mod models;
mod shared;
mod standins;
mod urls;

use super::file::Config;
use super::problem::Found;

/// A configuration without mistakes that is looked at once more.
struct Look<'a> {
    config: &'a Config,
    found: &'a mut Found,
}

/// Notes everything that deserves a warning. What concerns one key of the configuration comes before what concerns the
/// whole around it, which would hide it.
pub(super) fn warn(config: &Config, found: &mut Found) {
    let mut look = Look { config, found };
    look.keys();
    look.clients();
    look.urls();
    look.unknown_models();
    look.unused();
    look.shared();
    look.stand_ins();
}
