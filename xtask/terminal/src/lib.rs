//! A terminal for tests: a pseudo-terminal, and an emulator that reads the output of programs on it. The tests of the
//! dashboard read its screen, and `cargo xtask screenshot` draws it.

mod modes;
mod reader;

use std::{
    fmt, io,
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    process::Command,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::{
    process::{ioctl_tiocsctty, setsid},
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize},
};
pub use vt100;

pub use modes::Modes;
use reader::{Shared, read};

/// Columns and rows. Neither is ever 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub columns: u16,
    pub rows: u16,
}

/// A pseudo-terminal and its screen.
pub struct Terminal {
    /// The end of the user; None after a hang-up.
    master: Option<Arc<OwnedFd>>,
    /// The end of the programs. It stays open, so that the modes survive between programs.
    slave: OwnedFd,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

/// Timed out waiting for the screen.
#[derive(Debug)]
pub struct NotShown {
    limit: Duration,
    screen: String,
}

impl fmt::Display for NotShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timed out after {:?}; the screen:\n{}", self.limit, self.screen)
    }
}

impl std::error::Error for NotShown {}

impl Terminal {
    pub fn open(size: Size) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let slave = ioctl_tiocgptpeer(&master, flags)?;
        tcsetwinsize(&slave, window(size))?;
        let (master, shared) = (Arc::new(master), Arc::new(Shared::new(size)));
        let reader = {
            let (master, shared) = (Arc::clone(&master), Arc::clone(&shared));
            std::thread::spawn(move || read(&master, &shared))
        };
        Ok(Self { master: Some(master), slave, shared, reader: Some(reader) })
    }

    /// Makes a command start on this terminal, as the first process of its session, and sets TERM and the locale. The
    /// caller may redirect the command or change its environment afterwards.
    pub fn attach(&self, command: &mut Command) -> io::Result<()> {
        let slave = self.slave.try_clone()?;
        command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave.try_clone()?);
        for name in ["NO_COLOR", "COLORTERM", "LC_ALL", "LC_CTYPE"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
        let take = move || {
            // A test that runs under nohup ignores SIGHUP, and so would the program.
            // SAFETY: SIG_DFL is no handler of ours.
            unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
            setsid()?;
            Ok(ioctl_tiocsctty(&slave)?)
        };
        // SAFETY: between fork and exec there are three system calls, which take no lock and allocate nothing.
        unsafe { command.pre_exec(take) };
        Ok(())
    }

    /// Types the keys.
    pub fn send(&self, keys: &str) -> io::Result<()> {
        let mut bytes = keys.as_bytes();
        while !bytes.is_empty() {
            bytes = &bytes[rustix::io::write(self.master()?, bytes)?..];
        }
        Ok(())
    }

    /// Changes the size. The kernel sends SIGWINCH to the foreground processes.
    pub fn resize(&self, size: Size) -> io::Result<()> {
        self.shared.resize(size);
        Ok(tcsetwinsize(self.master()?, window(size))?)
    }

    pub fn modes(&self) -> io::Result<Modes> {
        Ok(Modes(tcgetattr(&self.slave)?))
    }

    pub fn set_modes(&self, modes: &Modes) -> io::Result<()> {
        Ok(tcsetattr(&self.slave, OptionalActions::Now, &modes.0)?)
    }

    /// Writes to the terminal as another program would.
    pub fn write(&self, text: &str) -> io::Result<()> {
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            bytes = &bytes[rustix::io::write(&self.slave, bytes)?..];
        }
        Ok(())
    }

    /// Stops reading the output of programs until [`Self::read_on`].
    pub fn read_no_more(&self) {
        self.shared.set_paused(true);
    }

    pub fn read_on(&self) {
        self.shared.set_paused(false);
    }

    /// Closes the user's end, as closing a window does. Programs get SIGHUP.
    pub fn hang_up(&mut self) {
        self.shared.close();
        self.master = None;
        if let Some(reader) = self.reader.take() {
            // A panic of the reader is on stderr already.
            let _ = reader.join();
        }
    }

    /// Calls `read` with the screen.
    pub fn look<T>(&self, read: impl FnOnce(&vt100::Screen) -> T) -> T {
        read(self.shared.lock().parser.screen())
    }

    /// The visible rows.
    pub fn text(&self) -> String {
        self.look(vt100::Screen::contents)
    }

    /// The visible rows and those that have scrolled out of sight.
    #[must_use]
    pub fn whole_text(&self) -> String {
        let mut state = self.shared.lock();
        let screen = state.parser.screen_mut();
        let (_, columns) = screen.size();
        let mut lines = Vec::new();
        for above in (1..=screen.scrollback_len()).rev() {
            screen.set_scrollback(above);
            lines.extend(screen.rows(0, columns.get()).next());
        }
        screen.set_scrollback(0);
        lines.extend(screen.rows(0, columns.get()));
        let text: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
        text.join("\n").trim_end().into()
    }

    /// Waits until `is_there`, and returns the time of the last change.
    pub fn wait(&self, limit: Duration, mut is_there: impl FnMut(&vt100::Screen) -> bool) -> Result<Instant, NotShown> {
        let end = Instant::now() + limit;
        let mut state = self.shared.lock();
        loop {
            if is_there(state.parser.screen()) {
                return Ok(state.changed_at);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(NotShown { limit, screen: state.parser.screen().contents() });
            }
            state = self.shared.wait(state, left);
        }
    }

    fn master(&self) -> io::Result<&OwnedFd> {
        self.master.as_deref().ok_or_else(|| io::Error::other("the terminal has hung up"))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.hang_up();
    }
}

fn window(size: Size) -> Winsize {
    Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 }
}
