//! Local resource shortages that prevent a connection. They are never counted as the upstream's failure.

use std::error::Error;
use std::fs::File;
use std::io;

use rustix::io::Errno;

/// Whether the cause of a failed connection is a local shortage: file descriptors, ports, buffers or memory.
pub(super) fn is_ours(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref().is_some_and(is_shortage)
}

/// Whether the process has no file descriptor left at this moment.
pub(super) fn has_no_descriptor() -> bool {
    File::open("/dev/null").is_err_and(|error| is_shortage(&error))
}

fn is_shortage(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::MFILE
                | Errno::NFILE
                | Errno::NOBUFS
                | Errno::NOMEM
                // All local ports for connections to this upstream are in use.
                | Errno::ADDRNOTAVAIL
        )
    )
}

#[cfg(test)]
mod tests {
    use super::{Errno, has_no_descriptor, io, is_ours};

    #[test]
    fn shortages_are_told_from_failures_of_the_upstream() {
        let is_ours = |errno: Errno| is_ours(&io::Error::from_raw_os_error(errno.raw_os_error()));
        for ours in [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::NOMEM,
            Errno::ADDRNOTAVAIL,
        ] {
            assert!(is_ours(ours), "{ours}");
        }
        for theirs in [Errno::CONNREFUSED, Errno::TIMEDOUT, Errno::HOSTUNREACH] {
            assert!(!is_ours(theirs), "{theirs}");
        }
        assert!(!has_no_descriptor());
    }
}
