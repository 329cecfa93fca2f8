//! `-o json`: one object a line. A contract (schema 1): fields and types are only ever added, and what is unknown is
//! null, never absent. What later versions will know is here as null already.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{View, failure_name, finding_name};
use crate::{
    event::{
        About, CAUSES, Connection, Cut, Ender, FAILURES, Failure, LIFETIMES, Protocol, RowKind, SocketState, WHYS,
        cause_name, state_name, why_name,
    },
    tracker::{Confidence, Counts, Diagnosis, GroupRow, Row, Snapshot},
};

const SCHEMA: u32 = 1;
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Nanoseconds since 1970, written as RFC 3339 in UTC with nine digits.
#[derive(Clone, Copy)]
struct Time(i64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (second, ns) = (self.0.div_euclid(NS_PER_SECOND), self.0.rem_euclid(NS_PER_SECOND));
        LAST_SECOND.with_borrow_mut(|last| {
            if last.0 != second {
                let time = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
                *last = (second, time.strftime("%Y-%m-%dT%H:%M:%S").to_string());
            }
            serializer.collect_str(&format_args!("{}.{ns:09}Z", last.1))
        })
    }
}

const NS_PER_SECOND: i64 = 1_000_000_000;

thread_local! {
    /// A second, and how it is written: thousands of rows may be of the same one, and the date took a fifth of a row's time.
    static LAST_SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
}

#[derive(Serialize)]
struct Start<'a> {
    r#type: &'static str,
    schema: u32,
    version: &'static str,
    time: Time,
    hooks: &'a [String],
    hooks_not_taken: &'a [String],
    kernel: &'a str,
    ports: &'a [String],
    pre_existing: u64,
}

/// What every row of a connection begins with.
#[derive(Serialize)]
struct Head<'a> {
    r#type: &'static str,
    time: Time,
    id: u64,
    pid: Option<u32>,
    process: Option<&'a str>,
}

#[derive(Serialize)]
struct Opening {
    local: Option<SocketAddr>,
    remote: SocketAddr,
    port: u16,
    pre_existing: bool,
    why: Option<&'static str>,
    replaced_cause: Option<&'static str>,
}

#[derive(Serialize)]
struct Open<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    #[serde(flatten)]
    opening: Opening,
}

#[derive(Serialize)]
struct Exchange<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    remote: SocketAddr,
    port: u16,
    n: u64,
    reused: bool,
}

#[derive(Serialize)]
struct Close<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    #[serde(flatten)]
    opening: Opening,
    exchanges: u64,
    reused: u64,
    sent_bytes: Option<u64>,
    received_bytes: Option<u64>,
    lifetime_us: Option<u64>,
    idle_us: Option<u64>,
    unread_bytes: Option<u32>,
    closed_by: Option<&'static str>,
    how: Option<&'static str>,
    cause: Option<&'static str>,
    protocol: &'static str,
    exact: bool,
}

#[derive(Serialize)]
struct Failed<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    #[serde(flatten)]
    opening: Opening,
    error: String,
}

#[derive(Serialize)]
struct Notice<'a> {
    r#type: &'static str,
    time: Time,
    kind: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct Summary<'a> {
    r#type: &'static str,
    schema: u32,
    version: &'static str,
    duration_us: u64,
    hooks: &'a [String],
    kernel: &'a str,
    complete: bool,
    exact: bool,
    totals: Totals,
    groups: Vec<Group<'a>>,
    sockets: Option<Vec<Sockets>>,
}

/// What netstat shows of a destination, at the end of the watch.
#[derive(Serialize)]
struct Sockets {
    remote: IpAddr,
    port: u16,
    states: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Counters {
    opened: u64,
    failed: u64,
    closed: u64,
    open: u64,
    unused: u64,
    exchanges: u64,
    new: u64,
    reused: u64,
    reuse_ratio: Option<f64>,
    missed: u64,
    pre_existing: u64,
    inexact: u64,
}

#[derive(Serialize)]
struct Totals {
    #[serde(flatten)]
    counters: Counters,
    time_wait: Option<u64>,
    events_lost: u64,
    untracked: u64,
    hook_skips: u64,
}

#[derive(Serialize)]
struct Group<'a> {
    process: Option<&'a str>,
    pid: Option<u32>,
    processes: Option<u64>,
    remote: Option<IpAddr>,
    port: Option<u16>,
    cgroup: Option<&'a str>,
    overflow: bool,
    #[serde(flatten)]
    counters: Counters,
    why: BTreeMap<&'static str, u64>,
    closes: BTreeMap<&'static str, u64>,
    failures: BTreeMap<String, u64>,
    exchanges_per_connection: Histogram,
    lifetimes: Lifetimes,
    diagnoses: Vec<DiagnosisObject>,
}

#[derive(Serialize)]
struct DiagnosisObject {
    cause: &'static str,
    confidence: &'static str,
    healthy: bool,
    connections: u64,
    values: BTreeMap<&'static str, u64>,
    evidence: String,
    advice: String,
}

#[derive(Serialize)]
struct Histogram {
    #[serde(rename = "1")]
    one: u64,
    #[serde(rename = "2-9")]
    to_9: u64,
    #[serde(rename = "10-99")]
    to_99: u64,
    #[serde(rename = "100-999")]
    to_999: u64,
    #[serde(rename = "1000+")]
    more: u64,
}

/// Closed connections by lifetime, in the order of the buckets.
struct Lifetimes([u64; LIFETIMES.len()]);

impl Serialize for Lifetimes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(LIFETIMES.iter().zip(self.0))
    }
}

impl From<&Counts> for Counters {
    fn from(counts: &Counts) -> Self {
        Self {
            opened: counts.opened,
            failed: counts.failed(),
            closed: counts.closed,
            open: counts.open(),
            unused: counts.unused,
            exchanges: counts.exchanges(),
            new: counts.new,
            reused: counts.reused,
            reuse_ratio: counts.reuse_ratio(),
            missed: counts.missed(),
            pre_existing: counts.pre_existing,
            inexact: counts.inexact,
        }
    }
}

impl<'a> From<&'a GroupRow> for Group<'a> {
    fn from(row: &'a GroupRow) -> Self {
        let name = row.name.as_ref();
        let [one, to_9, to_99, to_999, more] = row.counts.exchanges_per_connection;
        let failures = FAILURES
            .into_iter()
            .map(|failure| (failure_name(failure, 0), row.counts.failures[failure as usize]))
            .chain([("other".into(), row.counts.failures[Failure::Other as usize])])
            .filter(|(_, n)| *n > 0)
            .collect();
        Self {
            process: name.and_then(|name| name.process.as_deref()),
            pid: row.pid,
            processes: row.processes,
            remote: name.map(|name| name.remote),
            port: name.map(|name| name.port),
            cgroup: row.cgroup.as_deref(),
            overflow: name.is_none(),
            counters: Counters::from(&row.counts),
            why: named(WHYS.map(|why| (why_name(why), row.counts.why[why as usize]))),
            closes: named(CAUSES.map(|cause| (cause_name(cause), row.counts.closes[cause as usize]))),
            failures,
            exchanges_per_connection: Histogram { one, to_9, to_99, to_999, more },
            lifetimes: Lifetimes(row.counts.lifetimes),
            diagnoses: row.diagnoses().into_iter().map(DiagnosisObject::from).collect(),
        }
    }
}

impl From<Diagnosis> for DiagnosisObject {
    fn from(diagnosis: Diagnosis) -> Self {
        let Diagnosis { finding, confidence, healthy, connections, values, evidence, advice } = diagnosis;
        Self {
            cause: finding_name(finding),
            confidence: match confidence {
                Confidence::Certain => "certain",
                Confidence::Likely => "likely",
                Confidence::Possible => "possible",
            },
            healthy,
            connections,
            values: values.into_iter().collect(),
            evidence,
            advice,
        }
    }
}

fn sockets(states: &[SocketState]) -> Vec<Sockets> {
    let mut remotes: BTreeMap<(IpAddr, u16), BTreeMap<&'static str, u64>> = BTreeMap::new();
    for SocketState { remote, port, state, sockets } in states {
        *remotes.entry((*remote, *port)).or_default().entry(state_name(*state)).or_default() += sockets;
    }
    remotes.into_iter().map(|((remote, port), states)| Sockets { remote, port, states }).collect()
}

fn opening(connection: &Connection) -> Opening {
    let Connection { local, remote, pre_existing, why, replaced_cause, .. } = *connection;
    Opening {
        local,
        remote,
        port: remote.port(),
        pre_existing,
        why: why.map(why_name),
        replaced_cause: replaced_cause.map(cause_name),
    }
}

/// Those of these counts that are not 0.
fn named<const N: usize>(counts: [(&'static str, u64); N]) -> BTreeMap<&'static str, u64> {
    counts.into_iter().filter(|(_, n)| *n > 0).collect()
}

fn closed_by(ender: Ender) -> Option<&'static str> {
    match ender {
        Ender::Local => Some("local"),
        Ender::Peer => Some("peer"),
        Ender::Unknown => None,
    }
}

fn how(cut: Cut) -> Option<&'static str> {
    match cut {
        Cut::Fin => Some("fin"),
        Cut::Reset => Some("rst"),
        Cut::Timeout => Some("timeout"),
        Cut::Unknown => None,
    }
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Plain => "plain",
        Protocol::Tls => "tls",
        Protocol::Http2 => "http2",
        Protocol::Unknown => "unknown",
    }
}

fn write(object: &impl Serialize, lines: &mut Vec<u8>) {
    // Serialising plain structs to memory cannot fail: no map has keys that are no strings, and nothing is written.
    let _ = serde_json::to_writer(&mut *lines, object);
    lines.push(b'\n');
}

fn line(object: &impl Serialize) -> String {
    let mut line = Vec::new();
    write(object, &mut line);
    // What serde_json writes is UTF-8.
    String::from_utf8(line).unwrap_or_default()
}

pub(crate) struct JsonView;

impl View for JsonView {
    fn start(&self, about: &About) -> String {
        line(&Start {
            r#type: "start",
            schema: SCHEMA,
            version: VERSION,
            time: Time(about.started_unix_ns),
            hooks: &about.hooks,
            hooks_not_taken: &about.not_taken,
            kernel: &about.kernel,
            ports: &about.ports,
            pre_existing: about.pre_existing,
        })
    }

    fn row(&self, row: &Row, waiting: &mut Vec<u8>) {
        let connection = &row.event.connection;
        let head = |r#type| Head {
            r#type,
            time: Time(row.event.unix_ns),
            id: row.id,
            pid: connection.pid,
            process: connection.process.as_deref(),
        };
        match row.event.kind {
            RowKind::Open => write(&Open { head: head("open"), opening: opening(connection) }, waiting),
            RowKind::Exchange => write(
                &Exchange {
                    head: head("exchange"),
                    remote: connection.remote,
                    port: connection.remote.port(),
                    n: connection.exchanges,
                    reused: connection.exchanges > 1 || !connection.first_is_new,
                },
                waiting,
            ),
            RowKind::Close => write(
                &Close {
                    head: head("close"),
                    opening: opening(connection),
                    exchanges: connection.exchanges,
                    reused: connection.reused(),
                    sent_bytes: connection.sent_bytes,
                    received_bytes: connection.received_bytes,
                    lifetime_us: connection.lifetime_us,
                    idle_us: connection.idle_us,
                    unread_bytes: connection.unread_bytes,
                    closed_by: closed_by(connection.closed_by),
                    how: how(connection.how),
                    cause: connection.cause.map(cause_name),
                    protocol: protocol(connection.protocol),
                    exact: connection.exact,
                },
                waiting,
            ),
            RowKind::Failed => write(
                &Failed {
                    head: head("failed"),
                    opening: opening(connection),
                    error: failure_name(connection.failure, connection.errno),
                },
                waiting,
            ),
        }
    }

    fn notice(&self, unix_ns: i64, kind: &str, message: &str) -> String {
        line(&Notice { r#type: "notice", time: Time(unix_ns), kind, message })
    }

    fn summary(&self, about: &About, snapshot: &Snapshot) -> String {
        line(&Summary {
            r#type: "summary",
            schema: SCHEMA,
            version: VERSION,
            duration_us: snapshot.duration_us,
            hooks: &about.hooks,
            kernel: &about.kernel,
            complete: snapshot.is_complete(),
            exact: snapshot.is_exact(),
            totals: Totals {
                counters: Counters::from(&snapshot.totals),
                time_wait: snapshot.time_wait(),
                events_lost: snapshot.loss.rows,
                untracked: snapshot.loss.connections(),
                hook_skips: snapshot.loss.hook_skips,
            },
            groups: snapshot.groups.iter().map(Group::from).collect(),
            sockets: snapshot.states.as_deref().map(sockets),
        })
    }
}
