//! A terminal without a person: a pseudo-terminal, and an emulator that reads what programs write to it. The tests of the
//! dashboard look at its screen, and `cargo xtask screenshot` draws it.

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

/// Columns and rows; neither is ever zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub columns: u16,
    pub rows: u16,
}

pub struct Terminal {
    /// The end of the one who looks and types; none when the line is cut.
    master: Option<Arc<OwnedFd>>,
    /// The end of the programs, kept so that it stays what it is between them.
    slave: OwnedFd,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

/// The screen did not come to show what was waited for.
#[derive(Debug)]
pub struct NotShown {
    limit: Duration,
    screen: String,
}

impl fmt::Display for NotShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not within {:?} on this screen:\n{}", self.limit, self.screen)
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

    /// Lets a command start on this terminal, as the first process of its session, and know what it can do. What is
    /// redirected or said otherwise after this stays so.
    pub fn attach(&self, command: &mut Command) -> io::Result<()> {
        let slave = self.slave.try_clone()?;
        command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave.try_clone()?);
        for name in ["NO_COLOR", "COLORTERM", "LC_ALL", "LC_CTYPE"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
        let take = move || {
            setsid()?;
            Ok(ioctl_tiocsctty(&slave)?)
        };
        // SAFETY: between fork and exec there are two system calls, and nothing that takes a lock or memory.
        unsafe { command.pre_exec(take) };
        Ok(())
    }

    /// Types.
    pub fn send(&self, keys: &str) -> io::Result<()> {
        let mut bytes = keys.as_bytes();
        while !bytes.is_empty() {
            bytes = &bytes[rustix::io::write(self.master()?, bytes)?..];
        }
        Ok(())
    }

    /// The kernel tells the processes in the foreground.
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

    /// Writes as a program would that has the terminal as well.
    pub fn write(&self, text: &str) -> io::Result<()> {
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            bytes = &bytes[rustix::io::write(&self.slave, bytes)?..];
        }
        Ok(())
    }

    /// From now on nobody reads what programs write, until [`Self::read_on`].
    pub fn read_no_more(&self) {
        self.shared.set_paused(true);
    }

    pub fn read_on(&self) {
        self.shared.set_paused(false);
    }

    /// Closes the window: to the programs, the line is cut.
    pub fn hang_up(&mut self) {
        self.shared.close();
        self.master = None;
        if let Some(reader) = self.reader.take() {
            // What it panicked of is on stderr.
            let _ = reader.join();
        }
    }

    /// Looks at the screen.
    pub fn look<T>(&self, at: impl FnOnce(&vt100::Screen) -> T) -> T {
        at(self.shared.lock().parser.screen())
    }

    /// The rows that are seen.
    pub fn text(&self) -> String {
        self.look(vt100::Screen::contents)
    }

    /// The rows that have scrolled out of sight too.
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

    /// Waits until the screen is as asked, and says when it was.
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
        self.master.as_deref().ok_or_else(|| io::Error::other("the terminal is gone"))
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
