//! `-o json`: one object per line. The format is a contract (schema 1): fields and types are only ever added, and an unknown
//! value is null, never absent.
//!
//! serde writes all lines except the rows of connections, which `row.rs` writes.

mod gates;
mod row;
mod time;

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Serialize, Serializer};

use super::{View, advice, evidence};
use crate::{
    conclusion::Conclusion,
    diagnosis::{Confidence, Diagnosis},
    group::Counts,
    model::{
        CAUSES, Command, FAILURES, Failure, Filters, LIFETIME_NAMES, SocketState, WHYS, WatchInfo, cause_name,
        failure_name, state_name, why_name,
    },
    tracker::{GroupRow, Row, Snapshot},
};
use time::Time;

pub(super) const SCHEMA: u32 = 1;
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

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
    filters: Option<&'a Filters>,
    pre_existing: u64,
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
    gates: Option<Vec<gates::Gate<'a>>>,
    command: Option<CommandObject<'a>>,
}

/// The program that was run to be watched.
#[derive(Serialize)]
struct CommandObject<'a> {
    argv: &'a [String],
    exit_code: Option<i32>,
    signal: Option<&'a str>,
    wall_us: u64,
    user_us: u64,
}

/// The sockets of a destination by state, as in netstat, at the end of the watch.
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
    marked: u64,
    asked: Option<u64>,
    needed: Option<u64>,
    avoidable: Option<u64>,
    avoidable_exact: Option<bool>,
}

#[derive(Serialize)]
struct Totals {
    #[serde(flatten)]
    counters: Counters,
    time_wait: Option<u64>,
    events_lost: u64,
    untracked: u64,
    hook_skips: u64,
    unrecovered_skips: u64,
    counts_lost: u64,
    ungrouped: u64,
    unlisted: u64,
    ownerless: u64,
    unfollowed: u64,
    not_removed: u64,
    lookups_hung: Option<u64>,
    lookups_refused: Option<u64>,
}

#[derive(Serialize)]
struct Group<'a> {
    process: Option<&'a str>,
    pid: Option<u32>,
    processes: Option<u64>,
    remote: Option<IpAddr>,
    port: Option<u16>,
    cgroup: Option<&'a str>,
    application: Option<&'static str>,
    overflow: bool,
    user: Option<u32>,
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

/// Closed connections by lifetime. A map that keeps the order of the buckets.
struct Lifetimes([u64; LIFETIME_NAMES.len()]);

impl Serialize for Lifetimes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(LIFETIME_NAMES.iter().zip(self.0))
    }
}

impl Counters {
    fn new(snapshot: &Snapshot, counts: &Counts) -> Self {
        let pool = &counts.pool;
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
            marked: counts.marked,
            asked: pool.asked(),
            needed: pool.needed(),
            avoidable: pool.avoidable(),
            avoidable_exact: pool.avoidable().map(|_| snapshot.is_exact_pool(pool)),
        }
    }
}

impl<'a> Group<'a> {
    fn new(snapshot: &Snapshot, row: &'a GroupRow) -> Self {
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
            application: row.spoken.name(),
            overflow: name.is_none(),
            user: row.user,
            counters: Counters::new(snapshot, &row.counts),
            why: named(WHYS.map(|why| (why_name(why), row.counts.why[why as usize]))),
            closes: named(CAUSES.map(|cause| (cause_name(cause), row.counts.closes[cause as usize]))),
            failures,
            exchanges_per_connection: Histogram { one, to_9, to_99, to_999, more },
            lifetimes: Lifetimes(row.counts.lifetimes),
            diagnoses: row.diagnoses().into_iter().map(DiagnosisObject::from).collect(),
        }
    }
}

impl<'a> From<&'a Command> for CommandObject<'a> {
    fn from(Command { argv, exit_code, signal, wall_us, user_us }: &'a Command) -> Self {
        Self { argv, exit_code: *exit_code, signal: signal.as_deref(), wall_us: *wall_us, user_us: *user_us }
    }
}

impl From<Diagnosis> for DiagnosisObject {
    fn from(diagnosis: Diagnosis) -> Self {
        Self {
            cause: diagnosis.finding().name(),
            confidence: match diagnosis.confidence {
                Confidence::Certain => "certain",
                Confidence::Likely => "likely",
                Confidence::Possible => "possible",
            },
            healthy: diagnosis.finding().is_healthy(),
            connections: diagnosis.connections,
            values: diagnosis.evidence.values().into_iter().collect(),
            evidence: evidence::sentence(&diagnosis.evidence),
            advice: advice::sentence(&diagnosis),
        }
    }
}

fn sockets(states: &[SocketState]) -> Vec<Sockets> {
    let mut remotes: BTreeMap<(IpAddr, u16), BTreeMap<&'static str, u64>> = BTreeMap::new();
    for SocketState { remote, port, state, sockets, .. } in states {
        *remotes.entry((*remote, *port)).or_default().entry(state_name(*state)).or_default() += sockets;
    }
    remotes.into_iter().map(|((remote, port), states)| Sockets { remote, port, states }).collect()
}

/// The counts above 0.
fn named<const N: usize>(counts: [(&'static str, u64); N]) -> BTreeMap<&'static str, u64> {
    counts.into_iter().filter(|(_, n)| *n > 0).collect()
}

pub(super) fn line(object: &impl Serialize) -> String {
    // Serializing to memory fails only for maps without string keys, and there are none.
    let mut line = serde_json::to_string(object).unwrap_or_default();
    line.push('\n');
    line
}

pub struct JsonView;

impl View for JsonView {
    fn start(&self, about: &WatchInfo) -> String {
        line(&Start {
            r#type: "start",
            schema: SCHEMA,
            version: VERSION,
            time: Time(about.started_unix_ns),
            hooks: &about.hooks,
            hooks_not_taken: &about.hooks_not_taken,
            kernel: &about.kernel,
            ports: &about.ports,
            filters: about.filters_by_kind.as_ref(),
            pre_existing: about.pre_existing,
        })
    }

    fn row(&self, row: &Row, output: &mut Vec<u8>) {
        row::write(row, output);
    }

    fn notice(&self, unix_ns: i64, kind: &str, message: &str) -> String {
        line(&Notice { r#type: "notice", time: Time(unix_ns), kind, message })
    }

    fn summary(&self, conclusion: &Conclusion) -> String {
        let Conclusion { about, snapshot, command, gates } = conclusion;
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
                counters: Counters::new(snapshot, &snapshot.totals),
                time_wait: snapshot.time_wait(),
                events_lost: snapshot.loss.rows,
                untracked: snapshot.loss.connections(),
                hook_skips: snapshot.loss.hook_skips,
                unrecovered_skips: snapshot.loss.unrecovered_skips,
                counts_lost: snapshot.loss.counts,
                ungrouped: snapshot.loss.ungrouped,
                unlisted: snapshot.loss.unlisted,
                ownerless: snapshot.loss.ownerless,
                unfollowed: snapshot.loss.unfollowed,
                not_removed: snapshot.loss.not_removed,
                lookups_hung: snapshot.loss.lookups.map(|lookups| lookups.hung),
                lookups_refused: snapshot.loss.lookups.map(|lookups| lookups.refused),
            },
            groups: snapshot.groups.iter().map(|row| Group::new(snapshot, row)).collect(),
            sockets: snapshot.states.as_deref().map(sockets),
            gates: gates
                .as_ref()
                .map(|gates| gates.iter().map(|judged| gates::Gate::new(judged, conclusion)).collect()),
            command: command.as_ref().map(CommandObject::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tcp_reuse_watch_ebpf::pool;

    use super::*;
    use crate::{
        model::{Application, GroupKey, GroupSample, Lookups, LossSample, Sample},
        tracker::Tracker,
    };

    /// The summary of a watch with a process for each of these counters.
    fn summary(counters: &[crate::model::GroupCounters]) -> Value {
        let mut tracker = Tracker::new(0, 10);
        let groups = counters.iter().zip(1..).map(|(counters, tgid)| GroupSample {
            key: GroupKey { tgid, ..GroupKey::default() },
            counters: *counters,
            ended: false,
            process_ended: false,
            evicted: false,
            runtime: None,
            cgroup: None,
        });
        tracker.sample(Sample { groups: groups.collect(), ..Sample::default() });
        serde_json::from_str(&JsonView.summary(&Conclusion::new(&WatchInfo::default(), &tracker.snapshot(0)))).unwrap()
    }

    #[test]
    fn start_has_the_filters_by_kind() {
        let filters = |filters_by_kind| {
            let start = JsonView.start(&WatchInfo { filters_by_kind, ..WatchInfo::default() });
            serde_json::from_str::<Value>(&start).unwrap().as_object().unwrap()["filters"].clone()
        };
        assert_eq!(filters(None), json!(null));
        assert_eq!(
            filters(Some(Filters::default())),
            json!({ "destinations": [], "pids": [], "children": false, "command": [], "processes": [] })
        );
        let some = Filters {
            destinations: vec!["10.0.0.0/8".into()],
            pids: vec![7, 8],
            children: true,
            command: vec!["npm".into()],
            processes: vec!["my\"curl".into()],
        };
        let expected = json!({ "destinations": ["10.0.0.0/8"], "pids": [7, 8], "children": true, "command": ["npm"], "processes": ["my\"curl"] });
        assert_eq!(filters(Some(some)), expected);
    }

    #[test]
    fn command_is_null_if_none_was_run() {
        let (about, snapshot) = (WatchInfo::default(), Snapshot::default());
        let command = |command| {
            let conclusion = Conclusion { command, ..Conclusion::new(&about, &snapshot) };
            let summary: Value = serde_json::from_str(&JsonView.summary(&conclusion)).unwrap();
            summary.as_object().unwrap()["command"].clone()
        };
        assert_eq!(command(None), json!(null));
        let argv = vec!["npm".to_string(), "te\"st".to_string()];
        let exited = Command { argv, exit_code: Some(1), signal: None, wall_us: 3_200_000, user_us: 900_000 };
        let expected = json!({ "argv": ["npm", "te\"st"], "exit_code": 1, "signal": null, "wall_us": 3_200_000, "user_us": 900_000 });
        assert_eq!(command(Some(exited)), expected);
        let killed = command(Some(Command { signal: Some("SIGKILL".into()), ..Command::default() }));
        assert_eq!((&killed["exit_code"], &killed["signal"]), (&json!(null), &json!("SIGKILL")));
    }

    #[test]
    fn lookups_are_null_if_none_are_made() {
        let numbers = |lookups| {
            let mut tracker = Tracker::new(0, 10);
            let loss = LossSample { lookups, ..LossSample::default() };
            tracker.sample(Sample { loss, ..Sample::default() });
            let summary = JsonView.summary(&Conclusion::new(&WatchInfo::default(), &tracker.snapshot(0)));
            let summary: Value = serde_json::from_str(&summary).unwrap();
            assert_eq!((&summary["complete"], &summary["exact"]), (&json!(true), &json!(true)));
            let totals = summary["totals"].as_object().unwrap();
            (totals["lookups_hung"].clone(), totals["lookups_refused"].clone())
        };
        assert_eq!(numbers(None), (json!(null), json!(null)));
        assert_eq!(numbers(Some(Lookups { hung: 2, refused: 1 })), (json!(2), json!(1)));
    }

    #[test]
    fn avoidable_connections_are_null_if_not_counted() {
        let numbers =
            |object: &Value| ["asked", "needed", "avoidable", "avoidable_exact"].map(|name| object[name].clone());
        let counted = |bits| {
            let mut counters = crate::model::GroupCounters {
                opened: 5,
                asked: 4,
                pool: pool::COUNTED | bits,
                ..crate::model::GroupCounters::default()
            };
            counters.most_serving[1] = 3;
            counters
        };
        let old = crate::model::GroupCounters { opened: 5, ..crate::model::GroupCounters::default() };
        assert_eq!(numbers(&summary(&[old])["totals"]), [json!(null), json!(null), json!(null), json!(null)]);
        assert_eq!(numbers(&summary(&[counted(0)])["totals"]), [json!(4), json!(3), json!(1), json!(true)]);
        let mixed = summary(&[counted(pool::MIXED), counted(0)]);
        assert_eq!(numbers(&mixed["totals"]), [json!(8), json!(6), json!(2), json!(false)]);
        let exact = mixed["groups"].as_array().unwrap().iter().filter(|group| group["avoidable_exact"] == true);
        assert_eq!(exact.count(), 1);
    }

    #[test]
    fn every_loss_is_in_the_totals() {
        let loss = LossSample {
            rows: 1,
            untracked: 2,
            mptcp: 3,
            counts: 4,
            hook_skips: 5,
            unrecovered_skips: 6,
            ungrouped: 7,
            unlisted: 8,
            ownerless: 9,
            unfollowed: 10,
            not_removed: 10,
            lookups: Some(Lookups { hung: 11, refused: 12 }),
        };
        let mut tracker = Tracker::new(0, 10);
        tracker.sample(Sample { loss, ..Sample::default() });
        let summary = JsonView.summary(&Conclusion::new(&WatchInfo::default(), &tracker.snapshot(0)));
        let totals = serde_json::from_str::<Value>(&summary).unwrap()["totals"].take();
        for (name, n) in [
            ("events_lost", 1),
            ("untracked", 5),
            ("counts_lost", 4),
            ("hook_skips", 5),
            ("unrecovered_skips", 6),
            ("ungrouped", 7),
            ("unlisted", 8),
            ("ownerless", 9),
            ("unfollowed", 10),
            ("not_removed", 10),
            ("lookups_hung", 11),
            ("lookups_refused", 12),
        ] {
            assert_eq!(totals[name], n, "{name}");
        }
    }

    #[test]
    fn group_has_its_application_and_its_marked_connections() {
        let counters = |opened, marked, application| crate::model::GroupCounters {
            opened,
            marked,
            application,
            ..crate::model::GroupCounters::default()
        };
        let summarized = summary(&[
            counters(4, 0, Application::Http1 as u64),
            counters(3, 3, Application::Nats as u64),
            counters(2, 1, tcp_reuse_watch_ebpf::SEVERAL_APPLICATIONS),
            counters(1, 0, 0),
        ]);
        let groups: Vec<Value> = summarized["groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| json!([group["application"], group["marked"], group["inexact"]]))
            .collect();
        assert_eq!(groups, [json!(["http1", 0, 0]), json!(["nats", 3, 0]), json!([null, 1, 0]), json!([null, 0, 0])]);
        assert_eq!((&summarized["totals"]["marked"], &summarized["exact"]), (&json!(4), &json!(false)));
        assert_eq!(summary(&[counters(1, 0, 0)])["exact"], true);
    }
}
