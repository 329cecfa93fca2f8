//! A file with its own writer thread. A file that blocks (a paused pager, a slow disk) blocks the thread, not the
//! watch.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel},
    },
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

/// Chunks in flight to the thread.
const CHUNKS: usize = 2;

/// Larger chunks are freed instead of reused, or a burst would keep its memory.
const KEPT_BYTES: usize = 512 << 10;

/// How soon to retry when the thread that writes is busy.
const FLUSH_RETRY: Duration = Duration::from_millis(5);

pub(crate) struct Writer {
    queue: Vec<u8>,
    thread: SyncSender<Vec<u8>>,
    /// Written chunks, for reuse: fresh memory costs a page fault every ten rows.
    empty: Receiver<Vec<u8>>,
    /// Chunks that the thread has not written yet.
    in_flight: Arc<AtomicUsize>,
    ended: oneshot::Receiver<io::Error>,
}

impl Writer {
    pub(crate) fn new(mut file: impl Write + Send + 'static) -> Self {
        let (thread, chunks) = sync_channel::<Vec<u8>>(CHUNKS);
        let (give_back, empty) = channel();
        let (report, ended) = oneshot::channel();
        let in_flight = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&in_flight);
        thread::spawn(move || {
            for mut chunk in chunks {
                if let Err(error) = file.write_all(&chunk).and_then(|()| file.flush()) {
                    let _ = report.send(error);
                    return;
                }
                left.fetch_sub(1, Ordering::Relaxed);
                chunk.clear();
                if chunk.capacity() <= KEPT_BYTES {
                    // Fails only after the watch has ended.
                    let _ = give_back.send(chunk);
                }
            }
            // Dropping `report` says that everything is written.
        });
        Self { queue: Vec::new(), thread, empty, in_flight, ended }
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.queue.extend_from_slice(bytes);
    }

    /// The queue, to append to.
    pub(crate) fn queue(&mut self) -> &mut Vec<u8> {
        &mut self.queue
    }

    /// Passes the queue to the thread, unless that is busy.
    pub(crate) fn flush(&mut self) {
        if self.queue.is_empty() {
            return;
        }
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        match self.thread.try_send(std::mem::take(&mut self.queue)) {
            Ok(()) => self.queue = self.empty.try_recv().unwrap_or_default(),
            Err(refused) => {
                self.in_flight.fetch_sub(1, Ordering::Relaxed);
                if let TrySendError::Full(chunk) = refused {
                    self.queue = chunk;
                }
            }
        }
    }

    /// Whether anything is not written yet.
    pub(crate) fn is_busy(&self) -> bool {
        !self.queue.is_empty() || self.in_flight.load(Ordering::Relaxed) > 0
    }

    /// Bytes queued while the thread is busy.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queue.len()
    }

    /// Completes when writing has failed.
    pub(crate) async fn failed(&mut self) -> io::Error {
        (&mut self.ended).await.unwrap_or_else(|_| ended_early())
    }

    /// The error if writing has failed.
    pub(crate) fn failure(&mut self) -> Option<io::Error> {
        match self.ended.try_recv() {
            Ok(error) => Some(error),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(ended_early()),
        }
    }

    /// Writes the queue. Fails if that takes longer than `timeout`; without one it waits for as long as it takes.
    pub(crate) async fn finish(self, timeout: Option<Duration>) -> io::Result<()> {
        let Some(timeout) = timeout else { return self.write_all().await };
        tokio::time::timeout(timeout, self.write_all()).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn write_all(mut self) -> io::Result<()> {
        loop {
            self.flush();
            if self.queue.is_empty() {
                break;
            }
            if let Some(error) = self.failure() {
                return Err(error);
            }
            tokio::time::sleep(FLUSH_RETRY).await;
        }
        drop(self.thread);
        // The thread drops its end of the channel when everything is written.
        self.ended.await.map_or(Ok(()), Err)
    }
}

/// The thread panicked.
fn ended_early() -> io::Error {
    io::Error::other("the thread that writes has ended")
}
