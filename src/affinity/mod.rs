//! Affinity: which upstream owns an object (files, batches, stored responses, conversations and others).
//!
//! Ids are noted as they pass in answers. A request that names an id goes to the owner, also after a restart.
//!
//! ```text
//! answer  ─▶ witness ─▶ ids   the ids of new objects ─▶ note ─▶ store (a file, written in the background by the keeper)
//! request ─▶ owner   ─▶ ids   the ids that it refers to
//! ```
//!
//! Only fingerprints of ids are kept, and only of the 65,536 ids that were returned or used last. Requests with older
//! ids go to the default upstream for such requests. A file that is damaged, held by another process, or full loses its
//! entries, and has no other effect.

mod file;
mod ids;
mod keeper;
mod known;
mod owners;
mod queue;
mod store;
mod witness;

pub use known::MOST;
pub use owners::{Affinity, Owner};
pub use witness::Witness;
