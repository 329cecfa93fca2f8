//! Floods of short connections, each under a watch of its own: one loses rows, one makes the kernel skip hooks.

use std::{net::SocketAddr, thread, time::Duration};

use anyhow::{Result, anyhow};

use crate::{
    expected::Differences,
    hook_set::HookSet,
    machine::Machine,
    messages::{ask, serve},
    peer::{Peer, Truth, connect},
    report::Report,
    scenario::SoloScenario,
    watch::Watch,
};

const CLIENTS: u64 = 4;

pub(crate) const ALL: &[SoloScenario] = &[
    SoloScenario { name: "ring overflow loses rows but no counts", run: overflow },
    SoloScenario { name: "packets steered between processors", run: steered },
];

/// The ring buffer overflows, and the counts stay exact.
fn overflow(_: &Machine, hooks: &HookSet) -> Result<Vec<String>> {
    let watch = Watch::start(&hooks.name, &["--ring-size", "4096", "--exchanges"])?;
    // A running tool might keep up on a fast machine.
    watch.pause()?;
    let truth = flood(2_000)?;
    watch.resume()?;
    let report = watch.end()?;
    let mut all = Differences::default();
    compare(&truth, &report, hooks, &mut all);
    all.check(report.total("events_lost") > 0, || "events_lost expected at least 1 got 0".into());
    all.flag("complete", false, &report.summary["complete"]);
    Ok(all.0)
}

/// Both processors handle packets, by interrupting each other.
fn steered(machine: &Machine, hooks: &HookSet) -> Result<Vec<String>> {
    let watch = Watch::start(&hooks.name, &[])?;
    let setting = machine.steer_packets()?;
    let truth = flood(5_000)?;
    drop(setting);
    let report = watch.end()?;
    let mut all = Differences::default();
    compare(&truth, &report, hooks, &mut all);
    all.count("events_lost", 0, report.total("events_lost"));
    let is_complete = report.summary["complete"] == true;
    // The next send compensates for a skipped receive, if sends are seen.
    if report.total("hook_skips") == 0 || (hooks.has_sockops && hooks.sees_sends) {
        all.check(is_complete, || format!("complete expected true in {}", report.summary["totals"]));
    }
    let missing = truth.connections > report.count(truth.port, "closed")
        || truth.exchanges > report.count(truth.port, "exchanges");
    all.check(!(missing && is_complete), || format!("complete although counts are missing in {}", report.summary));
    Ok(all.0)
}

/// Makes each request on a connection of its own, [`CLIENTS`] at a time.
fn flood(connections: u64) -> Result<Truth> {
    let peer = Peer::with_threads(CLIENTS as usize, serve)?;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let address = peer.address;
            thread::spawn(move || client(address, connections / CLIENTS))
        })
        .collect();
    for client in clients {
        client.join().map_err(|_| anyhow!("a client panicked"))??;
    }
    let truth = peer.truth(connections)?;
    // A socket may outlive its last close by a packet.
    thread::sleep(Duration::from_millis(100));
    Ok(truth)
}

fn client(address: SocketAddr, connections: u64) -> Result<()> {
    (0..connections).try_for_each(|_| Ok(ask(&mut connect(address)?, 100)?))
}

/// With sock_ops nothing may be missing; without it, at most as many counts as the kernel has skipped runs.
fn compare(truth: &Truth, report: &Report, hooks: &HookSet, all: &mut Differences) {
    let port = truth.port;
    let skips = if hooks.has_sockops { 0 } else { report.total("hook_skips") };
    let mut close_to = |name, expected: u64| {
        let got = report.count(port, name);
        let may_miss = got < expected && expected - got <= skips;
        all.check(got == expected || may_miss, || format!("{name} expected {expected} got {got} with {skips} skips"));
    };
    close_to("opened", truth.connections);
    close_to("closed", truth.connections);
    close_to("new", truth.connections);
    close_to("exchanges", truth.exchanges);
    close_to("asked", truth.connections);
    let needed = report.count(port, "needed");
    // A skipped close is found later, so the connection seems to serve longer than it did.
    let most = CLIENTS + skips;
    all.check((1..=most).contains(&needed), || format!("needed expected 1 to {most} got {needed}"));
    let is_exact = report.groups(port).all(|group| group["avoidable_exact"] == true);
    let is_justified = if skips > 0 { hooks.sees_sends || !is_exact } else { is_exact == hooks.sees_sends };
    all.check(is_justified, || format!("avoidable_exact got {is_exact} in {}", report.summary["totals"]));
    all.check(!is_exact || needed <= CLIENTS, || format!("needed expected at most {CLIENTS} got {needed}"));
    all.count("reused", 0, report.count(port, "reused"));
    let failures = report.failures(port);
    all.check(failures.is_empty(), || format!("failures expected none got {failures:?}"));
    all.count("untracked", 0, report.total("untracked"));
    all.flag("exact", report.total("inexact") == 0, &report.summary["exact"]);
}
