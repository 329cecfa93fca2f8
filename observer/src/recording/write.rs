//! Writing a recording beside a watch. A thread writes; a disk that is slow or full costs the recording and never the
//! watch.

use std::{
    collections::HashMap,
    fs::File,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use serde::Serialize;

use super::format::{EventLine, Header, KeyLine, Line, LossLine, SampleLine};
use crate::{
    event::{About, Event, GroupKey, GroupSample, Listing, LossSample, Sample, SocketState},
    tracker::{Notice, Row},
    writer::Writer,
};

/// From so much on a chunk is worth handing over.
const CHUNK_BYTES: usize = 64 << 10;

/// What may wait for a slow disk. Events past it are lost, and counted.
const MAX_WAITING_BYTES: usize = 8 << 20;

/// A sample is never left out, because the next one builds on it. So past this the recording ends.
const GIVE_UP_BYTES: usize = 4 * MAX_WAITING_BYTES;

/// How long the end of a watch waits for a slow disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where `--record` goes; opened before anything is attached.
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
    /// None: the recording has ended before the watch.
    writer: Option<Writer>,
    /// Groups as they were last written.
    groups: HashMap<GroupKey, GroupSample>,
    loss: LossSample,
    /// States of sockets as they were last written, in an order of their own, and how many ports there were.
    listing: Option<(Vec<SocketState>, u64)>,
    lost_events: u64,
    /// What has not been said yet.
    notices: Vec<Notice>,
}

impl Recorder {
    /// The kind of its notices.
    pub(crate) const NOTICE: &str = "record";

    /// Starts a thread.
    pub(crate) fn start(RecordingFile { file, path }: RecordingFile, about: &About, max_connections: u32) -> Self {
        let mut recorder = Self {
            path,
            writer: Some(Writer::new(file)),
            groups: HashMap::new(),
            loss: LossSample::default(),
            listing: None,
            lost_events: 0,
            notices: Vec::new(),
        };
        recorder.write(&Header::new(about, max_connections));
        recorder
    }

    pub(crate) fn event(&mut self, row: &Row) {
        let Some(writer) = &mut self.writer else { return };
        if writer.waiting_bytes() > MAX_WAITING_BYTES {
            if self.lost_events == 0 {
                self.notice("takes too long to write: events are left out of the recording");
            }
            self.lost_events += 1;
            return;
        }
        let event = &row.event;
        let Event { unix_ns, kind, group, .. } = *event;
        let connection = event.connection.clone();
        self.write(&Line::Event(EventLine { unix_ns, kind, id: row.id, group, connection }));
    }

    /// Events that the recording misses.
    pub(crate) fn lost_events(&self) -> u64 {
        self.lost_events
    }

    /// Writes what has changed, and hands everything over to the disk.
    pub(crate) fn sample(&mut self, unix_ns: i64, sample: &Sample) {
        if self.writer.is_some() {
            let line = self.difference(unix_ns, sample);
            self.write(&Line::Sample(line));
            self.flush();
        }
    }

    fn difference(&mut self, unix_ns: i64, sample: &Sample) -> SampleLine {
        let mut before = std::mem::take(&mut self.groups);
        let mut groups = Vec::new();
        for group in &sample.groups {
            if before.remove(&group.key).as_ref() != Some(group) {
                groups.push(group.into());
            }
            if !group.ended {
                self.groups.insert(group.key, group.clone());
            }
        }
        let gone = before.into_keys().map(KeyLine).collect();
        let loss = (sample.loss != self.loss).then_some(LossLine(sample.loss));
        self.loss = sample.loss;
        let listing = sample.listing.as_ref().filter(|listing| self.is_new(listing)).map(Into::into);
        SampleLine { unix_ns, groups, gone, loss, listing }
    }

    /// Whether it is another one than before, and not only in another order.
    fn is_new(&mut self, listing: &Listing) -> bool {
        let mut states = listing.states.clone();
        states.sort_unstable_by_key(|state| (state.remote, state.port, state.state));
        let now = Some((states, listing.local_ports));
        let is_new = now != self.listing;
        self.listing = now;
        is_new
    }

    /// What there is to say about the recording.
    pub(crate) fn notices(&mut self) -> Vec<Notice> {
        if let Some(error) = self.writer.as_mut().and_then(Writer::failure) {
            self.give_up(&error);
        }
        std::mem::take(&mut self.notices)
    }

    /// Ends the recording at this time, in order.
    pub(crate) async fn finish(mut self, unix_ns: i64) -> Vec<Notice> {
        self.write(&Line::End { unix_ns });
        if let Some(writer) = self.writer.take()
            && let Err(error) = writer.finish(PATIENCE).await
        {
            self.give_up(&error);
        }
        self.notices
    }

    fn write(&mut self, line: &impl Serialize) {
        let Some(writer) = &mut self.writer else { return };
        match serde_json::to_vec(line) {
            Ok(mut bytes) => {
                bytes.push(b'\n');
                writer.add(&bytes);
            }
            Err(error) => return self.give_up(&error.into()),
        }
        if writer.waiting_bytes() >= CHUNK_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let Some(writer) = &mut self.writer else { return };
        writer.flush();
        if writer.waiting_bytes() > GIVE_UP_BYTES {
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
