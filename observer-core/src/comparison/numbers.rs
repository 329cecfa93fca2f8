//! The numbers of a group, or of several, on one side.

use std::collections::BTreeMap;

use super::summary::SummaryGroup;
use crate::model::{Cause, cause_name};

/// None: the file does not have the number.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    pub opened: Option<u64>,
    pub failed: Option<u64>,
    pub closed: Option<u64>,
    pub new: Option<u64>,
    pub reused: Option<u64>,
    /// Whether the exchanges are exact.
    pub is_exact: bool,
    pub asked: Option<u64>,
    pub needed: Option<u64>,
    pub avoidable: Option<u64>,
    pub is_avoidable_exact: bool,
    /// The avoidable connections of the groups in which their number is exact.
    pub(super) surely_avoidable: u64,
    /// Whether the number is known for each group.
    pub(super) is_avoidable_whole: bool,
    /// Closed connections by cause.
    pub causes: Option<BTreeMap<String, u64>>,
}

/// The share of exchanges on reused connections.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reuse {
    NotKnown,
    NoExchange,
    /// From 0 to 1.
    Ratio(f64),
}

impl Reuse {
    pub fn ratio(self) -> Option<f64> {
        if let Self::Ratio(ratio) = self { Some(ratio) } else { None }
    }
}

impl Numbers {
    /// The numbers of no groups at all.
    pub(super) const NONE: Self = Self {
        opened: Some(0),
        failed: Some(0),
        closed: Some(0),
        new: Some(0),
        reused: Some(0),
        is_exact: true,
        asked: Some(0),
        needed: Some(0),
        avoidable: Some(0),
        is_avoidable_exact: true,
        surely_avoidable: 0,
        is_avoidable_whole: true,
        causes: Some(BTreeMap::new()),
    };

    pub fn exchanges(&self) -> Option<u64> {
        sum(self.new, self.reused)
    }

    pub fn reuse(&self) -> Reuse {
        match (self.exchanges(), self.reused) {
            (Some(0), _) => Reuse::NoExchange,
            (Some(exchanges), Some(reused)) => Reuse::Ratio(reused as f64 / exchanges as f64),
            _ => Reuse::NotKnown,
        }
    }

    /// Adds the numbers of another group. A sum of which a part is unknown is unknown, except for the pool's numbers: an
    /// overflow group never has them, so they are added up without it, and marked.
    pub(super) fn add(&mut self, other: &Self) {
        self.opened = sum(self.opened, other.opened);
        self.failed = sum(self.failed, other.failed);
        self.closed = sum(self.closed, other.closed);
        self.new = sum(self.new, other.new);
        self.reused = sum(self.reused, other.reused);
        self.is_exact &= other.is_exact;
        self.asked = sum_of_known(self.asked, other.asked);
        self.needed = sum_of_known(self.needed, other.needed);
        self.avoidable = sum_of_known(self.avoidable, other.avoidable);
        self.is_avoidable_exact &= other.is_avoidable_exact;
        self.surely_avoidable = self.surely_avoidable.saturating_add(other.surely_avoidable);
        self.is_avoidable_whole &= other.is_avoidable_whole;
        self.causes = self.causes.take().zip(other.causes.as_ref()).map(|(mut causes, others)| {
            for (cause, n) in others {
                let sum = causes.entry(cause.clone()).or_default();
                *sum = sum.saturating_add(*n);
            }
            causes
        });
    }
}

impl From<&SummaryGroup> for Numbers {
    fn from(group: &SummaryGroup) -> Self {
        let is_avoidable_exact = group.avoidable.is_some() && group.avoidable_exact == Some(true);
        Self {
            opened: group.opened,
            failed: group.failed,
            closed: group.closed,
            new: group.new,
            reused: group.reused,
            // What is not known to be exact is marked.
            is_exact: group.inexact == Some(0) && group.marked == Some(0),
            asked: group.asked,
            needed: group.needed,
            avoidable: group.avoidable,
            is_avoidable_exact,
            surely_avoidable: group.avoidable.filter(|_| is_avoidable_exact).unwrap_or(0),
            is_avoidable_whole: group.avoidable.is_some(),
            causes: causes(group),
        }
    }
}

/// Closed connections by cause, without the causes that did not occur. None if the file does not tell causes: a summary
/// lacks the field, and an old recording says for none of its closed connections what it ended by.
fn causes(group: &SummaryGroup) -> Option<BTreeMap<String, u64>> {
    let mut causes = group.closes.clone()?;
    causes.retain(|_, n| *n > 0);
    let told = causes.values().fold(0, |sum: u64, n| sum.saturating_add(*n));
    let untold = group.closed?.saturating_sub(told);
    if told == 0 && untold > 0 {
        return None;
    }
    if untold > 0 {
        *causes.entry(cause_name(Cause::Unknown).into()).or_default() += untold;
    }
    Some(causes)
}

fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    Some(a?.saturating_add(b?))
}

fn sum_of_known(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    if a.is_some() && b.is_some() { sum(a, b) } else { a.or(b) }
}
