//! Processes in /proc: whether one still runs, and which one holds a socket.

use std::{collections::HashMap, fs, os::unix::ffi::OsStrExt as _, path::Path};

use tcp_reuse_watch_ebpf::Owner;

/// Caches which processes run, for one sample.
#[derive(Default)]
pub(crate) struct Processes(HashMap<u32, Option<u64>>);

impl Processes {
    /// Whether the process runs. A later process that reuses its id has another start time.
    pub(crate) fn is_running(&mut self, tgid: u32, start_ticks: u64) -> bool {
        let started = self.0.entry(tgid).or_insert_with(|| start_ticks_of(tgid));
        *started == Some(start_ticks)
    }
}

/// When a process started, in clock ticks since boot. None if it has exited, even if it is still a zombie.
pub(crate) fn start_ticks_of(tgid: u32) -> Option<u64> {
    // The name in it may not be UTF-8.
    parse_start_ticks(&String::from_utf8_lossy(&fs::read(format!("/proc/{tgid}/stat")).ok()?))
}

/// Parses fields 3 (state) and 22 (start time) of /proc/PID/stat. The name before them may contain spaces and
/// parentheses.
fn parse_start_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
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
        assert_eq!(parse_start_ticks(stat), Some(123_456));
        assert_eq!(parse_start_ticks(&stat.replace(" S ", " Z ")), None);
        assert_eq!(parse_start_ticks("nonsense"), None);
    }

    #[test]
    fn reused_process_id_is_another_process() {
        let me = std::process::id();
        let start_ticks = start_ticks_of(me).unwrap();
        assert!(Processes::default().is_running(me, start_ticks));
        assert!(!Processes::default().is_running(me, start_ticks + 1));
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
