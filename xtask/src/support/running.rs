//! A child process that ends with its parent, and the CPU time, memory and files of any process.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use crate::support::workspace::describe;

/// Time limit of every wait. It is long, because a busy machine is no failure.
const PATIENCE: Duration = Duration::from_mins(2);

/// USER_HZ, the unit of times in /proc/PID/stat.
const TICKS_A_SECOND: u64 = 100;

/// A child process. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
    name: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let name = describe(command);
        // SAFETY: the only call between fork and exec is prctl(2), which allocates nothing.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let child = command.spawn().with_context(|| format!("cannot run {name}"))?;
        Ok(Self { child, name })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal)
            .with_context(|| format!("cannot send {signal:?} to {}", self.name))
    }

    /// Fails if the process has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} has ended: {status}", self.name),
            None => Ok(()),
        }
    }

    pub(crate) fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > end {
                bail!("{} has not ended within {limit:?}", self.name);
            }
            sleep(Duration::from_millis(2));
        }
    }

    /// Sends SIGINT, as Ctrl-C does, and waits for the end.
    pub(crate) fn interrupt(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::INT)?;
        self.wait(PATIENCE)
    }

    /// Waits until `ready`, which gets the process id. Fails if the process ends before.
    pub(crate) fn until(&mut self, what: &str, mut ready: impl FnMut(u32) -> bool) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while !ready(self.id()) {
            self.check()?;
            if Instant::now() > end {
                bail!("{}: timed out after {PATIENCE:?}, waiting until {what}", self.name);
            }
            sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// CPU time of the process and its children.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_of(self.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only if the process has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of a process, of its running children, and of the children that it has waited for.
pub(crate) fn cpu_of(pid: u32) -> Duration {
    let own: u64 = tasks(pid).iter().map(|task| run_ns(&format!("/proc/{pid}/task/{task}/schedstat"))).sum();
    let children: Duration = children_of(pid).into_iter().map(cpu_of).sum();
    Duration::from_nanos(own) + children + cpu_of_reaped_children(&format!("/proc/{pid}/stat"))
}

/// CPU time of this process's children that it has waited for.
pub(crate) fn cpu_of_our_reaped_children() -> Duration {
    cpu_of_reaped_children("/proc/self/stat")
}

/// The first number of schedstat: nanoseconds on a processor (Documentation/scheduler/sched-stats.rst).
fn run_ns(path: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn cpu_of_reaped_children(path: &str) -> Duration {
    let fields = stat(path);
    // cutime and cstime, fields 16 and 17 of proc_pid_stat(5).
    let ticks: u64 = fields.iter().skip(13).take(2).sum();
    Duration::from_millis(ticks * 1000 / TICKS_A_SECOND)
}

/// The fields of a stat file, from the state on. The name before them may contain any byte.
fn stat(path: &str) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let after_name = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let numbers = after_name.split(' ').skip(1);
    // Negative numbers become 0: no caller needs them.
    let mut numbers: Vec<u64> = numbers.map(|number| number.trim().parse().unwrap_or(0)).collect();
    numbers.insert(0, 0);
    numbers
}

pub(crate) fn children_of(parent: u32) -> Vec<u32> {
    let is_child = |pid: &u32| stat(&format!("/proc/{pid}/stat")).get(1) == Some(&u64::from(parent));
    numbers_in("/proc").into_iter().filter(is_child).collect()
}

pub(crate) fn tasks(pid: u32) -> Vec<u32> {
    numbers_in(&format!("/proc/{pid}/task"))
}

/// The entries of a folder whose names are numbers.
fn numbers_in(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A number from /proc/PID/status, such as VmRSS in KiB.
pub(crate) fn status_of(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Resident size of the BPF maps that a process has mapped. They are memory of the kernel, not of the process.
pub(crate) fn mapped_kib_of(pid: u32) -> u64 {
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap_or_default();
    let mut is_map = false;
    let mut kib = 0;
    for line in smaps.lines() {
        if let Some(rest) = line.strip_prefix("Rss:").filter(|_| is_map) {
            kib += rest.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
        } else if line.split(' ').next().is_some_and(|range| range.contains('-')) {
            is_map = line.ends_with("bpf-map");
        }
    }
    kib
}

/// Number of open files of a process.
pub(crate) fn open_files_of(pid: u32) -> usize {
    numbers_in(&format!("/proc/{pid}/fd")).len()
}

/// Whether a process has set `no_new_privs`, as the tool does once it is attached.
pub(crate) fn has_no_new_privileges(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| status.contains("NoNewPrivs:\t1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_of_a_child_is_measured() {
        let mut busy = Running::start(Command::new("sh").args(["-c", "while :; do :; done"])).unwrap();
        // The time of children that have ended is told in ticks of 10 ms.
        busy.until("it has run", |pid| cpu_of(pid) > Duration::from_millis(50)).unwrap();
        assert!(children_of(std::process::id()).contains(&busy.id()));
        busy.check().unwrap();
        busy.signal(Signal::TERM).unwrap();
        assert!(!busy.wait(PATIENCE).unwrap().success());
        assert!(cpu_of_our_reaped_children() > Duration::ZERO);
    }
}
