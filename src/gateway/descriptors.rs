//! File descriptors: as many as the system allows, with a reserve that clients cannot use.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit to request where the system has no upper limit.
const PLENTY: u64 = 1 << 20;
/// The smallest and the largest number of descriptors that are reserved for everything but clients and their upstreams:
/// listening sockets, files, DNS lookups, operators.
const RESERVE: (u64, u64) = (32, 256);
/// And so many for each thread that serves clients: what wakes it, its listening socket, a spare one.
const FOR_THREAD: u64 = 6;

/// How many connections the file descriptors of this process allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descriptors {
    limit: u64,
    reserve: u64,
}

impl Descriptors {
    /// Raises the limit of this process as far as the system allows. `threads`: how many serve clients in runtimes of their own.
    pub(super) fn raised(threads: usize) -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let wanted = maximum.unwrap_or(PLENTY);
        if current.is_some_and(|current| current < wanted) {
            let raised = Rlimit {
                current: Some(wanted),
                maximum,
            };
            // The limit that is read below shows whether this worked.
            let _ = setrlimit(Resource::Nofile, raised);
        }
        Self::of(
            getrlimit(Resource::Nofile).current.unwrap_or(PLENTY),
            threads,
        )
    }

    fn of(limit: u64, threads: usize) -> Self {
        let threads = FOR_THREAD * threads as u64;
        let reserve = (limit / 16).clamp(RESERVE.0, RESERVE.1) + threads;
        Self { limit, reserve }
    }

    /// How many clients may be connected, if this many are configured: each needs a connection to an upstream as well.
    pub(super) fn for_clients(self, configured: usize) -> usize {
        let pairs = self.limit.saturating_sub(self.reserve) / 2;
        let allowed = usize::try_from(pairs).unwrap_or(usize::MAX).max(1);
        if allowed < configured {
            tracing::warn!(
                limit = self.limit,
                "at most {allowed} clients can be connected, not {configured} (limits.connections): the process may \
                 open {} files (ulimit -n, LimitNOFILE), and each client needs two",
                self.limit
            );
        }
        configured.min(allowed)
    }

    /// How many operators may be connected.
    pub(super) fn for_operators(self, configured: usize) -> usize {
        configured.min(usize::try_from(self.reserve / 4).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::Descriptors;

    #[test]
    fn every_client_can_have_an_upstream_and_some_descriptors_remain() {
        for limit in [0, 3, 64, 256, 1024, 4096, 65_536, 1 << 20] {
            for threads in [0, 4, 16] {
                let descriptors = Descriptors::of(limit, threads);
                let clients = descriptors.for_clients(usize::MAX);
                assert!(clients >= 1);
                let all = 2 * clients + 32 + 6 * threads;
                assert!(clients == 1 || all as u64 <= limit, "{limit}");
            }
        }
        assert_eq!(Descriptors::of(64, 0).for_clients(4096), 16);
        assert_eq!(Descriptors::of(1024, 0).for_clients(100), 100);
        assert_eq!(Descriptors::of(64, 0).for_operators(4096), 8);
        assert_eq!(Descriptors::of(1 << 20, 0).for_operators(10), 10);
    }
}
