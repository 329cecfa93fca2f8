//! Standard output. When it blocks (a paused pager) the watch goes on; when it is closed (`| head`) the watch ends,
//! even if no connection is opened or closed.

use std::{fs::File, io, os::fd::AsFd, path::Path, thread, time::Duration};

use anyhow::Context as _;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use tokio::sync::oneshot;

use super::writer::Writer;

/// Queue limit while standard output blocks. Rows beyond it are dropped and counted.
const MAX_QUEUED_BYTES: usize = 8 << 20;

/// Where output goes.
pub(crate) enum Target {
    StandardOutput,
    /// A command that is watched has standard output for itself.
    StandardError,
    File(File),
}

impl Target {
    /// Opens the file of `--output-file`.
    pub(crate) fn open(path: Option<&Path>, has_command: bool) -> anyhow::Result<Self> {
        Ok(match path {
            Some(path) => Self::File(
                File::create(path).with_context(|| format!("cannot write the output to {}", path.display()))?,
            ),
            None if has_command => Self::StandardError,
            None => Self::StandardOutput,
        })
    }
}

pub(crate) struct Stdout {
    writer: Writer,
    lost_rows: u64,
    reader_gone: oneshot::Receiver<()>,
}

impl Stdout {
    pub(crate) fn new(target: Target) -> Self {
        let (gone, reader_gone) = oneshot::channel();
        let writer = match target {
            Target::StandardOutput => {
                watch_reader(io::stdout(), gone);
                Writer::new(io::stdout())
            }
            Target::StandardError => {
                watch_reader(io::stderr(), gone);
                Writer::new(io::stderr())
            }
            // It has no reader.
            Target::File(file) => {
                std::mem::forget(gone);
                Writer::new(file)
            }
        };
        Self { writer, lost_rows: 0, reader_gone }
    }

    /// Queues a row, or counts it as lost when the queue is full.
    pub(crate) fn row(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.writer.queued_bytes() > MAX_QUEUED_BYTES {
            self.lost_rows += 1;
        } else {
            write(self.writer.queue());
        }
    }

    /// Queues text that must not be dropped.
    pub(crate) fn text(&mut self, text: &str) {
        self.writer.add(text.as_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.writer.add(bytes);
    }

    /// Whether anything is queued or not written yet.
    pub(crate) fn is_busy(&self) -> bool {
        self.writer.is_busy()
    }

    /// Passes the queue to the thread that writes, unless that is busy.
    pub(crate) fn flush(&mut self) {
        self.writer.flush();
    }

    /// Whether anything is queued because the thread that writes was busy.
    pub(crate) fn has_queued(&self) -> bool {
        self.writer.queued_bytes() > 0
    }

    /// Backpressure: producers that can wait should, or rows are dropped.
    pub(crate) fn is_behind(&self) -> bool {
        self.writer.queued_bytes() > MAX_QUEUED_BYTES / 2
    }

    pub(crate) fn lost_rows(&self) -> u64 {
        self.lost_rows
    }

    /// Completes when standard output accepts no more: Ok if its reader is gone.
    pub(crate) async fn closed(&mut self) -> io::Result<()> {
        tokio::select! {
            _ = &mut self.reader_gone => Ok(()),
            error = self.writer.failed() => match error.kind() {
                io::ErrorKind::BrokenPipe => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// Writes the queue. Fails if standard output does not accept it in time. A closed pipe is not a failure.
    pub(crate) async fn finish(self, timeout: Option<Duration>) -> io::Result<()> {
        match self.writer.finish(timeout).await {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            finished => finished,
        }
    }
}

/// Tells when the reader of a pipe or socket is gone. Never for a file, which has no reader.
fn watch_reader(file: impl AsFd + Send + 'static, gone: oneshot::Sender<()>) {
    thread::spawn(move || {
        // Errors and hang-ups are reported without being asked for (poll(2)).
        let mut fds = [PollFd::new(&file, PollFlags::empty())];
        while let Err(Errno::INTR) = poll(&mut fds, None) {}
        // Fails only after the watch has ended.
        let _ = gone.send(());
    });
}
