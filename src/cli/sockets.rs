//! Sockets that the service manager has opened for us: systemd's socket activation, `sd_listen_fds(3)`.

use anyhow::{Context, ensure};
use listenfd::ListenFd;

use crate::config::process_environment;
use crate::gateway::Sockets;
use crate::wire::socket::listens;

/// Takes what was passed to this process. A socket named `admin` is for operators, one named `clients` for clients; of others
/// the first is for clients, the second for operators. It changes the environment, so it comes before other threads do.
pub(super) fn passed() -> anyhow::Result<Sockets> {
    let mut sockets = Sockets::default();
    // Without it, nobody can tell whether they were meant for a parent of ours.
    if process_environment("LISTEN_PID").is_none() {
        return Ok(sockets);
    }
    let names = process_environment("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut passed = ListenFd::from_env();
    for index in 0..passed.len() {
        let name = names.next().unwrap_or_default();
        let which = format!("socket {} of the service manager ({name:?})", index + 1);
        let listener = passed.take_tcp_listener(index);
        let listener = listener.with_context(|| {
            format!("{which} cannot be used: name an IP address and a port as its ListenStream")
        })?;
        let Some(listener) = listener else { continue };
        ensure!(
            listens(&listener),
            "{which} does not listen: its unit must say Accept=no"
        );
        let place = match name {
            "admin" => &mut sockets.operators,
            "clients" => &mut sockets.clients,
            _ if sockets.clients.is_none() => &mut sockets.clients,
            _ => &mut sockets.operators,
        };
        ensure!(
            place.is_none(),
            "{which} is one too many: pass one for clients and one for operators \
             (FileDescriptorName=clients, FileDescriptorName=admin); [::]:4000 is for IPv4 and IPv6"
        );
        *place = Some(listener);
    }
    Ok(sockets)
}
