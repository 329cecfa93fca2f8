//! The inspection of one process, in a child of the helper, so that a malicious executable can crash or block that child,
//! and only its answer is lost.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::{AsRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use observer_core::runtime::{Process, Runtime};
use rustix::{
    event::{PollFd, PollFlags},
    pipe::{PipeFlags, pipe_with},
    process::{Pid, PidfdFlags, WaitOptions, getpid, pidfd_open, waitpid},
};

use super::{
    fork::fork,
    inspect, isolation,
    messages::{self, RUNTIME_BYTES},
    queue::User,
};

/// After this time a child ends itself. A FUSE file system, which any user may mount, can block a reader for ever.
const TIMEOUT_SECONDS: u32 = 2;

/// How long a child may take to end then, from when that is noticed: the helper may have been stopped meanwhile. One that still has not is in a wait that no signal ends, such as that for a
/// request that a FUSE file system has taken (`request_wait_answer()`, fs/fuse/dev.c).
const END_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Inspection {
    pub(super) user: User,
    pub(super) process: Process,
    child: Pid,
    /// None: the child is only looked at after the deadline.
    pidfd: Option<OwnedFd>,
    /// The reading end of the pipe for the answer.
    answer: File,
    deadline: Instant,
    /// A deadline has passed.
    is_overdue: bool,
}

/// How far an inspection is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Running,
    /// With the answer, which is None if the child crashed, took too long or found out nothing.
    Ended(Option<Runtime>),
    /// The child cannot be killed.
    Hung,
}

impl Inspection {
    pub(super) fn start(user: User, process: Process) -> anyhow::Result<Self> {
        let helper = getpid();
        let (answer, output) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let Some(child) = fork()? else { isolation::exit(i32::from(run(helper, &output, process).is_none())) };
        Ok(Self {
            user,
            process,
            child,
            pidfd: pidfd_open(child, PidfdFlags::empty()).ok(),
            answer: answer.into(),
            deadline: Instant::now() + Duration::from_secs(TIMEOUT_SECONDS.into()),
            is_overdue: false,
        })
    }

    /// Wakes the helper when the child has ended.
    pub(super) fn poll_fd(&self) -> Option<PollFd<'_>> {
        self.pidfd.as_ref().map(|pidfd| PollFd::new(pidfd, PollFlags::IN))
    }

    /// When to look again, at the latest.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Looks how far it is.
    pub(super) fn progress(&mut self, now: Instant) -> Progress {
        if self.has_ended() {
            return Progress::Ended(self.read_answer());
        }
        if now < self.deadline {
            return Progress::Running;
        }
        if self.is_overdue {
            return Progress::Hung;
        }
        (self.is_overdue, self.deadline) = (true, now + END_TIMEOUT);
        Progress::Running
    }

    /// Whether the child has ended, and is reaped.
    pub(super) fn has_ended(&self) -> bool {
        !matches!(waitpid(Some(self.child), WaitOptions::NOHANG), Ok(None))
    }

    fn read_answer(&mut self) -> Option<Runtime> {
        let mut answer = [0; RUNTIME_BYTES];
        self.answer.read_exact(&mut answer).ok()?;
        messages::decode_runtime(answer)
    }
}

/// The child's main function. None on failure.
fn run(helper: Pid, output: &OwnedFd, process: Process) -> Option<()> {
    // Without the helper's socket, the watch notices when the helper is gone, even if this child hangs. Without the pipes
    // of others, this child cannot answer in their place.
    let output = isolation::become_inspection(helper, output.as_raw_fd(), TIMEOUT_SECONDS)?;
    File::from(output).write_all(&messages::encode_runtime(inspect::runtime_of(process))).ok()
}

#[cfg(test)]
mod tests {
    use std::{
        fmt::Write as _,
        process::{Command, Stdio},
    };

    use rustix::{
        event::poll,
        process::{Signal, kill_process},
    };

    use super::*;

    /// A script in place of the inspecting child, with its standard output as the pipe.
    #[allow(clippy::zombie_processes, reason = "the inspection waits for it")]
    fn inspection(script: &str) -> Inspection {
        let (answer, output) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
        let child = Command::new("sh").args(["-c", script]).stdout(Stdio::from(output)).spawn().unwrap();
        let child = Pid::from_child(&child);
        Inspection {
            user: 0,
            process: Process { pid: 1, start_ticks: 7, comm: [0; 16] },
            child,
            pidfd: Some(pidfd_open(child, PidfdFlags::empty()).unwrap()),
            answer: answer.into(),
            deadline: Instant::now() + Duration::from_mins(1),
            is_overdue: false,
        }
    }

    fn outcome(script: &str) -> Progress {
        let mut inspection = inspection(script);
        poll(&mut [inspection.poll_fd().unwrap()], None).unwrap();
        inspection.progress(Instant::now())
    }

    #[test]
    fn answer_counts_if_it_is_complete() {
        let mut bytes = String::new();
        for byte in messages::encode_runtime(Some(Runtime::Node)) {
            write!(bytes, "\\{byte:03o}").unwrap();
        }
        assert_eq!(outcome(&format!("printf '{bytes}'")), Progress::Ended(Some(Runtime::Node)));
        assert_eq!(outcome(&format!("printf '{bytes}'; kill -ABRT $$")), Progress::Ended(Some(Runtime::Node)));
        assert_eq!(outcome("printf 1"), Progress::Ended(None));
        assert_eq!(outcome("exit 1"), Progress::Ended(None));
        assert_eq!(outcome("kill -ABRT $$"), Progress::Ended(None));
    }

    #[test]
    fn child_that_does_not_end_is_given_up() {
        let mut hung = inspection("exec sleep 600");
        assert_eq!((hung.progress(Instant::now()), hung.is_overdue), (Progress::Running, false));
        assert_eq!((hung.progress(hung.deadline), hung.is_overdue), (Progress::Running, true));
        assert_eq!(hung.progress(hung.deadline), Progress::Hung);
        assert!(!hung.has_ended());
        kill_process(hung.child, Signal::KILL).unwrap();
        poll(&mut [hung.poll_fd().unwrap()], None).unwrap();
        assert!(hung.has_ended());
    }
}
