//! Gates: what a watch must show at its end, or else the exit code is 3. They are judged on the final snapshot, so a watch
//! and the replay of its recording come to the same.
//!
//! A gate fails only on what is known. Numbers that may be too low can fail it, and numbers that may be too high cannot. It
//! never passes silently on numbers that may be too low.

mod avoidable;
mod diagnoses;
mod reuse;
#[cfg(test)]
mod tests;
mod unwanted;

use crate::{
    diagnosis::Diagnosis,
    tracker::{GroupRow, Snapshot},
};
pub use unwanted::Unwanted;

/// The gates that were asked for.
#[derive(Clone, Debug, Default)]
pub struct Gates {
    /// The least share of exchanges on reused connections, from 0 to 1.
    pub min_reuse: Option<f64>,
    /// The most connections that may have been avoidable.
    pub max_avoidable: Option<u64>,
    /// Diagnoses that no group may have.
    pub unwanted: Option<Unwanted>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Gate {
    MinReuse(f64),
    MaxAvoidable(u64),
    FailOn(Unwanted),
}

/// A gate and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub gate: Gate,
    pub verdict: Verdict,
    /// None if it could not be measured.
    pub measured: Option<Measure>,
    /// Why the gate was not judged, or why its result may not hold.
    pub doubt: Option<Doubt>,
    /// The group that did worst. None unless the gate failed.
    pub worst: Option<Box<Worst>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    /// Not judged.
    Skipped,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// From 0 to 1.
    Ratio(f64),
    Count(u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The watch is no ground for a judgement, for this reason.
    NoGround(String),
    /// Without an exchange there is no ratio.
    NoExchanges,
    /// Some exchanges cannot be counted exactly, or were not counted at all.
    Marked,
    /// Avoidable connections are not counted: the recording is an old one.
    NotCounted,
    /// What is avoidable for sure is allowed. This many more connections may have been.
    Unclear { beyond: u64 },
    /// Something was lost, or belongs to no group of its own, so there may be more of it.
    Incomplete,
}

/// The group that did worst, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worst {
    pub group: GroupRow,
    /// None if nothing is known.
    pub diagnosis: Option<Diagnosis>,
}

impl Gates {
    /// None if there are no gates.
    pub fn judge(&self, snapshot: &Snapshot) -> Option<Vec<Judgement>> {
        self.each(|gate| match gate {
            Gate::MinReuse(least) => reuse::judge(least, snapshot),
            Gate::MaxAvoidable(most) => avoidable::judge(most, snapshot),
            Gate::FailOn(unwanted) => diagnoses::judge(unwanted, snapshot),
        })
    }

    /// Skips all gates, and says why: because nothing was watched, or not all of it was replayed. None if there are no gates.
    pub fn skip(&self, why: &str) -> Option<Vec<Judgement>> {
        self.each(|gate| Judgement::skipped(gate, None, Doubt::NoGround(why.into())))
    }

    fn each(&self, judge: impl Fn(Gate) -> Judgement) -> Option<Vec<Judgement>> {
        let reuse = self.min_reuse.map(Gate::MinReuse);
        let avoidable = self.max_avoidable.map(Gate::MaxAvoidable);
        let gates = reuse.into_iter().chain(avoidable).chain(self.unwanted.clone().map(Gate::FailOn));
        let judged: Vec<Judgement> = gates.map(judge).collect();
        (!judged.is_empty()).then_some(judged)
    }
}

impl Gate {
    /// Its name in JSON, which is that of its option without the dashes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::MinReuse(_) => "min-reuse",
            Self::MaxAvoidable(_) => "max-avoidable",
            Self::FailOn(_) => "fail-on",
        }
    }

    /// The limit of what is measured: the least ratio, or the highest count.
    pub fn allowed(&self) -> Measure {
        match self {
            Self::MinReuse(least) => Measure::Ratio(*least),
            Self::MaxAvoidable(most) => Measure::Count(*most),
            Self::FailOn(_) => Measure::Count(0),
        }
    }
}

impl Judgement {
    fn passed(gate: Gate, measured: Option<Measure>, doubt: Option<Doubt>) -> Self {
        Self { gate, verdict: Verdict::Passed, measured, doubt, worst: None }
    }

    fn failed(gate: Gate, measured: Measure, doubt: Option<Doubt>, worst: Option<Worst>) -> Self {
        Self { gate, verdict: Verdict::Failed, measured: Some(measured), doubt, worst: worst.map(Box::new) }
    }

    fn skipped(gate: Gate, measured: Option<Measure>, doubt: Doubt) -> Self {
        Self { gate, verdict: Verdict::Skipped, measured, doubt: Some(doubt), worst: None }
    }
}

impl Verdict {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl Worst {
    /// A group with the likeliest of its problems.
    fn of(group: &GroupRow) -> Self {
        let diagnosis = group.diagnoses().into_iter().find(|diagnosis| !diagnosis.finding().is_healthy());
        Self { group: group.clone(), diagnosis }
    }
}
