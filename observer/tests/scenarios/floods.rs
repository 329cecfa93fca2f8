//! Many short connections, each under a watch of its own: where rows are lost, and where the kernel skips hooks.

use std::{net::SocketAddr, thread, time::Duration};

use anyhow::{Result, anyhow};

use crate::{
    expected::Differences,
    machine::Machine,
    messages::{ask, serve},
    peer::{Peer, Truth, connect},
    report::Report,
    sight::Sight,
    watch::Watch,
};

const CLIENTS: u64 = 4;

pub(crate) struct Flood {
    pub(crate) name: &'static str,
    /// What differs from the truth
    pub(crate) run: fn(&Machine, &Sight) -> Result<Vec<String>>,
}

pub(crate) const ALL: &[Flood] =
    &[Flood { name: "ring overflow", run: overflow }, Flood { name: "packet work steered", run: steered }];

/// The room for rows overflows; what is counted stays exact.
fn overflow(_: &Machine, sight: &Sight) -> Result<Vec<String>> {
    let watch = Watch::start(&sight.set, &["--ring-size", "4096", "--exchanges"])?;
    // Otherwise it depends on the machine whether the tool keeps up.
    watch.pause()?;
    let truth = flood(2_000)?;
    watch.go_on()?;
    let report = watch.end()?;
    let mut all = Differences::default();
    compare(&truth, &report, sight, &mut all);
    all.check(report.total("events_lost") > 0, || "events_lost expected at least 1 got 0".into());
    all.flag("complete", false, &report.summary["complete"]);
    Ok(all.0)
}

/// Both processors work on packets, by interrupting each other.
fn steered(machine: &Machine, sight: &Sight) -> Result<Vec<String>> {
    let watch = Watch::start(&sight.set, &[])?;
    let setting = machine.steer_packets()?;
    let truth = flood(5_000)?;
    drop(setting);
    let report = watch.end()?;
    let mut all = Differences::default();
    compare(&truth, &report, sight, &mut all);
    all.number("events_lost", 0, report.total("events_lost"));
    let is_complete = report.summary["complete"] == true;
    // A receive that was skipped is made good by the next send, where sends are seen.
    if report.total("hook_skips") == 0 || (sight.sockops && sight.sends) {
        all.check(is_complete, || format!("complete expected true in {}", report.summary["totals"]));
    }
    let missing = truth.connections > report.count(truth.port, "closed")
        || truth.exchanges > report.count(truth.port, "exchanges");
    all.check(!(missing && is_complete), || format!("complete although something is missing in {}", report.summary));
    Ok(all.0)
}

/// A connection for each request, a few at a time.
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

/// With sock_ops nothing may be missing; without, as much as the kernel says that it has skipped.
fn compare(truth: &Truth, report: &Report, sight: &Sight, all: &mut Differences) {
    let port = truth.port;
    let skips = if sight.sockops { 0 } else { report.total("hook_skips") };
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
    // A close that was skipped is found later.
    let most = CLIENTS + skips;
    all.check((1..=most).contains(&needed), || format!("needed expected 1 to {most} got {needed}"));
    let is_exact = report.groups(port).all(|group| group["avoidable_exact"] == true);
    let is_honest = if skips > 0 { sight.sends || !is_exact } else { is_exact == sight.sends };
    all.check(is_honest, || format!("avoidable_exact got {is_exact} in {}", report.summary["totals"]));
    all.check(!is_exact || needed <= CLIENTS, || format!("needed expected at most {CLIENTS} got {needed}"));
    all.number("reused", 0, report.count(port, "reused"));
    let failures = report.failures(port);
    all.check(failures.is_empty(), || format!("failures expected none got {failures:?}"));
    all.number("untracked", 0, report.total("untracked"));
    all.flag("exact", report.total("inexact") == 0, &report.summary["exact"]);
}
