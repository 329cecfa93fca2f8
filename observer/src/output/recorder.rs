//! Records a watch to a file. A thread writes the file, so a slow or full disk may cost the recording but never the
//! watch.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use observer_core::{
    model::{Sample, WatchInfo},
    recording::Encoder,
    tracker::{Notice, Row},
};

use super::writer::Writer;

/// The recording passes chunks of this size to the thread.
const CHUNK_BYTES: usize = 64 << 10;

/// Queue limit for a slow disk. Events beyond it are dropped and counted.
const MAX_QUEUED_BYTES: usize = 8 << 20;

/// Samples are never dropped, because the next one builds on them. So the recording ends when the queue reaches this
/// size.
const GIVE_UP_BYTES: usize = 4 * MAX_QUEUED_BYTES;

/// How long to wait for a slow disk at the end of a watch.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);

/// The file of `--record`. It is opened before anything is attached.
pub(crate) struct RecordingFile {
    file: File,
    path: PathBuf,
}

impl RecordingFile {
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot write the recording to {}", path.display()))?;
        Ok(Self { file, path: path.into() })
    }
}

pub(crate) struct Recorder {
    path: PathBuf,
    /// None: the recording has ended early.
    writer: Option<Writer>,
    encoder: Encoder,
    lost_events: u64,
    /// Notices that are not shown yet.
    notices: Vec<Notice>,
}

impl Recorder {
    /// The kind of the recorder's notices.
    pub(crate) const NOTICE: &str = "record";

    /// Starts a thread.
    pub(crate) fn start(RecordingFile { file, path }: RecordingFile, about: &WatchInfo, max_connections: u32) -> Self {
        let mut recorder = Self {
            path,
            writer: Some(Writer::new(file)),
            encoder: Encoder::default(),
            lost_events: 0,
            notices: Vec::new(),
        };
        recorder.write(recorder.encoder.header(about, max_connections));
        recorder
    }

    pub(crate) fn event(&mut self, row: &Row) {
        let Some(writer) = &mut self.writer else { return };
        if writer.queued_bytes() > MAX_QUEUED_BYTES {
            if self.lost_events == 0 {
                self.notice("is written too slowly: events are left out of the recording");
            }
            self.lost_events += 1;
            return;
        }
        self.write(self.encoder.event(row));
    }

    /// Events dropped from the recording.
    pub(crate) fn lost_events(&self) -> u64 {
        self.lost_events
    }

    /// Records the changes since the last sample, and passes the queue to the thread.
    pub(crate) fn sample(&mut self, unix_ns: i64, sample: &Sample) {
        if self.writer.is_some() {
            let line = self.encoder.sample(unix_ns, sample);
            self.write(line);
            self.flush();
        }
    }

    /// Records that the counts are incomplete from here on.
    pub(crate) fn lose_counts(&mut self, unix_ns: i64) {
        if self.writer.is_some() {
            let line = self.encoder.lost_counts(unix_ns);
            self.write(line);
        }
    }

    /// Takes the notices since the last call.
    pub(crate) fn notices(&mut self) -> Vec<Notice> {
        if let Some(error) = self.writer.as_mut().and_then(Writer::failure) {
            self.give_up(&error);
        }
        std::mem::take(&mut self.notices)
    }

    /// Writes the end record and waits for the thread.
    pub(crate) async fn finish(mut self, unix_ns: i64) -> Vec<Notice> {
        self.write(self.encoder.end(unix_ns));
        if let Some(writer) = self.writer.take()
            && let Err(error) = writer.finish(Some(FINISH_TIMEOUT)).await
        {
            self.give_up(&error);
        }
        self.notices
    }

    fn write(&mut self, line: serde_json::Result<Vec<u8>>) {
        let Some(writer) = &mut self.writer else { return };
        match line {
            Ok(bytes) => writer.add(&bytes),
            Err(error) => return self.give_up(&error.into()),
        }
        if writer.queued_bytes() >= CHUNK_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let Some(writer) = &mut self.writer else { return };
        writer.flush();
        if writer.queued_bytes() > GIVE_UP_BYTES {
            self.give_up(&io::ErrorKind::TimedOut.into());
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        self.writer = None;
        self.notice(&format!("cannot be written any more, so the recording ends: {error}"));
    }

    fn notice(&mut self, what: &str) {
        self.notices.push(Notice { kind: Self::NOTICE, message: format!("{} {what}", self.path.display()) });
    }
}

#[cfg(test)]
mod tests;
