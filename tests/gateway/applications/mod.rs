//! Programs that people use, installed from their registries: the first upstream is down, the second one has another
//! API, and the programs do not notice.

mod coding;
mod frameworks;
mod program;
mod replies;
mod sdks;
mod stage;
