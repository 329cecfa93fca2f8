//! Exactness: the counts of each contestant, divided by the server's counts, on the same load.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::Scope;
use super::contestant::{Contestant, Seen, let_drain};
use super::load::Load;
use super::report::{Section, Verdict};
use super::server::Counted;

/// The CPUs that process loopback's packets. With both, programs interrupt each other, and the kernel skips some of
/// them.
const STEERING: &str = "/sys/class/net/lo/queues/rx-0/rps_cpus";

const CONTESTANTS: [(Contestant, &[&str]); 6] = [
    (Contestant::Json, &[]),
    (Contestant::Json, &["--ring-size", "4096"]),
    (Contestant::Tcplife, &[]),
    (Contestant::Tcpdump, &[]),
    (Contestant::Netstat, &[]),
    (Contestant::Ss, &[]),
];

/// Spreads packet processing over both CPUs until dropped.
struct Steered {
    before: String,
}

impl Steered {
    fn start() -> Result<Self> {
        let before = fs::read_to_string(STEERING).with_context(|| format!("cannot read {STEERING}"))?;
        fs::write(STEERING, "3").with_context(|| format!("cannot write {STEERING}"))?;
        Ok(Self { before })
    }
}

impl Drop for Steered {
    fn drop(&mut self) {
        if let Err(error) = fs::write(STEERING, self.before.trim()) {
            eprintln!("cannot restore {STEERING} to {}: {error}", self.before.trim());
        }
    }
}

pub(super) fn measure(tool: &Path, scope: Scope) -> Result<Section> {
    let mut section = Section::default();
    let requests = scope.of(50_000, 2_000);
    section.paragraph(&format!(
        "{requests} requests, 16 at a time, as fast as possible. Connections and exchanges that the watcher saw ÷ \
         those that the server counted; netstat and ss show only the connections that exist when they look. Steered: \
         both processors handle loopback packets (`rps_cpus`). Lost: rows, events or packets, as the watcher reports \
         them."
    ));
    let head = ["load", "watcher", "connections", "exchanges", "lost"];
    let mut rows = vec![head.map(Into::into).into()];
    let mut off = Vec::new();
    let loads = [Load::Connections(requests), Load::Spread(requests), Load::Kept(requests)];
    for (steered, load) in [false, true].into_iter().flat_map(|steered| loads.map(|load| (steered, load))) {
        let _steering = steered.then(Steered::start).transpose()?;
        for (contestant, options) in CONTESTANTS {
            let (seen, counted) = run(tool, load, contestant, options)?;
            let title = format!("{}{}", load.title(), if steered { ", steered" } else { "" });
            let name = format!("{} {}", contestant.name(), options.join(" "));
            println!("{title}, {name}: {seen:?} of {counted:?}");
            if contestant == Contestant::Json {
                off.extend(difference(&title, &name, seen, counted));
            }
            rows.push(row(&title, name.trim(), seen, counted));
        }
    }
    section.table(&rows);
    let printed = if off.is_empty() { "1.0000 in all cases".into() } else { off.join("; ") };
    section.verdict(Verdict::new(
        "counted ÷ true connections and exchanges, also with the ring forced to overflow: 1.0000",
        printed,
        off.is_empty(),
    ));
    Ok(section)
}

/// Runs a load on a new server, because netstat and ss would list the sockets of earlier loads.
fn run(tool: &Path, load: Load, contestant: Contestant, options: &[&str]) -> Result<(Seen, Counted)> {
    let server = load.server()?;
    let started = contestant.start(tool, server.port, options)?;
    let done = load.run(&server)?;
    let_drain();
    Ok((started.stop()?, done.counted))
}

fn row(title: &str, name: &str, seen: Seen, counted: Counted) -> Vec<String> {
    let share =
        |seen: Option<u64>, of: u64| seen.map_or("–".into(), |seen| format!("{:.4}", seen as f64 / of as f64));
    vec![
        title.into(),
        name.into(),
        share(seen.connections, counted.connections),
        share(seen.exchanges, counted.requests),
        seen.lost.map_or("–".into(), |lost| lost.to_string()),
    ]
}

/// Describes a difference between the counts of the tool and of the server.
fn difference(title: &str, name: &str, seen: Seen, counted: Counted) -> Option<String> {
    let is_exact = (seen.connections, seen.exchanges) == (Some(counted.connections), Some(counted.requests));
    (!is_exact).then(|| format!("{title}, {name}: {seen:?} of {counted:?}"))
}
