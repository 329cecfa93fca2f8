//! Share of a load's throughput that remains under a watch.

use std::path::Path;

use anyhow::Result;

use super::Scope;
use super::contestant::Contestant::{self, Json, Netstat, Nothing, Quiet, Ss, Tcpdump, Tcplife};
use super::load::Load;
use super::report::{Section, Verdict};
use super::rounds::{Run, interleaved, runs_of};
use crate::support::statistics::{Quartiles, median, uncertainty};

const CONTESTANTS: [Contestant; 7] = [Nothing, Json, Quiet, Tcplife, Tcpdump, Netstat, Ss];

pub(super) fn measure(tool: &Path, scope: Scope) -> Result<Section> {
    let mut section = Section::default();
    section.paragraph(&format!(
        "Rate of the load with a watcher ÷ the mean of the rates before and after it without one; {} rounds. The line \
         without a watcher shows how much such a ratio varies by chance: the noise floor (half the width of the \
         median's 95 % interval) is the uncertainty of a median of that many rounds.",
        scope.rounds
    ));
    let connections = Load::Connections(scope.of(15_000, 2_000));
    let spread = Load::Spread(scope.of(15_000, 2_000));
    for (load, budget) in [(connections, Some(0.97)), (Load::Requests(1), Some(0.99)), (spread, None)] {
        let runs = interleaved(tool, load, &CONTESTANTS, scope.rounds)?;
        add_table(&mut section, load, &runs);
        if let Some(budget) = budget {
            add_verdicts(&mut section, load, budget, &runs);
        }
    }
    Ok(section)
}

fn kept(runs: &[Run], contestant: Contestant) -> impl Iterator<Item = f64> {
    runs_of(runs, contestant).map(Run::kept)
}

fn add_table(section: &mut Section, load: Load, runs: &[Run]) {
    let off = Quartiles::of(runs.iter().flat_map(|run| run.off).map(|done| done.rate));
    section.paragraph(&format!("**{}**: {off:.0} requests a second without a watcher.", load.title()));
    let mut rows = vec![["watcher", "throughput kept", "lowest", "highest"].map(Into::into).into()];
    for contestant in CONTESTANTS {
        let spread = Quartiles::of(kept(runs, contestant));
        let lowest = kept(runs, contestant).fold(f64::INFINITY, f64::min);
        let highest = kept(runs, contestant).fold(0.0, f64::max);
        rows.push(vec![
            contestant.name().into(),
            format!("{spread:.3}"),
            format!("{lowest:.3}"),
            format!("{highest:.3}"),
        ]);
    }
    section.table(&rows);
}

fn add_verdicts(section: &mut Section, load: Load, budget: f64, runs: &[Run]) {
    let floor = uncertainty(kept(runs, Nothing));
    let ours = median(kept(runs, Json));
    // A noise floor above the permitted loss would let any loss pass.
    let is_quiet = floor <= 1.0 - budget;
    let remark = if is_quiet { "" } else { ", too large to tell" };
    section.verdict(Verdict::new(
        format!("throughput kept, {}: ≥ {budget} minus the noise floor", load.title()),
        format!("{ours:.3}, floor {floor:.3}{remark}"),
        is_quiet && ours >= budget - floor,
    ));
    if let Load::Connections(_) = load {
        let peers = [Tcplife, Tcpdump].map(|peer| median(kept(runs, peer)));
        section.verdict(Verdict::new(
            format!("throughput kept, {}: more than with tcplife and tcpdump", load.title()),
            format!("{ours:.3}; tcplife {:.3}, tcpdump {:.3}", peers[0], peers[1]),
            peers.iter().all(|peer| ours > *peer),
        ));
    }
}
