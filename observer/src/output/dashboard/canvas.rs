//! Frames as the bytes that turn the last frame into the next. They go to the thread that writes standard output.

use std::{cell::RefCell, io, rc::Rc};

use anyhow::Context as _;
use observer_core::views::Tui;
use ratatui::{Terminal, backend::CrosstermBackend, buffer::Buffer};

pub(super) struct Canvas {
    terminal: Terminal<CrosstermBackend<Bytes>>,
    bytes: Bytes,
    /// The last frame.
    last: Buffer,
}

impl Canvas {
    pub(super) fn new() -> anyhow::Result<Self> {
        let bytes = Bytes::default();
        Ok(Self { terminal: terminal(&bytes)?, bytes, last: Buffer::default() })
    }

    /// Returns no bytes for a frame that looks like the last one.
    pub(super) fn draw(&mut self, tui: &mut Tui) -> io::Result<Vec<u8>> {
        let drawn = self.terminal.draw(|frame| tui.draw(frame)).map(|frame| {
            let is_new = frame.buffer != &self.last;
            if is_new {
                self.last.clone_from(frame.buffer);
            }
            is_new
        });
        let bytes = self.bytes.0.take();
        // For an unchanged frame, the bytes only move the cursor.
        drawn.map(|is_new| if is_new { bytes } else { Vec::new() })
    }

    /// Forgets the last frame. The next one is drawn in full.
    pub(super) fn forget(&mut self) {
        match terminal(&self.bytes) {
            Ok(terminal) => (self.terminal, self.last) = (terminal, Buffer::default()),
            // The terminal is gone, and a signal follows.
            Err(error) => log::debug!("{error:#}"),
        }
    }
}

fn terminal(bytes: &Bytes) -> anyhow::Result<Terminal<CrosstermBackend<Bytes>>> {
    Terminal::new(CrosstermBackend::new(bytes.clone())).context("cannot tell the size of the terminal")
}

/// Collects what a frame writes.
#[derive(Clone, Default)]
struct Bytes(Rc<RefCell<Vec<u8>>>);

impl io::Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
