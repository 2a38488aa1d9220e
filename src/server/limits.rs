//! The limits of one address and its connections.

use std::time::Duration;

/// The limits of one address and its connections.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// How many connections may be open. A further one replaces the connection that has been idle for the longest time,
    /// or waits.
    pub connections: usize,
    /// The largest request head, in bytes.
    pub headers: usize,
    /// How long a connection may have no open request.
    pub idle: Duration,
    /// How long requests may queue for the processor before some are refused; 0: none is refused for that.
    pub queueing: Duration,
    /// How long a client may read nothing of the data that waits for it.
    pub write: Duration,
    /// How long open requests may take to finish after draining has begun.
    pub drain: Duration,
}
