//! Generates a recording that is busier than a test could produce: 10,000 groups, and 100,000 opens and closes a
//! second. The contents are known exactly, because they are written here, line by line, as `--record` writes them.
//! `cargo xtask bench` shows it to the dashboard too.

use std::{
    fmt::Write as _,
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
};

pub(crate) const GROUPS: u64 = 10_000;
pub(crate) const EVENTS_PER_SECOND: u64 = 100_000;

/// Destinations per process.
const DESTINATIONS: u64 = 100;
/// Connections open at a time: each lives for 20 ms.
const OPEN: u64 = EVENTS_PER_SECOND / 2 / 50;
const STARTED_UNIX_NS: u64 = 1_790_000_000_000_000_000;

const EVERYTHING: &str = "a string takes everything";

/// The totals of the recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    pub(crate) reused: u64,
}

#[derive(Clone, Default)]
struct Counters {
    truth: Truth,
    last_id: u64,
    has_changed: bool,
}

/// Writes a recording that is `seconds` long.
pub(crate) fn write(path: &Path, seconds: u64) -> Truth {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).expect("cannot create the file"));
    let mut line = String::new();
    let mut groups = vec![Counters::default(); GROUPS as usize];
    let header = r#""version":"0.1.0","kernel":"6.18.0","hooks":["sockops","tracepoint"],"max_connections":131072"#;
    writeln!(line, r#"{{"recording":1,{header},"started_unix_ns":{STARTED_UNIX_NS}}}"#).expect(EVERYTHING);
    for second in 0..seconds {
        for nth in 0..EVENTS_PER_SECOND / 2 {
            let id = second * EVENTS_PER_SECOND / 2 + nth + 1;
            let unix_ns = unix_ns(second) + nth * (2_000_000_000 / EVENTS_PER_SECOND);
            let group = &mut groups[group_of(id) as usize];
            (group.truth.opened, group.last_id, group.has_changed) = (group.truth.opened + 1, id, true);
            push_open(&mut line, id, unix_ns);
            if let Some(id) = id.checked_sub(OPEN).filter(|id| *id > 0) {
                let group = &mut groups[group_of(id) as usize];
                group.truth.closed += 1;
                group.truth.reused += exchanges(id) - 1;
                group.has_changed = true;
                push_close(&mut line, id, unix_ns + 1_000);
            }
            if line.len() > 1 << 16 {
                file.write_all(line.as_bytes()).expect("cannot write the recording");
                line.clear();
            }
        }
        push_sample(&mut line, &mut groups, unix_ns(second + 1));
    }
    writeln!(line, r#"{{"end":{{"unix_ns":{}}}}}"#, unix_ns(seconds)).expect(EVERYTHING);
    file.write_all(line.as_bytes()).expect("cannot write the recording");
    file.flush().expect("cannot write the recording");
    groups.iter().fold(Truth::default(), |sum, group| Truth {
        opened: sum.opened + group.truth.opened,
        closed: sum.closed + group.truth.closed,
        reused: sum.reused + group.truth.reused,
    })
}

fn unix_ns(second: u64) -> u64 {
    STARTED_UNIX_NS + second * 1_000_000_000
}

/// Spreads connections over all groups, deterministically.
fn group_of(id: u64) -> u64 {
    id.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_right(32) % GROUPS
}

fn exchanges(id: u64) -> u64 {
    1 + id % 4
}

fn process(group: u64) -> u64 {
    group / DESTINATIONS + 1
}

/// Two processes share each name.
fn name(group: u64) -> String {
    format!("worker-{}", process(group) / 2)
}

fn address(group: u64) -> String {
    format!("10.0.{}.{}", group / 250, group % 250 + 1)
}

fn push_key(line: &mut String, group: u64) {
    let (pid, address) = (process(group), address(group));
    write!(line, r#"{{"tgid":{pid},"start_ticks":{pid},"addr":"::ffff:{address}","port":8080}}"#).expect(EVERYTHING);
}

fn push_event(line: &mut String, kind: &str, id: u64, unix_ns: u64, rest: &str) {
    let group = group_of(id);
    let (pid, name, address, port) = (process(group), name(group), address(group), 10_000 + id % 50_000);
    write!(line, r#"{{"event":{{"unix_ns":{unix_ns},"kind":"{kind}","id":{id},"group":"#).expect(EVERYTHING);
    push_key(line, group);
    write!(
        line,
        r#","connection":{{"pid":{pid},"process":"{name}","local":"10.1.0.1:{port}","remote":"{address}:8080","pre_existing":false,"first_is_new":true,"why":"replaced","replaced_cause":"closed-after-response","idle_at_open":0,"idle_at_end":0,"busy_at_open":1,{rest},"exact":true,"failure":"other","errno":0}}}}}}"#,
    )
    .expect(EVERYTHING);
    line.push('\n');
}

fn push_open(line: &mut String, id: u64, unix_ns: u64) {
    let rest = r#""cause":null,"exchanges":0,"sent_bytes":null,"received_bytes":null,"unread_bytes":null,"lifetime_us":null,"idle_us":null,"closed_by":"unknown","how":"unknown","protocol":"unknown""#;
    push_event(line, "open", id, unix_ns, rest);
}

fn push_close(line: &mut String, id: u64, unix_ns: u64) {
    let (exchanges, received) = (exchanges(id), 1_000 + id % 4_000);
    let rest = format!(
        r#""cause":"closed-after-response","exchanges":{exchanges},"sent_bytes":200,"received_bytes":{received},"unread_bytes":0,"lifetime_us":{},"idle_us":{},"closed_by":"local","how":"fin","protocol":"plain""#,
        20_000 + id % 100,
        100 + id % 100
    );
    push_event(line, "close", id, unix_ns, &rest);
}

/// Writes a sample of the groups that changed since the previous sample.
fn push_sample(line: &mut String, groups: &mut [Counters], unix_ns: u64) {
    write!(line, r#"{{"sample":{{"unix_ns":{unix_ns},"groups":["#).expect(EVERYTHING);
    let mut separator = "";
    for (group, counters) in (0..).zip(groups).filter(|(_, counters)| counters.has_changed) {
        counters.has_changed = false;
        let Truth { opened, closed, reused } = counters.truth;
        write!(line, r#"{separator}{{"key":"#).expect(EVERYTHING);
        push_key(line, group);
        let (name, once, open) = (name(group), closed / 4, opened - closed);
        write!(
            line,
            r#","counters":{{"comm":"{name}","tracked":{open},"opened":{opened},"closed":{closed},"new":{closed},"reused":{reused},"exchanges_per_connection":[{once},{}],"why":[1,0,{}],"closes":[0,0,0,0,0,0,0,{closed}],"live":{open},"last_cause":7}},"runtime":"Go 1.27"}}"#,
            closed - once,
            opened.max(1) - 1
        )
        .expect(EVERYTHING);
        separator = ",";
    }
    line.push_str("]}}\n");
}
