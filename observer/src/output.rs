//! Standard output: one that blocks (a paused pager) must not stop the watch, and one that is closed (`| head`) must end
//! it, also while nothing happens.

use std::{io, thread, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use tokio::sync::oneshot;

use crate::writer::Writer;

/// What may wait for a standard output that blocks. Rows past it are lost, and counted.
const MAX_WAITING_BYTES: usize = 8 << 20;

/// How long the end of a watch waits for a standard output that blocks.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) struct Output {
    writer: Writer,
    lost_rows: u64,
    reader_gone: oneshot::Receiver<()>,
}

impl Output {
    pub(crate) fn new() -> Self {
        let (gone, reader_gone) = oneshot::channel();
        thread::spawn(move || {
            wait_for_reader_to_go();
            // Fails only when the watch is over.
            let _ = gone.send(());
        });
        Self { writer: Writer::new(io::stdout()), lost_rows: 0, reader_gone }
    }

    /// Adds a row, or counts it as lost when too much is waiting.
    pub(crate) fn row(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.writer.waiting_bytes() > MAX_WAITING_BYTES {
            self.lost_rows += 1;
        } else {
            write(self.writer.waiting());
        }
    }

    /// Adds what must not be lost.
    pub(crate) fn text(&mut self, text: &str) {
        self.writer.add(text.as_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.writer.add(bytes);
    }

    /// Whether something is waiting, or on the way to who reads it.
    pub(crate) fn is_busy(&self) -> bool {
        self.writer.is_busy()
    }

    /// Hands over what is waiting, if the thread takes it.
    pub(crate) fn flush(&mut self) {
        self.writer.flush();
    }

    /// Whether something still waits for a thread that was busy.
    pub(crate) fn is_waiting(&self) -> bool {
        self.writer.waiting_bytes() > 0
    }

    /// Whether whoever can wait should, lest rows are lost.
    pub(crate) fn is_behind(&self) -> bool {
        self.writer.waiting_bytes() > MAX_WAITING_BYTES / 2
    }

    pub(crate) fn lost_rows(&self) -> u64 {
        self.lost_rows
    }

    /// Comes back when standard output takes nothing more: Ok when its reader is gone.
    pub(crate) async fn closed(&mut self) -> io::Result<()> {
        tokio::select! {
            _ = &mut self.reader_gone => Ok(()),
            error = self.writer.failed() => match error.kind() {
                io::ErrorKind::BrokenPipe => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// Writes what is left; an error if standard output does not take it, in time. That its reader is gone is none.
    pub(crate) async fn finish(self) -> io::Result<()> {
        match self.writer.finish(PATIENCE).await {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            finished => finished,
        }
    }
}

/// Waits for the reader of a pipe or socket on standard output to go. Never comes back for a file: it has no reader.
fn wait_for_reader_to_go() {
    let stdout = io::stdout();
    // Errors and hang-ups are reported without being asked for (poll(2)).
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    while let Err(Errno::INTR) = poll(&mut fds, None) {}
}
