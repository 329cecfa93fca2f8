//! Reads a recording. Malformed input is rejected with its line number, never trusted.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    io::{BufRead, Read as _},
    path::{Path, PathBuf},
};

use anyhow::anyhow;
use serde::de::DeserializeOwned;

use super::format::{EventLine, FORMAT, Header, KeyRepr, Line, LossRepr, SampleLine, Version};
use crate::{
    model::{
        Connection, ConnectionKey, Event, GroupCounters, GroupKey, GroupSample, Listing, Lookups, LossSample, Sample,
        WatchInfo,
    },
    printable::printable,
    time_base::MAX_UNIX_NS,
};

/// A sample of 10,000 groups takes some 3 MB.
const MAX_LINE_BYTES: u64 = 64 << 20;

/// Upper bound of each counter, which keeps sums from overflowing. It allows a million counts a second for half a year.
pub(super) const MAX_COUNT: u64 = 1 << 44;

/// Upper bound of how long a connection lives (ten years), for the same reason.
pub(super) const MAX_LIFETIME_US: u64 = 10 * 365 * 86_400 * 1_000_000;

/// One item of the tracker's input.
#[derive(Debug)]
pub enum Record {
    Event(Event),
    Sample { unix_ns: i64, sample: Sample },
    End { unix_ns: i64 },
}

impl Record {
    pub fn unix_ns(&self) -> i64 {
        match self {
            Self::Event(event) => event.unix_ns,
            Self::Sample { unix_ns, .. } | Self::End { unix_ns } => *unix_ns,
        }
    }
}

/// A recording opened for reading.
#[derive(Debug)]
pub struct Recording {
    lines: Lines,
    header: Header,
    /// The state at the last sample, to which the next one is a difference.
    groups: BTreeMap<GroupKey, GroupSample>,
    loss: LossSample,
}

impl Recording {
    /// Reads the header. `path` names the file in errors.
    pub fn new(path: &Path, reader: impl BufRead + Send + 'static) -> anyhow::Result<Self> {
        let mut lines = Lines { path: path.into(), number: 0, reader: Box::new(reader) };
        let header = header(&mut lines)?;
        Ok(Self { lines, header, groups: BTreeMap::new(), loss: LossSample::default() })
    }

    pub fn about(&self) -> WatchInfo {
        self.header.about()
    }

    /// Version of the program that wrote it. Empty if unknown.
    pub fn version(&self) -> &str {
        &self.header.version
    }

    /// Maximum number of connections that the kernel side tracked at a time.
    pub fn max_connections(&self) -> usize {
        self.header.max_connections.max(1) as usize
    }

    /// Reads the next record. A recording that does not finish with [`Record::End`] is an error.
    pub fn read(&mut self) -> anyhow::Result<Record> {
        let bytes = self.lines.next()?.ok_or_else(|| self.lines.error("cut off: the recording goes on no further"))?;
        let record = match self.lines.parse(&bytes)? {
            Line::Event(line) if is_sane_connection(&line.connection) => Record::Event(event(line)),
            Line::Event(_) => return Err(self.lines.error("a number of the connection is out of range")),
            Line::Sample(line) => Record::Sample { unix_ns: line.unix_ns, sample: self.apply(line)? },
            Line::End { unix_ns } => Record::End { unix_ns },
        };
        if matches!(record, Record::End { .. }) && self.lines.next()?.is_some() {
            return Err(self.lines.error("something follows the end of the recording"));
        }
        if !(0..=MAX_UNIX_NS).contains(&record.unix_ns()) {
            return Err(self.lines.error("its time is out of range"));
        }
        Ok(record)
    }

    /// Applies the difference to the previous sample.
    fn apply(&mut self, line: SampleLine) -> anyhow::Result<Sample> {
        let mut ended = Vec::new();
        let mut seen = HashSet::new();
        for group in line.groups.into_iter().map(GroupSample::from) {
            if !has_sane_counters(&group) || !seen.insert(group.key) {
                return Err(self.lines.error("a group's counters are out of range, or it comes twice"));
            }
            if group.ended {
                self.groups.remove(&group.key);
                ended.push(group);
            } else {
                self.groups.insert(group.key, group);
            }
        }
        for KeyRepr(key) in line.gone {
            self.groups.remove(&key);
        }
        if let Some(LossRepr(loss)) = line.loss {
            self.loss = loss;
        }
        let listing = line.listing.map(Listing::from);
        if !is_sane(&self.loss) || listing.as_ref().is_some_and(|listing| !has_sane_states(listing)) {
            return Err(self.lines.error("a count is out of range"));
        }
        let groups = ended.into_iter().chain(self.groups.values().cloned()).collect();
        Ok(Sample { groups, loss: self.loss, listing })
    }
}

fn header(lines: &mut Lines) -> anyhow::Result<Header> {
    const NO_RECORDING: &str = "no recording of tcp-reuse-watch: it has to begin with a header";
    let Some(bytes) = lines.next()? else {
        lines.number = 1;
        return Err(lines.error(&format!("{NO_RECORDING}, and is empty")));
    };
    let Ok(Version { recording, version }) = serde_json::from_slice(&bytes) else {
        return Err(lines.error(NO_RECORDING));
    };
    if !(1..=FORMAT).contains(&recording) {
        return Err(lines.error(&format!(
            "a recording of version {recording}, made by tcp-reuse-watch {}; this one ({}) reads version {FORMAT}",
            printable(&version),
            env!("CARGO_PKG_VERSION")
        )));
    }
    let header: Header = lines.parse(&bytes)?;
    if !(0..=MAX_UNIX_NS).contains(&header.started_unix_ns) {
        return Err(lines.error("its time is out of range"));
    }
    Ok(header)
}

/// Uses the connection's number in place of its socket's address.
fn event(EventLine { unix_ns, kind, id, group, connection }: EventLine) -> Event {
    Event { kind, unix_ns, key: ConnectionKey { socket: id, connect_ns: 0 }, group, connection }
}

/// Checks all 64-bit words after the name against [`MAX_COUNT`], except for `lifetime_us_sum`, which may exceed it and
/// is not added up.
fn has_sane_counters(group: &GroupSample) -> bool {
    let counters = GroupCounters { lifetime_us_sum: 0, ..group.counters };
    let counters = &bytemuck::bytes_of(&counters)[size_of_val(&counters.comm)..];
    counters.chunks_exact(size_of::<u64>()).all(|bytes| bytemuck::pod_read_unaligned::<u64>(bytes) <= MAX_COUNT)
}

/// Bytes may be any number, because nothing adds them up.
fn is_sane_connection(connection: &Connection) -> bool {
    let times_us = [connection.lifetime_us, connection.idle_us];
    connection.exchanges <= MAX_COUNT && times_us.into_iter().flatten().all(|us| us <= MAX_LIFETIME_US)
}

fn has_sane_states(listing: &Listing) -> bool {
    listing.local_ports <= MAX_COUNT && listing.states.iter().all(|state| state.sockets <= MAX_COUNT)
}

fn is_sane(loss: &LossSample) -> bool {
    let LossSample { rows, untracked, mptcp, counts, hook_skips, unrecovered_skips, .. } = *loss;
    let LossSample { ungrouped, unlisted, ownerless, unfollowed, not_removed, lookups, .. } = *loss;
    let Lookups { hung, refused } = lookups.unwrap_or_default();
    let first = [rows, untracked, mptcp, counts, ungrouped, unlisted, ownerless, not_removed];
    let second = [unfollowed, hook_skips, unrecovered_skips, hung, refused];
    first.into_iter().chain(second).all(|count| count <= MAX_COUNT)
}

/// Reads the file line by line.
struct Lines {
    path: PathBuf,
    /// Number of the last line read, starting at 1.
    number: u64,
    reader: Box<dyn BufRead + Send>,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("path", &self.path).field("number", &self.number).finish_non_exhaustive()
    }
}

impl Lines {
    fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let read = (&mut self.reader).take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes);
        if !matches!(read, Ok(0)) {
            self.number += 1;
        }
        match read {
            Ok(0) => Ok(None),
            Ok(_) if bytes.len() as u64 == MAX_LINE_BYTES => Err(self.error("longer than any line of a recording")),
            Ok(_) => Ok(Some(bytes)),
            Err(error) => Err(self.error(&format!("cannot be read: {error}"))),
        }
    }

    fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> anyhow::Result<T> {
        serde_json::from_slice(bytes).map_err(|error| {
            if error.is_eof() && !bytes.ends_with(b"\n") {
                return self.error("cut off in the middle of the line");
            }
            // serde_json parses one line at a time, so its line number is wrong.
            let reason = error.to_string();
            let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
            self.error(&format!("not what a recording holds, at column {}: {}", error.column(), printable(reason)))
        })
    }

    fn error(&self, reason: &str) -> anyhow::Error {
        anyhow!("{} line {}: {reason}", self.path.display(), self.number)
    }
}
