//! What Linux does with sockets and other systems do not. Elsewhere it is left out: all of it is for what happens seldom.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod others;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use others as system;

pub use system::{
    limit_new_unacknowledged, limit_unacknowledged, limit_unsent, listens, turn_new_away,
};
