//! A file that is written by a thread of its own, so that one that blocks (a paused pager, a slow disk) does not stop the
//! watch.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

/// Chunks under way to the thread.
const CHUNKS: usize = 2;

/// A chunk with more room than this is not used again: what a burst needed is given back.
const KEPT_BYTES: usize = 512 << 10;

pub(crate) struct Writer {
    waiting: Vec<u8>,
    thread: SyncSender<Vec<u8>>,
    /// Chunks that are written, to be filled again: fresh memory costs a page fault every ten rows.
    empty: Receiver<Vec<u8>>,
    /// Chunks that were handed over and are not written yet.
    under_way: Arc<AtomicUsize>,
    ended: oneshot::Receiver<io::Error>,
}

impl Writer {
    pub(crate) fn new(mut file: impl Write + Send + 'static) -> Self {
        let (thread, chunks) = sync_channel::<Vec<u8>>(CHUNKS);
        let (give_back, empty) = channel();
        let (report, ended) = oneshot::channel();
        let under_way = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&under_way);
        thread::spawn(move || {
            for mut chunk in chunks {
                if let Err(error) = file.write_all(&chunk).and_then(|()| file.flush()) {
                    let _ = report.send(error);
                    return;
                }
                left.fetch_sub(1, Ordering::Relaxed);
                chunk.clear();
                if chunk.capacity() <= KEPT_BYTES {
                    // Nobody wants it when the watch is over.
                    let _ = give_back.send(chunk);
                }
            }
            // `report` is dropped: everything is written.
        });
        Self { waiting: Vec::new(), thread, empty, under_way, ended }
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// Where more can be added.
    pub(crate) fn waiting(&mut self) -> &mut Vec<u8> {
        &mut self.waiting
    }

    /// Hands over what is waiting, if the thread takes it.
    pub(crate) fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        self.under_way.fetch_add(1, Ordering::Relaxed);
        match self.thread.try_send(std::mem::take(&mut self.waiting)) {
            Ok(()) => self.waiting = self.empty.try_recv().unwrap_or_default(),
            Err(refused) => {
                self.under_way.fetch_sub(1, Ordering::Relaxed);
                if let TrySendError::Full(chunk) = refused {
                    self.waiting = chunk;
                }
            }
        }
    }

    /// Whether anything is not written yet.
    pub(crate) fn is_busy(&self) -> bool {
        !self.waiting.is_empty() || self.under_way.load(Ordering::Relaxed) > 0
    }

    /// What still waits for a thread that is busy.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting.len()
    }

    /// Comes back when nothing more can be written.
    pub(crate) async fn failed(&mut self) -> io::Error {
        (&mut self.ended).await.unwrap_or_else(|_| ended_early())
    }

    /// Why nothing more can be written, if so.
    pub(crate) fn failure(&mut self) -> Option<io::Error> {
        match self.ended.try_recv() {
            Ok(error) => Some(error),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(ended_early()),
        }
    }

    /// Writes what is left, as long as that takes no longer than `patience`.
    pub(crate) async fn finish(mut self, patience: Duration) -> io::Result<()> {
        let deadline = Instant::now() + patience;
        while self.waiting_bytes() > 0 && Instant::now() < deadline {
            self.flush();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let all_sent = self.waiting.is_empty();
        drop(self.thread);
        let rest = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(rest, self.ended).await {
            Ok(Ok(error)) => Err(error),
            // The thread drops its end of the channel when all is written.
            Ok(Err(_)) if all_sent => Ok(()),
            Ok(Err(_)) | Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// The thread has panicked.
fn ended_early() -> io::Error {
    io::Error::other("the thread that writes has ended")
}
