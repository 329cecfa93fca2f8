//! The namespaces of this process. The kernel side knows the machine's own only, which are the initial ones: it reports
//! processes by their ids there, and by when they started on the machine's clock.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt as _,
};

#[derive(Clone, Copy)]
pub(crate) enum Namespace {
    Cgroup,
    Pid,
    Time,
    User,
}

impl Namespace {
    /// The file of /proc/self/ns, and the inode of the initial namespace (include/linux/proc_ns.h).
    fn file(self) -> (&'static str, u64) {
        match self {
            Self::Cgroup => ("cgroup", 0xEFFF_FFFB),
            Self::Pid => ("pid", 0xEFFF_FFFC),
            Self::Time => ("time", 0xEFFF_FFFA),
            Self::User => ("user", 0xEFFF_FFFD),
        }
    }

    /// Whether this process is in the machine's own namespace.
    pub(crate) fn is_initial(self) -> io::Result<bool> {
        let (name, initial) = self.file();
        match fs::metadata(format!("/proc/self/ns/{name}")) {
            Ok(file) => Ok(file.ino() == initial),
            // Before 5.6 there is only one.
            Err(error) if matches!(self, Self::Time) && error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// Why processes cannot be looked up by what the kernel side reports of them. None if they can.
///
/// In another PID namespace their ids mean other processes, or none, to pidfd_open(2), kill(2) and /proc alike
/// (`find_get_pid()` and `proc_pid_lookup()` search the namespace of the caller, or of the mount). In another time
/// namespace, /proc shifts when processes started (`do_task_stat()`, fs/proc/array.c).
pub(crate) fn why_processes_are_unknown() -> Option<&'static str> {
    match (Namespace::Pid.is_initial(), Namespace::Time.is_initial()) {
        (Ok(true), Ok(true)) => None,
        (Ok(true), Ok(false)) => Some("in this time namespace processes seem to have started at other times"),
        (Ok(false), _) => Some(
            "process ids are the machine's, not those of this PID namespace (a container without --pid=host or hostPID)",
        ),
        (Err(_), _) | (_, Err(_)) => Some("/proc does not tell whether process ids are the machine's"),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Set in the copies of this test that run in other namespaces.
    const IS_ELSEWHERE: &str = "TEST_IS_ELSEWHERE";

    #[test]
    fn other_namespaces_are_told_from_the_machines() {
        if std::env::var_os(IS_ELSEWHERE).is_some() {
            assert!(why_processes_are_unknown().is_some());
            return;
        }
        if !rustix::process::geteuid().is_root() {
            return;
        }
        // In the second case /proc shows the machine's ids, but pidfd_open(2) knows others.
        for options in [&["--pid", "--fork", "--mount-proc"][..], &["--pid", "--fork"], &["--time", "--boottime", "9"]]
        {
            let mut unshare = Command::new("unshare");
            unshare.args(options).arg(std::env::current_exe().unwrap()).env(IS_ELSEWHERE, "1");
            unshare.args(["--exact", "host::namespaces::tests::other_namespaces_are_told_from_the_machines"]);
            let ended = unshare.output().unwrap();
            assert!(ended.status.success(), "{options:?}: {}", String::from_utf8_lossy(&ended.stdout));
        }
    }
}
