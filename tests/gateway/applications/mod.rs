//! Programs that people use, as they come from their registries: the first upstream is down, the second one speaks another
//! API, and they do not notice.

mod coding;
mod frameworks;
mod program;
mod replies;
mod sdks;
mod stage;
