//! The helper process that runs beside a watch, as /proc shows it.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use rustix::process::{Pid, Signal, kill_process};

use super::{eventually, programs::program};

/// CAP_SYS_PTRACE of include/uapi/linux/capability.h, in the format of /proc/PID/status.
pub(crate) const ONLY_PTRACE: &str = "0000000000080000";
pub(crate) const NO_CAPABILITY: &str = "0000000000000000";

/// A helper process, by its pid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Helper(pub(crate) u32);

impl Helper {
    /// The only child of this process.
    pub(crate) fn of(parent: u32) -> Self {
        let children = children_of(parent);
        let [child] = children.as_slice() else { panic!("expected one child: {children:?}") };
        Self(*child)
    }

    pub(crate) fn signal(self, signal: Signal) {
        let pid = Pid::from_raw(self.0.cast_signed()).expect("a pid is positive");
        kill_process(pid, signal).unwrap_or_else(|error| panic!("cannot send {signal:?} to the helper: {error}"));
    }

    /// Stops the helper, as Ctrl-Z would. It continues on drop, so a helper left behind by a failed test still exits.
    pub(crate) fn stop(self) -> Stopped {
        self.signal(Signal::STOP);
        Stopped(self)
    }

    /// A zombie counts as gone: the process that adopts the helper may never reap it.
    pub(crate) fn is_alive(self) -> bool {
        fs::read_to_string(format!("/proc/{}/status", self.0)).is_ok_and(|status| !status.contains("State:\tZ"))
    }

    pub(crate) fn assert_gone(self, when: &str) {
        eventually(&format!("helper {} is gone {when}", self.0), || !self.is_alive());
    }

    /// The targets of its open file descriptors, in numeric order.
    pub(crate) fn open_files(self) -> Vec<String> {
        let folder = format!("/proc/{}/fd", self.0);
        let files = fs::read_dir(folder).expect("the helper is running").flatten();
        let files: BTreeMap<u32, String> = files
            .filter_map(|file| {
                let to = fs::read_link(file.path()).ok()?.display().to_string();
                Some((file.file_name().to_str()?.parse().ok()?, to))
            })
            .collect();
        files.into_values().collect()
    }
}

pub(crate) struct Stopped(Helper);

impl Drop for Stopped {
    fn drop(&mut self) {
        if self.0.is_alive() {
            self.0.signal(Signal::CONT);
        }
    }
}

pub(crate) fn children_of(parent: u32) -> Vec<u32> {
    let pgrep = program("pgrep", "procps").args(["-P", &parent.to_string()]).output().expect("cannot run pgrep");
    let children = String::from_utf8(pgrep.stdout).expect("pgrep prints numbers");
    children.lines().map(|line| line.parse().expect("a number")).collect()
}

/// The effective, permitted, inheritable and ambient capabilities, and the no-new-privileges flag.
pub(crate) fn privileges_of(pid: u32) -> [String; 5] {
    ["CapEff", "CapPrm", "CapInh", "CapAmb", "NoNewPrivs"].map(|name| status_of(pid, name))
}

/// A field of /proc/PID/status.
pub(crate) fn status_of(pid: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is running");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_string()
}

/// The runtimes that the `-v` log reports for a process, as `NAME: RUNTIME`, one for each name that the process had.
pub(crate) fn runtimes_in(log: &Path, pid: u32) -> Vec<String> {
    let text = fs::read_to_string(log).expect("cannot read the log");
    let start = format!("runtime of process {pid} (");
    let runtimes = text.lines().filter_map(|line| Some(line.split_once(&start)?.1.replace("):", ":")));
    runtimes.collect()
}

/// The same command, run as `nobody`.
pub(crate) fn as_nobody(command: &Command) -> Command {
    let mut setpriv = program("setpriv", "util-linux");
    setpriv.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]);
    setpriv.arg(command.get_program()).args(command.get_args());
    setpriv
}
