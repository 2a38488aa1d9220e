//! Settings that a reload cannot change, because they belong to the listening sockets.

use crate::config::Config;

/// The keys of such settings that have changed.
pub(super) fn changed(before: &Config, after: &Config) -> Vec<&'static str> {
    let (old, new) = (&before.limits, &after.limits);
    [
        ("listen", before.listen != after.listen),
        ("admin.listen", before.admin.listen != after.admin.listen),
        ("reuse_port", before.reuse_port != after.reuse_port),
        ("state_dir", before.state_dir != after.state_dir),
        ("history", before.history != after.history),
        ("shared", before.shared != after.shared),
        ("tls", before.tls.is_some() != after.tls.is_some()),
        ("limits.connections", old.connections != new.connections),
        ("limits.headers", old.headers != new.headers),
        ("limits.queueing", old.queueing != new.queueing),
        (
            "limits.idle_connection",
            old.idle_connection != new.idle_connection,
        ),
        ("limits.write", old.write != new.write),
        (
            "limits.shutdown_delay",
            old.shutdown_delay != new.shutdown_delay,
        ),
        ("limits.drain", old.drain != new.drain),
    ]
    .into_iter()
    .filter_map(|(key, has_changed)| has_changed.then_some(key))
    .collect()
}
