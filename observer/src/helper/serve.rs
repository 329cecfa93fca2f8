//! The helper itself: serves requests until its parent is gone.

use std::{
    io::Write as _,
    os::{
        fd::{AsFd as _, RawFd},
        unix::net::UnixStream,
    },
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use observer_core::{
    model::Lookups,
    runtime::{Process, Runtime},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{RecvFlags, recv},
    process::Pid,
};

use super::{
    inspect,
    inspection::{Inspection, Progress},
    isolation,
    messages::{self, Outcome, REQUEST_BYTES, Response},
    queue::{Queue, User},
};

/// Inspections at the same time, of which a user has one at most. Some users may have slow executables.
pub(super) const MAX_AT_ONCE: usize = 4;

/// Children that cannot be killed, of all users and of one. Beyond that, no further look-up is begun until one ends. Each
/// keeps a process and some memory.
const MAX_HUNG: usize = 16;
const MAX_HUNG_OF_USER: usize = 4;

/// The helper's main function.
pub(super) fn run(socket: RawFd, parent: Pid) -> ! {
    log::set_max_level(log::LevelFilter::Off);
    // The child must not run any more of the parent's code: neither destructors nor what follows in the caller.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let mut service = Service::new(isolation::become_helper(parent, socket)?.into());
        while service.step().is_some() {}
        Some(())
    }));
    // The parent is gone, or this is a child that has panicked while it inspected a process.
    isolation::exit(1);
}

struct Service {
    socket: UnixStream,
    /// The start of a request that has not arrived completely.
    partial: Vec<u8>,
    queue: Queue,
    inspections: Vec<Inspection>,
    /// Given up, because their children cannot be killed.
    hung: Vec<Inspection>,
    lookups: Lookups,
}

impl Service {
    fn new(socket: UnixStream) -> Self {
        Self {
            socket,
            partial: Vec::new(),
            queue: Queue::default(),
            inspections: Vec::new(),
            hung: Vec::new(),
            lookups: Lookups::default(),
        }
    }

    /// Waits for something to do, and does it. None: the parent is gone.
    fn step(&mut self) -> Option<()> {
        self.wait();
        self.receive()?;
        self.hung.retain(|inspection| !inspection.has_ended());
        self.finish()?;
        self.begin()
    }

    /// Waits for requests, and for inspections to end or to take too long.
    fn wait(&self) {
        let mut polls = vec![PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN)];
        polls.extend(self.inspections.iter().chain(&self.hung).filter_map(Inspection::poll_fd));
        let deadline = self.inspections.iter().map(Inspection::deadline).min();
        let timeout = deadline.map(|deadline| {
            // Rounded up, so that the deadline has passed afterwards.
            let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() }
        });
        // An error is followed by another look, like a signal.
        let _ = poll(&mut polls, timeout.as_ref());
    }

    /// Queues the requests that have arrived.
    fn receive(&mut self) -> Option<()> {
        let mut bytes = [0; 64 * REQUEST_BYTES];
        loop {
            match recv(&self.socket, &mut bytes, RecvFlags::DONTWAIT) {
                Ok((len @ 1.., _)) => self.partial.extend(&bytes[..len]),
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                _ => return None,
            }
        }
        let complete = self.partial.len() / REQUEST_BYTES * REQUEST_BYTES;
        let requests: Vec<u8> = self.partial.drain(..complete).collect();
        for request in requests.as_chunks::<REQUEST_BYTES>().0 {
            self.enqueue(messages::decode_request(*request))?;
        }
        Some(())
    }

    fn enqueue(&mut self, process: Process) -> Option<()> {
        let Some(user) = inspect::user_of(process) else { return self.tell(process, None) };
        match self.queue.add(user, process) {
            Some(without_room) => self.respond(without_room, Outcome::NotNow),
            None => Some(()),
        }
    }

    /// Answers for the inspections that have ended or take too long.
    fn finish(&mut self) -> Option<()> {
        let now = Instant::now();
        for mut inspection in std::mem::take(&mut self.inspections) {
            let process = inspection.process;
            match inspection.progress(now) {
                Progress::Running => self.inspections.push(inspection),
                Progress::Ended(runtime) => self.tell(process, runtime)?,
                Progress::Hung => {
                    self.lookups.hung += 1;
                    self.hung.push(inspection);
                    self.tell(process, None)?;
                }
            }
        }
        Some(())
    }

    /// Begins as many inspections as may run at once.
    fn begin(&mut self) -> Option<()> {
        while self.inspections.len() < MAX_AT_ONCE {
            let has_none = |user| self.inspections.iter().all(|inspection| inspection.user != user);
            let Some((user, process)) = self.queue.next(has_none) else { break };
            if is_refused(self.hung.iter().map(|hung| hung.user), user) {
                self.lookups.refused += 1;
                self.tell(process, None)?;
            } else if inspect::is_running(process)
                && let Ok(inspection) = Inspection::start(user, process)
            {
                self.inspections.push(inspection);
            } else {
                self.tell(process, None)?;
            }
        }
        Some(())
    }

    fn tell(&mut self, process: Process, runtime: Option<Runtime>) -> Option<()> {
        self.respond(process, Outcome::Told(runtime))
    }

    fn respond(&mut self, process: Process, outcome: Outcome) -> Option<()> {
        let response = Response { process, outcome, lookups: self.lookups };
        self.socket.write_all(&messages::encode_response(&response)).ok()
    }
}

/// Whether no further look-up may be begun for this user, given the users whose look-ups hang.
fn is_refused(hung: impl Iterator<Item = User>, user: User) -> bool {
    let (all, own) = hung.fold((0, 0), |(all, own), other| (all + 1, own + usize::from(other == user)));
    all >= MAX_HUNG || own >= MAX_HUNG_OF_USER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hung_lookups_are_bounded_for_a_user_and_for_all() {
        let refuses = |hung: &[User], user| is_refused(hung.iter().copied(), user);
        assert!(!refuses(&[5; MAX_HUNG_OF_USER - 1], 5));
        assert!(refuses(&[5; MAX_HUNG_OF_USER], 5) && !refuses(&[5; MAX_HUNG_OF_USER], 6));
        let all: Vec<User> = (0..16).collect();
        assert!(refuses(&all, 99) && !refuses(&all[1..], 99));
    }
}
