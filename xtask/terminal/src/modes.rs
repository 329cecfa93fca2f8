//! What a terminal does with what is typed and written: echo, lines, signals.

use std::fmt;

use rustix::termios::{LocalModes, Termios};

/// Two are the same when every flag and every special character is.
#[derive(Clone)]
pub struct Modes(pub(crate) Termios);

impl Modes {
    /// Keys come one by one and unseen, as full-screen programs want them.
    #[must_use]
    pub fn are_raw(&self) -> bool {
        !self.0.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
    }
}

impl PartialEq for Modes {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Modes {}

impl fmt::Display for Modes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for Modes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
