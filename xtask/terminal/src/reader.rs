//! The thread that reads the output of programs into the screen.

use std::{
    num::NonZeroU16,
    os::fd::OwnedFd,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use crate::Size;

/// Rows of scrollback.
const HISTORY: usize = 10_000;

/// Interval at which the reader checks whether it is paused or closed.
const INTERVAL: Duration = Duration::from_millis(10);

pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

pub(crate) struct State {
    pub(crate) parser: vt100::Parser,
    pub(crate) changed_at: Instant,
    is_paused: bool,
    is_closed: bool,
}

impl Shared {
    pub(crate) fn new(size: Size) -> Self {
        let (rows, columns) = cells(size);
        let parser = vt100::Parser::new(rows, columns, HISTORY);
        let state = State { parser, changed_at: Instant::now(), is_paused: false, is_closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Ignores poisoning: a test that panicked while it read the screen left it intact.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the screen changes, or until the limit.
    pub(crate) fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn resize(&self, size: Size) {
        let (rows, columns) = cells(size);
        self.lock().parser.screen_mut().set_size(rows, columns);
    }

    pub(crate) fn set_paused(&self, is_paused: bool) {
        self.lock().is_paused = is_paused;
    }

    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
    }

    fn apply(&self, bytes: &[u8]) {
        let mut state = self.lock();
        state.parser.process(bytes);
        state.changed_at = Instant::now();
        self.changed.notify_all();
    }
}

/// Reads until the terminal is closed.
pub(crate) fn read(master: &OwnedFd, shared: &Shared) {
    let mut buffer = vec![0; 64 << 10];
    let interval = Timespec::try_from(INTERVAL).unwrap_or_default();
    loop {
        let State { is_paused, is_closed, .. } = *shared.lock();
        if is_closed {
            return;
        }
        if is_paused {
            sleep(INTERVAL);
            continue;
        }
        let readable = poll(&mut [PollFd::new(master, PollFlags::IN)], Some(&interval));
        match readable.and_then(|count| if count == 0 { Ok(0) } else { rustix::io::read(master, &mut buffer[..]) }) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(count) => shared.apply(&buffer[..count]),
            Err(error) => panic!("cannot read the pseudo-terminal: {error}"),
        }
    }
}

fn cells(size: Size) -> (NonZeroU16, NonZeroU16) {
    let some = |count| NonZeroU16::new(count).unwrap_or(NonZeroU16::MIN);
    (some(size.rows), some(size.columns))
}
