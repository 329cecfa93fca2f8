//! The modes of a terminal: echo, line editing, signals.

use std::fmt;

use rustix::termios::{LocalModes, Termios};

/// Equal if all flags and all special characters are equal.
#[derive(Clone)]
pub struct Modes(pub(crate) Termios);

impl Modes {
    /// Whether programs get single keys without echo, as full-screen programs need.
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
