//! Growth of start-up time, memory and the cost of a sample with the number of open connections and groups.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::Scope;
use super::bpf::map_bytes_of;
use super::contestant::{Contestant, Started};
use super::holders::Places;
use super::report::{Section, Verdict};
use super::startup::time_to_attach;
use super::time_wait;
use crate::support::running::{children_of, mapped_kib_of, status_of};
use crate::support::statistics::median;

/// Numbers of connections and of their groups.
const CASES: [(u32, u32); 5] = [(10, 1), (1_000, 1), (100_000, 1), (1_000, 1_000), (10_000, 10_000)];
const QUICK: [(u32, u32); 3] = [(10, 1), (1_000, 1), (1_000, 1_000)];

const MAX_MIB: f64 = 64.0;
const MIB: f64 = 1024.0 * 1024.0;

/// The cost of a watch with this many connections and groups.
struct Measured {
    connections: u32,
    groups: u32,
    attach_ms: f64,
    /// Memory of a watch that saw the connections open, with a row for each
    resident_mib: f64,
    helper_mib: f64,
    maps_mib: f64,
    /// CPU milliseconds per second while nothing happens
    quiet_ms_a_second: f64,
    dashboard_ms_a_second: f64,
}

pub(super) fn measure(tool: &Path, scope: Scope) -> Result<Section> {
    let cases: &[(u32, u32)] = if scope.is_quick { &QUICK } else { &CASES };
    if !scope.is_quick {
        time_wait::wait_until_few();
    }
    let mut all = Vec::new();
    for (connections, groups) in cases {
        let measured = case(tool, scope, *connections, *groups)?;
        println!("{connections} connections, {groups} groups: {:.1} MiB resident", measured.resident_mib);
        all.push(measured);
    }
    let mut section = Section::default();
    section.paragraph(
        "Idle connections, each of which has carried one exchange. Memory: of a watch with `-o json` that saw them \
         open. The maps include the ring buffer, which is mapped; the helper shares most of its memory with the tool. \
         CPU while nothing happens: one sample a second with `-o none`, up to four samples a second with the \
         dashboard, each with a frame.",
    );
    add_table(&mut section, &all);
    add_verdicts(&mut section, &all);
    Ok(section)
}

fn case(tool: &Path, scope: Scope, connections: u32, groups: u32) -> Result<Measured> {
    let places = Places::new(connections, groups)?;
    let groups = groups.max(places.processes());
    let ports = ["-p".to_owned(), places.ports()?];
    let options: Vec<&str> = ports.iter().map(String::as_str).collect();
    // Port 9, which every contestant gets, has no traffic.
    let started = Contestant::Json.start(tool, 9, &options)?;
    let pid = started.pid().context("the watch is not running")?;
    let holders = places.fill()?;
    sleep(Duration::from_secs(2));
    let mib = |pid: u32| status_of(pid, "VmRSS").unwrap_or(0).saturating_sub(mapped_kib_of(pid)) as f64 / 1024.0;
    let (resident_mib, maps_mib) = (mib(pid), map_bytes_of(pid) as f64 / MIB);
    let helper_mib = children_of(pid).into_iter().map(mib).sum();
    started.stop()?;
    // After a sample, the tool rests for twenty times as long as the sample took.
    let watched_for = Duration::from_secs(scope.of(if connections < 100_000 { 5 } else { 20 }, 1).into());
    let quiet_ms_a_second = idle(&Contestant::Quiet.start(tool, 9, &options)?, watched_for);
    let dashboard_ms_a_second = idle(&Contestant::Dashboard.start(tool, 9, &options)?, watched_for);
    let attach = (0..scope.of(3, 1)).map(|_| time_to_attach(tool, &options)).collect::<Result<Vec<_>>>()?;
    drop(holders);
    let attach_ms = median(attach.iter().map(Duration::as_secs_f64)) * 1000.0;
    Ok(Measured {
        connections,
        groups,
        attach_ms,
        resident_mib,
        helper_mib,
        maps_mib,
        quiet_ms_a_second,
        dashboard_ms_a_second,
    })
}

/// CPU milliseconds per second of a watch while nothing happens.
fn idle(started: &Started, watched_for: Duration) -> f64 {
    sleep(Duration::from_secs(1));
    let (began, before) = (Instant::now(), started.cpu());
    sleep(watched_for);
    let used = started.cpu().saturating_sub(before);
    used.as_secs_f64() * 1000.0 / began.elapsed().as_secs_f64()
}

fn add_table(section: &mut Section, all: &[Measured]) {
    let head = [
        "connections",
        "groups",
        "start to attached",
        "resident",
        "helper",
        "maps",
        "`-o none`, idle",
        "`-o tui`, idle",
    ];
    let mut rows = vec![head.map(Into::into).into()];
    for of in all {
        rows.push(vec![
            of.connections.to_string(),
            of.groups.to_string(),
            format!("{:.0} ms", of.attach_ms),
            format!("{:.1} MiB", of.resident_mib),
            format!("{:.1} MiB", of.helper_mib),
            format!("{:.1} MiB", of.maps_mib),
            format!("{:.2} ms/s", of.quiet_ms_a_second),
            format!("{:.2} ms/s", of.dashboard_ms_a_second),
        ]);
    }
    section.table(&rows);
}

fn add_verdicts(section: &mut Section, all: &[Measured]) {
    let Some(most) = all.iter().max_by_key(|of| of.connections) else { return };
    let mib = most.resident_mib + most.maps_mib;
    section.verdict(Verdict::new(
        "resident memory with maps, 100,000 open connections: ≤ 64 MiB",
        format!("{mib:.1} MiB at {} connections", most.connections),
        mib <= MAX_MIB && most.connections >= 100_000,
    ));
}
