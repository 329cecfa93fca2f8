//! What a scenario is, the list of all scenarios, and how they run under one hook set.

use std::{thread::sleep, time::Duration};

use anyhow::{Context as _, Result};

use crate::{
    avoidable, bodies, cgroups, clock, connects, descendants, endings,
    expected::{Close, Differences, Expected},
    fast_open, floods,
    hook_set::HookSet,
    http, logins,
    machine::Machine,
    peer::Truth,
    pools, privileges,
    recording::Recording,
    report::Report,
    tls, transfers,
    watch::Watch,
};

/// A few connections to one port, made on purpose. All scenarios share one watch.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Makes the connections, waits until they are closed, and returns the listener's counts.
    pub(crate) run: fn() -> Result<Truth>,
    pub(crate) expected: Expected,
}

impl Scenario {
    /// A scenario without failed connects.
    pub(crate) const fn new(name: &'static str, run: fn() -> Result<Truth>, closes: &'static [(u64, Close)]) -> Self {
        Self { name, run, expected: Expected { failures: &[], closes } }
    }
}

/// A scenario under a watch of its own.
pub(crate) struct SoloScenario {
    pub(crate) name: &'static str,
    /// Returns the differences from the truth.
    pub(crate) run: fn(&Machine, &HookSet) -> Result<Vec<String>>,
}

/// The result of a scenario.
pub(crate) struct Outcome {
    name: &'static str,
    pub(crate) differences: Vec<String>,
}

impl Outcome {
    /// An error counts as a difference.
    pub(crate) fn new(name: &'static str, differences: Result<Vec<String>>) -> Self {
        Self { name, differences: differences.unwrap_or_else(|error| vec![format!("{error:#}")]) }
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.differences.is_empty()
    }

    pub(crate) fn print(&self, set: &str) {
        let name = self.name;
        if self.is_ok() {
            println!("{set}: {name} ... ok");
        } else {
            println!("{set}: FAILED {name}: {}", self.differences.join("; "));
        }
    }
}

/// The name of the check of the shared watch's summary.
const SUMMARY: &str = "summary of all scenarios";

fn all() -> impl Iterator<Item = Scenario> {
    let connections = bodies::ALL.iter().chain(endings::ALL).chain(connects::ALL).chain(fast_open::ALL);
    let uses = pools::ALL
        .iter()
        .chain(avoidable::ALL)
        .chain(transfers::ALL)
        .chain(http::ALL)
        .chain(logins::ALL)
        .chain(tls::all());
    connections.chain(uses).copied()
}

fn solo() -> impl Iterator<Item = &'static SoloScenario> {
    floods::ALL
        .iter()
        .chain(cgroups::ALL)
        .chain(descendants::ALL)
        .chain(privileges::ALL)
        .chain(avoidable::SOLO)
        .chain(clock::all())
}

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    all().map(|scenario| scenario.name).chain([SUMMARY]).chain(solo().map(|scenario| scenario.name))
}

pub(crate) fn run_all(machine: &Machine, hooks: &HookSet, is_chosen: impl Fn(&str) -> bool) -> Vec<Outcome> {
    let scenarios: Vec<Scenario> = all().filter(|scenario| is_chosen(scenario.name)).collect();
    let mut outcomes = if scenarios.is_empty() { Vec::new() } else { run_shared(&scenarios, hooks) };
    for scenario in solo().filter(|scenario| is_chosen(scenario.name)) {
        outcomes.push(Outcome::new(scenario.name, (scenario.run)(machine, hooks)));
    }
    outcomes
}

/// How often a scenario is tried again in which the kernel may have skipped a hook.
const ATTEMPTS: u32 = 5;

/// Runs the scenarios under one watch. Without sockops, what differs may be what the kernel has skipped, which the watch
/// then says. So a scenario that differs is judged by a watch of its own in which the kernel has skipped nothing.
fn run_shared(scenarios: &[Scenario], hooks: &HookSet) -> Vec<Outcome> {
    let mut watched = match Watched::run(scenarios, hooks) {
        Ok(watched) => watched,
        Err(error) => return vec![Outcome::new(SUMMARY, Err(error))],
    };
    if !hooks.has_sockops && watched.skips > 0 {
        let differing = scenarios.iter().zip(&mut watched.outcomes).filter(|(_, outcome)| !outcome.is_ok());
        for (scenario, outcome) in differing {
            for _ in 0..ATTEMPTS {
                match Watched::run(&[*scenario], hooks) {
                    Ok(mut alone) => {
                        let is_judged = alone.skips == 0 || alone.outcomes[0].is_ok();
                        *outcome = alone.outcomes.remove(0);
                        if is_judged {
                            break;
                        }
                    }
                    Err(error) => *outcome = Outcome::new(scenario.name, Err(error)),
                }
            }
        }
    }
    watched.outcomes.push(watched.summary);
    watched.outcomes
}

/// Scenarios under one watch.
struct Watched {
    /// In the order of the scenarios.
    outcomes: Vec<Outcome>,
    summary: Outcome,
    /// How often the kernel has skipped a hook.
    skips: u64,
}

impl Watched {
    fn run(scenarios: &[Scenario], hooks: &HookSet) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let recording = folder.path().join("recording");
        let record = recording.to_str().context("the temporary folder's path is not UTF-8")?;
        let watch = Watch::start(&hooks.name, &["--record", record])?;
        let truths: Vec<Result<Truth>> = scenarios.iter().map(|scenario| (scenario.run)()).collect();
        // A socket may outlive its last close by a packet.
        sleep(Duration::from_millis(100));
        let report = watch.end()?;
        let recording = Recording::read(&recording)?;
        let judge = |(scenario, truth): (&Scenario, Result<Truth>)| {
            let differences = truth.map(|truth| scenario.expected.differences(&truth, &report, &recording, hooks));
            Outcome::new(scenario.name, differences)
        };
        Ok(Self {
            outcomes: scenarios.iter().zip(truths).map(judge).collect(),
            summary: Outcome::new(SUMMARY, Ok(check_summary(&report, hooks))),
            skips: report.total("hook_skips"),
        })
    }
}

fn check_summary(report: &Report, hooks: &HookSet) -> Vec<String> {
    let mut all = Differences::default();
    let skips = report.total("hook_skips");
    // The kernel may skip hooks on a quiet machine too. With these hook sets, later hooks make up for every skip.
    if skips == 0 || (hooks.has_sockops && hooks.sees_sends) {
        all.flag("complete", true, &report.summary["complete"]);
    }
    all.count("events_lost", 0, report.total("events_lost"));
    all.count("untracked", 0, report.total("untracked"));
    all.flag("exact", report.total("inexact") == 0, &report.summary["exact"]);
    all.0
}
