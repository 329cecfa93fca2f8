//! Reading a recording. Nothing that a file holds can do worse than be refused, with the number of its line.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use serde::de::DeserializeOwned;

use super::format::{EventLine, FORMAT, Header, KeyLine, Line, LossLine, SampleLine, Version};
use crate::{
    event::{About, ConnectionKey, Event, GroupCounters, GroupKey, GroupSample, Listing, LossSample, Sample},
    printable::printable,
};

/// A sample of 10,000 groups has some 3 MB.
const MAX_LINE_BYTES: u64 = 64 << 20;

/// No counter of a recording is more, so that no sum of them overflows: a million a second, for half a year.
const MAX_COUNT: u64 = 1 << 44;

/// Times are from 1970 to this (2116), so that no difference of them overflows.
const MAX_UNIX_NS: i64 = i64::MAX / 2;

/// What the tracker is fed.
#[derive(Debug)]
pub(crate) enum Record {
    Event(Event),
    Sample { unix_ns: i64, sample: Sample },
    End { unix_ns: i64 },
}

impl Record {
    pub(crate) fn unix_ns(&self) -> i64 {
        match self {
            Self::Event(event) => event.unix_ns,
            Self::Sample { unix_ns, .. } | Self::End { unix_ns } => *unix_ns,
        }
    }
}

/// A recording that is being read.
#[derive(Debug)]
pub(crate) struct Recording {
    lines: Lines,
    header: Header,
    /// As of the last sample.
    groups: BTreeMap<GroupKey, GroupSample>,
    loss: LossSample,
}

impl Recording {
    /// Opens it and reads its header.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read the recording {}", path.display()))?;
        let mut lines = Lines { path: path.into(), number: 0, reader: BufReader::new(file) };
        let header = header(&mut lines)?;
        Ok(Self { lines, header, groups: BTreeMap::new(), loss: LossSample::default() })
    }

    pub(crate) fn about(&self) -> About {
        self.header.about()
    }

    /// How many connections the kernel side tracked at a time.
    pub(crate) fn max_connections(&self) -> usize {
        self.header.max_connections.max(1) as usize
    }

    /// What comes next. The last one is the end: a recording without it is an error.
    pub(crate) fn next(&mut self) -> anyhow::Result<Record> {
        let bytes = self.lines.next()?.ok_or_else(|| self.lines.error("cut off: the recording goes on no further"))?;
        let record = match self.lines.parse(&bytes)? {
            Line::Event(line) => Record::Event(event(line)),
            Line::Sample(line) => Record::Sample { unix_ns: line.unix_ns, sample: self.sample(line)? },
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

    /// The sample that a difference to the one before it stands for.
    fn sample(&mut self, line: SampleLine) -> anyhow::Result<Sample> {
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
        for KeyLine(key) in line.gone {
            self.groups.remove(&key);
        }
        if let Some(LossLine(loss)) = line.loss {
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

/// The number of a connection takes the place of its socket's address.
fn event(EventLine { unix_ns, kind, id, group, connection }: EventLine) -> Event {
    Event { kind, unix_ns, key: ConnectionKey { socket: id, connect_ns: 0 }, group, connection }
}

/// Behind the name, a group is nothing but counters; the sum of times in it may be any, and nothing here adds it up.
fn has_sane_counters(group: &GroupSample) -> bool {
    let counters = GroupCounters { lifetime_us_sum: 0, ..group.counters };
    let counters = &bytemuck::bytes_of(&counters)[size_of_val(&counters.comm)..];
    counters.chunks_exact(size_of::<u64>()).all(|bytes| bytemuck::pod_read_unaligned::<u64>(bytes) <= MAX_COUNT)
}

fn has_sane_states(listing: &Listing) -> bool {
    listing.local_ports <= MAX_COUNT && listing.states.iter().all(|state| state.sockets <= MAX_COUNT)
}

fn is_sane(loss: &LossSample) -> bool {
    let LossSample { rows, untracked, mptcp, counts, hook_skips, unrecovered_skips } = *loss;
    [rows, untracked, mptcp, counts, hook_skips, unrecovered_skips].into_iter().all(|count| count <= MAX_COUNT)
}

/// The file, line by line.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    /// Of the line that was read last, from 1 on.
    number: u64,
    reader: BufReader<File>,
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
            // It counts lines too, and knows of one.
            let reason = error.to_string();
            let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
            self.error(&format!("not what a recording holds, at column {}: {}", error.column(), printable(reason)))
        })
    }

    fn error(&self, reason: &str) -> anyhow::Error {
        anyhow!("{} line {}: {reason}", self.path.display(), self.number)
    }
}
