//! Whether processes still run. The kernel is asked by pidfd: /proc may hide processes of other users (`hidepid`), and
//! it shows the first thread of a process, which may end before the others.
//!
//! In another PID or time namespace no process can be looked up by what the kernel side reports of it. There all of them
//! count as running, because a process that is wrongly taken for ended becomes another one at its next connect.

use std::{
    collections::HashMap,
    os::fd::{AsRawFd as _, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, retry_on_intr},
    process::{Pid, PidfdFlags, Resource, getrlimit, pidfd_open, test_kill_process},
};

use super::{namespaces::why_processes_are_unknown, processes::stat_of};

/// Maximum number of processes that are watched by descriptor. Others are looked up at each sample.
const MAX_PIDFDS: usize = 4_096;

/// A process, told from a later one with the same id by its start time.
type Key = (u32, u64);

struct Watched {
    /// None: no descriptor is left for it.
    pidfd: Option<OwnedFd>,
    has_ended: bool,
    /// The sample that last asked for it.
    sample: u64,
}

pub(crate) struct Liveness {
    /// False: none is ever found to have ended.
    can_look_up: bool,
    processes: HashMap<Key, Watched>,
    pidfds: usize,
    max_pidfds: usize,
    sample: u64,
}

impl Liveness {
    pub(crate) fn new() -> Self {
        Self { can_look_up: why_processes_are_unknown().is_none(), ..Self::with_pidfds(MAX_PIDFDS) }
    }

    fn with_pidfds(max_pidfds: usize) -> Self {
        Self { can_look_up: true, processes: HashMap::new(), pidfds: 0, max_pidfds, sample: 0 }
    }

    /// Begins a sample: forgets the processes that the last one did not ask for, and learns which ones have ended.
    pub(crate) fn begin_sample(&mut self) {
        let last = self.sample;
        self.processes.retain(|_, process| process.sample == last);
        self.sample += 1;
        let mut watched: Vec<&mut Watched> =
            self.processes.values_mut().filter(|process| process.pidfd.is_some()).collect();
        match have_ended(watched.iter().filter_map(|process| process.pidfd.as_ref())) {
            Ok(have_ended) => {
                for (process, _) in watched.iter_mut().zip(have_ended).filter(|(_, has_ended)| *has_ended) {
                    (process.pidfd, process.has_ended) = (None, true);
                }
            }
            Err(error) => {
                log::debug!("{} processes are followed without a descriptor from now on: {error}", watched.len());
                for process in &mut watched {
                    process.pidfd = None;
                }
            }
        }
        self.pidfds = watched.iter().filter(|process| process.pidfd.is_some()).count();
    }

    /// Whether the process that started at this time, in clock ticks since boot, still runs. A zombie does not.
    pub(crate) fn is_running(&mut self, tgid: u32, start_ticks: u64) -> bool {
        if !self.can_look_up {
            return true;
        }
        let key = (tgid, start_ticks);
        let is_new = !self.processes.contains_key(&key);
        if is_new {
            let process = self.watch(tgid, start_ticks);
            self.pidfds += usize::from(process.pidfd.is_some());
            self.processes.insert(key, process);
        }
        let Some(process) = self.processes.get_mut(&key) else { return false };
        // A process has a group for each destination: without a descriptor it is looked up for the first one only.
        let is_first = is_new || process.sample != self.sample;
        process.sample = self.sample;
        if is_first && process.pidfd.is_none() && !process.has_ended {
            process.has_ended = !is_alive(tgid, start_ticks);
        }
        !process.has_ended
    }

    fn watch(&self, tgid: u32, start_ticks: u64) -> Watched {
        let process = |pidfd, has_ended| Watched { pidfd, has_ended, sample: self.sample };
        let Some(pid) = pid(tgid) else { return process(None, true) };
        if self.pidfds >= self.max_pidfds {
            return process(None, false);
        }
        match pidfd_open(pid, PidfdFlags::empty()) {
            Err(Errno::SRCH) => process(None, true),
            // No descriptor is left, or the kernel does not allow it.
            Err(_) => process(None, false),
            Ok(pidfd) if !leaves_half_to_others(&pidfd) => process(None, false),
            // Looked up after the descriptor was opened: the id cannot pass on to another process any more.
            Ok(pidfd) => match stat_of(tgid) {
                Some(stat) if !stat.is_running_since(start_ticks) => process(None, true),
                // Hidden, or gone: the descriptor will say.
                _ => process(Some(pidfd), false),
            },
        }
    }
}

/// Whether half of the files that this process may open are left to others. The kernel gives out the lowest free number
/// (open(2)), so all below are in use.
fn leaves_half_to_others(pidfd: &OwnedFd) -> bool {
    let limit = getrlimit(Resource::Nofile).current;
    limit.is_none_or(|limit| u64::try_from(pidfd.as_raw_fd()).is_ok_and(|number| number < limit / 2))
}

/// Which of these processes have ended. Fails if there are more than this process may open by now (poll(2)).
fn have_ended<'a>(pidfds: impl Iterator<Item = &'a OwnedFd>) -> rustix::io::Result<Vec<bool>> {
    // A pidfd becomes readable when all threads of its process have ended (pidfd_open(2)).
    let mut polls: Vec<PollFd<'_>> = pidfds.map(|pidfd| PollFd::new(pidfd, PollFlags::IN)).collect();
    retry_on_intr(|| poll(&mut polls, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })))?;
    Ok(polls.iter().map(|poll| !poll.revents().is_empty()).collect())
}

/// None for a number that no process has.
fn pid(tgid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(tgid).ok()?)
}

/// Asks without a descriptor.
fn is_alive(tgid: u32, start_ticks: u64) -> bool {
    let exists = pid(tgid).is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH));
    exists && stat_of(tgid).is_none_or(|stat| stat.is_running_since(start_ticks))
}

#[cfg(test)]
mod tests {
    use std::{
        process::{Child, Command, Stdio},
        thread::sleep,
        time::Duration,
    };

    use super::{super::processes::start_ticks_of, *};

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap()
    }

    /// With descriptors, with one for two processes, and with none.
    #[test]
    fn ended_processes_are_told_from_running_ones() {
        for max_pidfds in [10, 1, 0] {
            let mut liveness = Liveness::with_pidfds(max_pidfds);
            let (me, mut child) = (std::process::id(), sleeper());
            let [my_start, its_start] = [me, child.id()].map(|pid| start_ticks_of(pid).unwrap());
            for _ in 0..2 {
                liveness.begin_sample();
                assert!(liveness.is_running(child.id(), its_start) && liveness.is_running(me, my_start));
                assert!(!liveness.is_running(me, my_start + 1), "an earlier process with this id");
                assert!(liveness.pidfds <= max_pidfds);
            }
            // Not waited for, so that it becomes a zombie.
            child.kill().unwrap();
            let ended = (0..1_000).any(|_| {
                sleep(Duration::from_millis(10));
                liveness.begin_sample();
                assert!(liveness.is_running(me, my_start));
                !liveness.is_running(child.id(), its_start)
            });
            child.wait().unwrap();
            assert!(ended, "with {max_pidfds} descriptors");
        }
    }

    #[test]
    fn no_process_ends_where_none_can_be_looked_up() {
        let mut liveness = Liveness { can_look_up: false, ..Liveness::with_pidfds(10) };
        liveness.begin_sample();
        assert!(liveness.is_running(u32::MAX, 1) && liveness.is_running(std::process::id(), 1));
    }

    #[test]
    fn processes_that_nobody_asks_for_are_forgotten() {
        let mut liveness = Liveness::with_pidfds(10);
        let me = std::process::id();
        liveness.begin_sample();
        assert!(liveness.is_running(me, start_ticks_of(me).unwrap()));
        assert!(!liveness.is_running(u32::MAX, 1) && !liveness.is_running(0, 1));
        liveness.begin_sample();
        liveness.begin_sample();
        assert_eq!((liveness.processes.len(), liveness.pidfds), (0, 0));
    }
}
