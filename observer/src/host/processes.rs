//! Processes in /proc: when one started, what it is called, and which one holds a socket.

use std::{collections::HashMap, fs, os::unix::ffi::OsStrExt as _, path::Path};

use tcp_reuse_watch_ebpf::Owner;

/// What /proc/PID/stat says of a process, or rather of its first thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// In clock ticks since boot.
    start_ticks: u64,
    /// Neither a zombie nor dead. A first thread that has ended is a zombie too, as long as other threads run.
    is_alive: bool,
}

impl Stat {
    /// Whether it is the process that started then, and it has not ended.
    pub(crate) fn is_running_since(self, start_ticks: u64) -> bool {
        self.is_alive && self.start_ticks == start_ticks
    }
}

/// None if there is no such process, or /proc hides it.
pub(crate) fn stat_of(tgid: u32) -> Option<Stat> {
    // The name in it may not be UTF-8.
    parse_stat(&String::from_utf8_lossy(&fs::read(format!("/proc/{tgid}/stat")).ok()?))
}

/// When a process started, in clock ticks since boot. None if it has exited, even if it is still a zombie.
pub(crate) fn start_ticks_of(tgid: u32) -> Option<u64> {
    stat_of(tgid).filter(|stat| stat.is_alive).map(|stat| stat.start_ticks)
}

/// Parses fields 3 (state), 20 (threads) and 22 (start time) of /proc/PID/stat. The name before them may contain spaces
/// and parentheses.
pub(super) fn parse_stat(stat: &str) -> Option<Stat> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').take(20).collect();
    let [state, .., threads, _, start_ticks] = fields[..] else { return None };
    if fields.len() < 20 {
        return None;
    }
    let is_zombie = matches!(state, "Z" | "X") && threads.parse::<u64>().ok()? <= 1;
    Some(Stat { start_ticks: start_ticks.parse().ok()?, is_alive: !is_zombie })
}

/// Finds the process of each of these sockets, given by inode. Stops when all are found. A socket that several
/// processes hold is attributed to the one with the lowest id.
pub(crate) fn owners(mut wanted: Vec<u64>) -> HashMap<u64, Owner> {
    let mut found = HashMap::new();
    let Ok(entries) = fs::read_dir("/proc") else { return found };
    let mut tgids: Vec<u32> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    tgids.sort_unstable();
    wanted.sort_unstable();
    for tgid in tgids {
        if found.len() == wanted.len() {
            break;
        }
        let mut owner = None;
        for inode in sockets_of(tgid).filter(|inode| wanted.binary_search(inode).is_ok()) {
            let Some(owner) = *owner.get_or_insert_with(|| owner_of(tgid)) else { break };
            found.entry(inode).or_insert(owner);
        }
    }
    found
}

fn owner_of(tgid: u32) -> Option<Owner> {
    Some(Owner { start_ticks: start_ticks_of(tgid)?, tgid, reserved: 0, comm: comm_of(tgid)? })
}

/// The name of a process's first thread.
pub(crate) fn comm_of(tgid: u32) -> Option<[u8; 16]> {
    let name = fs::read(format!("/proc/{tgid}/comm")).ok()?;
    Some(comm(name.strip_suffix(b"\n").unwrap_or(&name)))
}

/// A process name as the kernel stores it: 15 bytes and a NUL.
pub(crate) fn comm(name: &[u8]) -> [u8; 16] {
    let mut comm = [0; 16];
    let len = name.len().min(15);
    comm[..len].copy_from_slice(&name[..len]);
    comm
}

/// Inodes of the sockets that a process has open. Empty if this process may not see them.
fn sockets_of(tgid: u32) -> impl Iterator<Item = u64> {
    let entries = fs::read_dir(format!("/proc/{tgid}/fd")).into_iter().flatten().flatten();
    entries.filter_map(|entry| socket_inode(&fs::read_link(entry.path()).ok()?))
}

/// `socket:[12345]` of proc_pid_fd(5).
fn socket_inode(link: &Path) -> Option<u64> {
    let text = std::str::from_utf8(link.as_os_str().as_bytes()).ok()?;
    text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, os::fd::AsRawFd as _};

    use super::*;

    #[test]
    fn start_time_is_parsed_after_any_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 1 0 0 0 1 2 0 0 20 0 1 0 123456 1000 10";
        assert_eq!(parse_stat(stat), Some(Stat { start_ticks: 123_456, is_alive: true }));
        for nonsense in ["nonsense", "42 (a) S 1 2 3", ""] {
            assert_eq!(parse_stat(nonsense), None);
        }
    }

    #[test]
    fn zombie_is_alive_while_other_threads_run() {
        let zombie = "42 (a) Z 1 42 42 0 -1 4194304 1 0 0 0 1 2 0 0 20 0 0 0 7 0 0";
        for (threads, is_alive) in [("0", false), ("1", false), ("2", true)] {
            let stat = zombie.replace(" 20 0 0 0 7", &format!(" 20 0 {threads} 0 7"));
            assert_eq!(parse_stat(&stat), Some(Stat { start_ticks: 7, is_alive }));
        }
    }

    #[test]
    fn owner_of_a_socket_is_found() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        let inode = socket_inode(&link).unwrap();
        let found = owners(vec![inode, u64::MAX]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[&inode].tgid, std::process::id());
    }

    #[test]
    fn names_are_cut_to_fifteen_bytes() {
        assert_eq!(&comm(b"a-process-with-a-long-name"), b"a-process-with-\0");
        assert_eq!(&comm(b"curl")[..5], b"curl\0");
    }
}
