//! The CPU cost of watching: in the kernel, where BPF programs are measured, and in user space.

use std::path::Path;

use anyhow::Result;

use super::Scope;
use super::bpf::{Cost, Empty, Program, Statistics, since};
use super::contestant::Contestant::{self, Dashboard, Json, Quiet, Tcplife};
use super::contestant::let_drain;
use super::load::Load;
use super::report::{Section, Verdict};
use super::server::Server;
use crate::support::statistics::{Quartiles, median};

/// Programs that run while the tool reads an iterator. Their time already counts as the tool's CPU time.
const ITERATORS: [&str; 3] = ["inventory_list", "inventory_take", "netstat"];

const CONTESTANTS: [Contestant; 4] = [Json, Quiet, Dashboard, Tcplife];

/// One run of the load next to one contestant.
struct Run {
    contestant: Contestant,
    /// Nanoseconds per connection or exchange, like the next two
    bpf_ns: f64,
    user_ns: f64,
    load_ns: f64,
    /// Share of a core used in user space
    core: f64,
    /// Requests per second
    rate: f64,
    /// Connections or exchanges
    units: f64,
    programs: Vec<Program>,
    empty: Cost,
}

impl Run {
    fn cost_ns(&self) -> f64 {
        self.bpf_ns + self.user_ns
    }
}

pub(super) fn measure(tool: &Path, scope: Scope) -> Result<Section> {
    let mut section = Section::default();
    section.paragraph(&format!(
        "BPF: run time of all programs of a watcher by the kernel's own statistics, minus the run time of an empty \
         program attached to sends and receives in the same run (the cost of measuring). User: all threads and \
         children of the watcher, in user space and in system calls. Load: client and server together, in the \
         preceding run without a watcher and without statistics. {} rounds.",
        scope.rounds
    ));
    let connections = Load::Connections(scope.of(15_000, 2_000));
    for (load, most) in [(connections, 0.03), (Load::Requests(1), 0.02)] {
        let runs = rounds(tool, load, scope.rounds)?;
        add_table(&mut section, load, &runs);
        for contestant in [Json, Quiet] {
            add_program_table(&mut section, load, contestant, &runs);
        }
        add_verdicts(&mut section, load, most, &runs);
    }
    Ok(section)
}

fn rounds(tool: &Path, load: Load, rounds: usize) -> Result<Vec<Run>> {
    let server = load.server()?;
    load.run(&server)?;
    let mut runs = Vec::new();
    for round in 1..=rounds {
        for contestant in CONTESTANTS {
            let run = run(tool, load, contestant, &server)?;
            println!(
                "{round}/{rounds} {}: BPF {:.0} ns, user {:.0} ns, load {:.0} ns",
                contestant.name(),
                run.bpf_ns,
                run.user_ns,
                run.load_ns
            );
            runs.push(run);
        }
    }
    Ok(runs)
}

fn run(tool: &Path, load: Load, contestant: Contestant, server: &Server) -> Result<Run> {
    let off = load.run(server)?;
    let started = contestant.start(tool, server.port, &[])?;
    let (_statistics, empty) = (Statistics::start()?, Empty::attach()?);
    let before = (started.programs(), started.cpu());
    let on = load.run(server)?;
    let_drain();
    let user_s = started.cpu().saturating_sub(before.1).as_secs_f64();
    let (programs, empty) = (since(started.programs(), &before.0), empty.cost());
    started.stop()?;
    let units = |done: &super::load::Done| match load {
        Load::Connections(_) => done.counted.connections as f64,
        _ => done.counted.requests as f64,
    };
    let hooked = programs.iter().filter(|program| !ITERATORS.contains(&program.name.as_str()));
    let bpf_ns: f64 = hooked.map(|program| program.cost.net_ns(empty)).sum();
    Ok(Run {
        contestant,
        bpf_ns: bpf_ns / units(&on),
        user_ns: user_s * 1e9 / units(&on),
        load_ns: off.cpu.as_secs_f64() * 1e9 / units(&off),
        core: user_s * on.rate / on.counted.requests as f64,
        rate: on.rate,
        units: units(&on),
        programs,
        empty,
    })
}

fn runs_of(runs: &[Run], contestant: Contestant) -> impl Iterator<Item = &Run> {
    runs.iter().filter(move |run| run.contestant == contestant)
}

fn add_table(section: &mut Section, load: Load, runs: &[Run]) {
    let (unit, units) = load.unit();
    let to_ms = units / 1e6;
    let load_ms = Quartiles::of(runs.iter().map(|run| run.load_ns)).scale(to_ms);
    section.paragraph(&format!("**{}**, milliseconds per {unit}; the load itself takes {load_ms:.0}.", load.title()));
    let tcplife = median(runs_of(runs, Tcplife).map(Run::cost_ns));
    let mut rows = vec![["watcher", "BPF", "user", "both", "both ÷ load", "both ÷ tcplife"].map(Into::into).into()];
    for contestant in CONTESTANTS {
        let spread = |value: fn(&Run) -> f64| Quartiles::of(runs_of(runs, contestant).map(value)).scale(to_ms);
        let share = Quartiles::of(runs_of(runs, contestant).map(|run| run.cost_ns() / run.load_ns)).scale(100.0);
        rows.push(vec![
            contestant.name().into(),
            format!("{:.2}", spread(|run| run.bpf_ns)),
            format!("{:.2}", spread(|run| run.user_ns)),
            format!("{:.2}", spread(Run::cost_ns)),
            format!("{share:.2} %"),
            format!("{:.2}", spread(Run::cost_ns).median / to_ms / tcplife),
        ]);
    }
    section.table(&rows);
}

/// The cost of each of the tool's programs.
fn add_program_table(section: &mut Section, load: Load, contestant: Contestant, runs: &[Run]) {
    let runs: Vec<&Run> = runs_of(runs, contestant).collect();
    let mut names: Vec<&str> = runs.iter().flat_map(|run| &run.programs).map(|program| program.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let each = if let Load::Connections(_) = load { "connection" } else { "exchange" };
    section.paragraph(&format!("Programs of `{}`:", contestant.name()));
    let head = ["program".into(), format!("runs per {each}"), "ns per run".into(), "net of an empty program".into()];
    let mut rows = vec![head.into()];
    for name in names {
        let of_run = |run: &Run| run.programs.iter().find(|program| program.name == name).map(|program| program.cost);
        let costs: Vec<(&Run, Cost)> = runs.iter().filter_map(|run| Some((*run, of_run(run)?))).collect();
        let runs_each = median(costs.iter().map(|(run, cost)| cost.runs as f64 / run.units));
        if runs_each < 0.001 {
            continue;
        }
        let gross = Quartiles::of(costs.iter().map(|(_, cost)| cost.ns_per_run()));
        let net = Quartiles::of(costs.iter().map(|(run, cost)| cost.net_ns(run.empty) / cost.runs as f64));
        rows.push(vec![format!("`{name}`"), format!("{runs_each:.2}"), format!("{gross:.0}"), format!("{net:.0}")]);
    }
    let empty = Quartiles::of(runs.iter().map(|run| run.empty.ns_per_run()));
    rows.push(vec!["an empty program".into(), "–".into(), format!("{empty:.0}"), "0".into()]);
    section.table(&rows);
}

fn add_verdicts(section: &mut Section, load: Load, most: f64, runs: &[Run]) {
    let each = if let Load::Connections(_) = load { "connection" } else { "exchange" };
    let share = Quartiles::of(runs_of(runs, Json).map(|run| run.cost_ns() / run.load_ns));
    section.verdict(Verdict::new(
        format!("BPF + user CPU ÷ the load's CPU, per {each}: ≤ {:.0} %", most * 100.0),
        format!("{:.2} %", share.scale(100.0)),
        share.median <= most,
    ));
    if let Load::Connections(_) = load {
        let ratio = median(runs_of(runs, Json).map(Run::cost_ns)) / median(runs_of(runs, Tcplife).map(Run::cost_ns));
        section.verdict(Verdict::new(
            "BPF + user CPU per 10,000 connections ÷ tcplife's: ≤ 0.2",
            format!("{ratio:.2}"),
            ratio <= 0.2,
        ));
    } else {
        let core = Quartiles::of(runs_of(runs, Dashboard).map(|run| run.core));
        let rate = median(runs_of(runs, Dashboard).map(|run| run.rate));
        section.verdict(Verdict::new(
            "user CPU with the dashboard, at the highest rate of exchanges: ≤ 2 % of a core",
            format!("{:.2} % at {rate:.0} exchanges a second", core.scale(100.0)),
            core.median <= 0.02,
        ));
    }
}
