//! Programs that people use, installed from their registries: the first upstream is down, the second one has another
//! API, and the programs do not notice.

pub(crate) mod coding;
pub(crate) mod frameworks;
pub(crate) mod program;
mod replies;
mod sdks;
mod stage;
