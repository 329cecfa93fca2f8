//! The files that a process may still open, by Landlock (since 5.13). Files that are open already stay usable.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus, make_bitflags, path_beneath_rules,
};

use super::Purpose;
use crate::host::cgroup;

/// The newest version whose rights are known here. The crate leaves out what the kernel lacks.
const VERSION: ABI = ABI::V5;

/// Processes, network settings and cgroups.
const READABLE: [&str; 2] = ["/proc", "/sys"];

/// The terminal that the dashboard reads keys from, if standard input is something else.
const TERMINAL: &str = "/dev/tty";

/// Without Landlock it does nothing. Returns how far the kernel enforces it.
pub(super) fn restrict(purpose: Purpose) -> anyhow::Result<RulesetStatus> {
    // Landlock forbids looking into processes that are not restricted likewise, and so their executables
    // (`hook_ptrace_access_check()`, security/landlock).
    if matches!(purpose, Purpose::Helping | Purpose::Inspecting) {
        return Ok(RulesetStatus::NotEnforced);
    }
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(VERSION))?;
    if purpose != Purpose::Demonstrating {
        ruleset = ruleset.handle_access(AccessNet::from_all(VERSION))?;
    }
    let status = match purpose {
        Purpose::Removing => allow_removing(ruleset),
        Purpose::Running(_) => Ok(ruleset.create()?.restrict_self()?.ruleset),
        _ => allow_reading(ruleset),
    }?;
    log::info!("Landlock: {status:?}");
    Ok(status)
}

/// Allows reading below a few folders, and the terminal.
fn allow_reading(ruleset: Ruleset) -> anyhow::Result<RulesetStatus> {
    let read: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let terminal: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile | IoctlDev});
    let created = ruleset
        .create()?
        .add_rules(path_beneath_rules(READABLE, read))?
        .add_rules(path_beneath_rules(cgroup::mounted().ok().flatten(), read))?
        .add_rules(path_beneath_rules([TERMINAL], terminal))?;
    Ok(created.restrict_self()?.ruleset)
}

/// Allows removing files of the current directory.
fn allow_removing(ruleset: Ruleset) -> anyhow::Result<RulesetStatus> {
    let rule = PathBeneath::new(PathFd::new(".")?, AccessFs::RemoveFile);
    Ok(ruleset.create()?.add_rule(rule)?.restrict_self()?.ruleset)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::ErrorKind, thread};

    use rustix::{
        process::{Pid, WaitOptions, waitpid},
        thread::set_no_new_privs,
    };

    use super::*;

    /// The current directory belongs to the process, so this is in one of its own.
    #[test]
    fn remover_removes_files_of_one_directory_only() {
        let folder = tempfile::tempdir().unwrap();
        let (own, other) = (folder.path().join("own"), folder.path().join("other"));
        for directory in [&own, &other] {
            std::fs::create_dir(directory).unwrap();
            std::fs::write(directory.join("file"), "").unwrap();
        }
        // SAFETY: memory can be allocated after a fork in glibc, and the child does nothing else that takes a lock.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            std::env::set_current_dir(&own).unwrap();
            set_no_new_privs(true).unwrap();
            let is_enforced = restrict(Purpose::Removing).unwrap() != RulesetStatus::NotEnforced;
            let is_as_expected = std::fs::remove_file(other.join("file")).is_err() == is_enforced
                && File::open("/etc/passwd").is_err() == is_enforced
                && File::create("new").is_err() == is_enforced
                && std::fs::remove_file("file").is_ok();
            // SAFETY: _exit(2) has no preconditions.
            unsafe { libc::_exit(i32::from(!is_as_expected)) };
        }
        let (_, status) = waitpid(Pid::from_raw(child), WaitOptions::empty()).unwrap().unwrap();
        assert_eq!(status.exit_status(), Some(0));
    }

    /// A ruleset is a thread's own.
    #[test]
    fn only_what_a_watch_reads_can_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "secret").unwrap();
        let thread = thread::spawn(move || {
            set_no_new_privs(true).unwrap();
            let is_enforced = restrict(Purpose::Watching).unwrap() != RulesetStatus::NotEnforced;
            let refused =
                |result: std::io::Result<File>| result.is_err_and(|e| e.kind() == ErrorKind::PermissionDenied);
            File::open("/proc/self/stat").unwrap();
            File::open("/sys/kernel").unwrap();
            assert_eq!(refused(File::open(&path)), is_enforced, "another file");
            assert_eq!(refused(File::open("/etc/passwd")), is_enforced, "/etc/passwd");
            assert_eq!(refused(File::create(path.with_extension("new"))), is_enforced, "a new file");
        });
        thread.join().unwrap();
    }
}
