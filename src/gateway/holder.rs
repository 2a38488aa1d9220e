//! Who holds a port: Linux lists the sockets of all programs, and the files of our own user's.

use std::fs;
use std::net::SocketAddr;

/// So many processes are looked at.
const MOST_PROCESSES: usize = 4096;

/// Name and number of the process that listens at the port of an address, if this user may know.
pub(super) fn of(address: SocketAddr) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let mut tables = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok());
    let inode = tables.find_map(|table| listener(&table, address.port()))?;
    let link = format!("socket:[{inode}]");
    let mut processes = fs::read_dir("/proc").ok()?.flatten().take(MOST_PROCESSES);
    processes.find_map(|process| {
        let number = process.file_name().to_str()?.parse::<u32>().ok()?;
        let files = fs::read_dir(process.path().join("fd")).ok()?;
        let mut targets = files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok());
        targets.find(|target| target.as_os_str() == link.as_str())?;
        let name = fs::read_to_string(process.path().join("comm")).ok()?;
        Some(format!("{} (process {number})", name.trim()))
    })
}

/// The inode of the socket that listens at a port, in a table as of `proc_net_tcp(5)`: the local address is the second
/// column, the state the fourth (0A listens), the inode the tenth.
fn listener(table: &str, port: u16) -> Option<String> {
    let suffix = format!(":{port:04X}");
    let mut lines = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = lines.find(|line| {
        let is_there = line.get(1).is_some_and(|local| local.ends_with(&suffix));
        is_there && line.get(3) == Some(&"0A")
    })?;
    line.get(9).map(|inode| (*inode).to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::of;

    #[test]
    fn a_port_of_this_process_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let found = of(listener.local_addr().unwrap()).unwrap();
        assert!(
            found.contains(&format!("(process {})", std::process::id())),
            "{found}"
        );
    }
}
