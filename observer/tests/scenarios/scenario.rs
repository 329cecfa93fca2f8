//! A scenario, the list of all, and how a set of hooks goes through them.

use std::{thread::sleep, time::Duration};

use anyhow::{Context as _, Result};

use crate::{
    avoidable, cgroups, connects, endings,
    expected::{Close, Differences, Expected},
    fast_open,
    floods::{self, Flood},
    http, logins,
    machine::Machine,
    peer::Truth,
    pools,
    recorded::Recorded,
    report::Report,
    sight::Sight,
    stories, tls, transfers,
    watch::Watch,
};

/// Some connections to one port, made on purpose.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Makes them, waits until they are over, and says what the listener has counted.
    pub(crate) act: fn() -> Result<Truth>,
    pub(crate) expected: Expected,
}

impl Scenario {
    /// All of its connects come through.
    pub(crate) const fn of(name: &'static str, act: fn() -> Result<Truth>, closes: &'static [(u64, Close)]) -> Self {
        Self { name, act, expected: Expected { failures: &[], closes } }
    }
}

/// What came of a scenario.
pub(crate) struct Outcome {
    name: &'static str,
    pub(crate) differences: Vec<String>,
}

impl Outcome {
    /// An error is a difference too.
    pub(crate) fn new(name: &'static str, differences: Result<Vec<String>>) -> Self {
        Self { name, differences: differences.unwrap_or_else(|error| vec![format!("{error:#}")]) }
    }

    pub(crate) fn print(&self, set: &str) {
        let name = self.name;
        if self.differences.is_empty() {
            println!("{set}: {name} ... ok");
        } else {
            println!("{set}: FAILED {name}: {}", self.differences.join("; "));
        }
    }
}

/// What is asked of the summary of the watch over all of them.
const SUMMARY: &str = "summary of all scenarios";

fn all() -> impl Iterator<Item = Scenario> {
    let connections = stories::ALL.iter().chain(endings::ALL).chain(connects::ALL).chain(fast_open::ALL);
    let uses = pools::ALL
        .iter()
        .chain(avoidable::ALL)
        .chain(transfers::ALL)
        .chain(http::ALL)
        .chain(logins::ALL)
        .chain(tls::all());
    connections.chain(uses).copied()
}

/// Those that have a watch of their own.
fn watched_alone() -> impl Iterator<Item = &'static Flood> {
    floods::ALL.iter().chain(cgroups::ALL).chain(avoidable::WATCHED_ALONE)
}

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    all().map(|scenario| scenario.name).chain([SUMMARY]).chain(watched_alone().map(|flood| flood.name))
}

pub(crate) fn run_all(machine: &Machine, sight: &Sight, is_chosen: impl Fn(&str) -> bool) -> Vec<Outcome> {
    let scenarios: Vec<Scenario> = all().filter(|scenario| is_chosen(scenario.name)).collect();
    let mut outcomes = if scenarios.is_empty() { Vec::new() } else { run_watched(&scenarios, sight) };
    for flood in watched_alone().filter(|flood| is_chosen(flood.name)) {
        outcomes.push(Outcome::new(flood.name, (flood.run)(machine, sight)));
    }
    outcomes
}

/// One watch over all of them.
fn run_watched(scenarios: &[Scenario], sight: &Sight) -> Vec<Outcome> {
    watched(scenarios, sight).unwrap_or_else(|error| vec![Outcome::new(SUMMARY, Err(error))])
}

fn watched(scenarios: &[Scenario], sight: &Sight) -> Result<Vec<Outcome>> {
    let folder = tempfile::tempdir().context("a folder cannot be made")?;
    let recording = folder.path().join("recording");
    let record = recording.to_str().context("the folder has a strange name")?;
    let watch = Watch::start(&sight.set, &["--record", record])?;
    let truths: Vec<Result<Truth>> = scenarios.iter().map(|scenario| (scenario.act)()).collect();
    // A socket may outlive its last close by a packet.
    sleep(Duration::from_millis(100));
    let report = watch.end()?;
    let recorded = Recorded::read(&recording)?;
    let judge = |(scenario, truth): (&Scenario, Result<Truth>)| {
        let differences = truth.map(|truth| scenario.expected.differences(&truth, &report, &recorded, sight));
        Outcome::new(scenario.name, differences)
    };
    let mut outcomes: Vec<Outcome> = scenarios.iter().zip(truths).map(judge).collect();
    outcomes.push(Outcome::new(SUMMARY, Ok(summary(&report, sight))));
    Ok(outcomes)
}

fn summary(report: &Report, sight: &Sight) -> Vec<String> {
    let mut all = Differences::default();
    let skips = report.total("hook_skips");
    // Skips may happen on a quiet machine too; with these sets all are made good.
    if skips == 0 || (sight.sockops && sight.sends) {
        all.flag("complete", true, &report.summary["complete"]);
    }
    all.number("events_lost", 0, report.total("events_lost"));
    all.number("untracked", 0, report.total("untracked"));
    all.flag("exact", report.total("inexact") == 0, &report.summary["exact"]);
    all.0
}
