//! Standard output, written by a thread of its own: one that blocks (a paused pager) must not stop the watch, and one
//! that is closed (`| head`) must end it, also while nothing happens.

use std::{
    io::{self, Write as _},
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use tokio::sync::oneshot;

/// Chunks under way to the thread.
const CHUNKS: usize = 2;

/// What may wait for a standard output that blocks. Rows past it are lost, and counted.
const MAX_WAITING_BYTES: usize = 8 << 20;

/// How long the end of a watch waits for a standard output that blocks.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) struct Output {
    waiting: Vec<u8>,
    lost_rows: u64,
    thread: SyncSender<Vec<u8>>,
    ended: oneshot::Receiver<io::Error>,
    reader_gone: oneshot::Receiver<()>,
}

impl Output {
    pub(crate) fn new() -> Self {
        let (thread, chunks) = sync_channel::<Vec<u8>>(CHUNKS);
        let (report, ended) = oneshot::channel();
        thread::spawn(move || {
            let mut stdout = io::stdout().lock();
            for chunk in chunks {
                if let Err(error) = stdout.write_all(&chunk).and_then(|()| stdout.flush()) {
                    let _ = report.send(error);
                    return;
                }
            }
            // `report` is dropped: everything is written.
        });
        let (gone, reader_gone) = oneshot::channel();
        thread::spawn(move || {
            wait_for_reader_to_go();
            // Fails only when the watch is over.
            let _ = gone.send(());
        });
        Self { waiting: Vec::new(), lost_rows: 0, thread, ended, reader_gone }
    }

    /// Adds a row, or counts it as lost when too much is waiting.
    pub(crate) fn row(&mut self, text: &str) {
        if self.waiting.len() + text.len() > MAX_WAITING_BYTES {
            self.lost_rows += 1;
        } else {
            self.waiting.extend_from_slice(text.as_bytes());
        }
    }

    /// Adds what must not be lost.
    pub(crate) fn text(&mut self, text: &str) {
        self.waiting.extend_from_slice(text.as_bytes());
    }

    /// Hands over what is waiting, if the thread takes it.
    pub(crate) fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        if let Err(TrySendError::Full(chunk)) = self.thread.try_send(std::mem::take(&mut self.waiting)) {
            self.waiting = chunk;
        }
    }

    /// Whether something still waits for a thread that was busy.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(crate) fn lost_rows(&self) -> u64 {
        self.lost_rows
    }

    /// Comes back when standard output takes nothing more: Ok when its reader is gone.
    pub(crate) async fn closed(&mut self) -> io::Result<()> {
        tokio::select! {
            _ = &mut self.reader_gone => Ok(()),
            error = &mut self.ended => match error {
                Ok(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
                _ => Ok(()),
            },
        }
    }

    /// Writes what is left. False if standard output did not take it in time.
    pub(crate) async fn finish(mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while self.is_waiting() && Instant::now() < deadline {
            self.flush();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let all_sent = !self.is_waiting();
        drop(self.thread);
        let rest = deadline.saturating_duration_since(Instant::now());
        // The thread drops its end of the channel when all is written.
        let written = tokio::time::timeout(rest, self.ended).await;
        all_sent && matches!(written, Ok(Err(_)))
    }
}

/// Waits for the reader of a pipe or socket on standard output to go. Never comes back for a file: it has no reader.
fn wait_for_reader_to_go() {
    let stdout = io::stdout();
    // Errors and hang-ups are reported without being asked for (poll(2)).
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    while let Err(Errno::INTR) = poll(&mut fds, None) {}
}
