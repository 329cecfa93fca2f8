//! A connection for each unit of work: a login, a few exchanges and a goodbye, and a moment later the same on another
//! connection. One that is kept would have done. Who is named for it depends on who closes (`closers.rs`)
//! and who opens (`openers.rs`).
//!
//! After how many exchanges it is closed tells nothing by itself: with a protocol that begins with a login, a single
//! command takes several turns, and a session of HTTP for each job has as many as the job has requests. What tells is that
//! connections are brief and that others take their place at once, several times over.

use super::{FEW, Patient};
use crate::{event::Cause, tracker::evidence::Ended};

/// Units come in rounds, of as many as there are at once. A pool that is opened anew, or workers that are restarted, make
/// two or three.
const ROUNDS: u64 = 4;

/// What is opened again later than this may be a check.
const SOON_NS: i64 = 1_000_000_000;

/// Whether those that are such, so many of which have ended, served a unit of work each.
pub(super) fn is_a_unit_each(patient: Patient<'_>, closes: u64, is_such: impl Fn(&Ended) -> bool) -> bool {
    let units = patient.evidence.in_order(is_such);
    let brief = units.iter().filter(|unit| unit.is_brief()).count();
    let enough = ROUNDS * most_at_once(&units);
    units.len() as u64 >= ROUNDS && closes >= enough && brief * 4 >= units.len() * 3 && follow_soon(&units)
}

/// How many of them were open at once.
pub(super) fn most_at_once(units: &[&Ended]) -> u64 {
    let open_at = |at: i64| units.iter().filter(|unit| (unit.began_ns()..unit.ended_ns()).contains(&at)).count() as u64;
    units.iter().map(|unit| open_at(unit.began_ns())).max().unwrap_or(0).max(1)
}

/// Whether most of them began soon after another one had ended.
fn follow_soon(units: &[&Ended]) -> bool {
    let (soon, late): (Vec<i64>, Vec<i64>) = pauses_ns(units).partition(|pause_ns| *pause_ns < SOON_NS);
    soon.len() >= FEW as usize && soon.len() >= late.len() * 3
}

/// From the last end of another one to the begin of each; of those that began before any had ended, none.
fn pauses_ns<'a>(units: &'a [&Ended]) -> impl Iterator<Item = i64> + 'a {
    units.iter().filter_map(|next| {
        let ended = units.iter().map(|unit| unit.ended_ns()).filter(|ended| *ended <= next.began_ns()).max()?;
        Some(next.began_ns() - ended)
    })
}

/// Whether they come one at a time at a constant interval, a second or more after each other: checks, which would find
/// nothing out on a connection that is kept.
pub(super) fn are_checks(patient: Patient<'_>, is_such: impl Fn(&Ended) -> bool) -> bool {
    let checks = patient.evidence.in_order(is_such);
    let late = pauses_ns(&checks).filter(|pause_ns| *pause_ns >= SOON_NS).count();
    let intervals = checks.iter().zip(checks.iter().skip(1)).map(|(one, next)| next.began_ns() - one.began_ns());
    let mut intervals: Vec<i64> = intervals.collect();
    intervals.sort_unstable();
    let n = intervals.len();
    let [low, median, high] = [n / 4, n / 2, n * 3 / 4].map(|index| intervals.get(index).copied().unwrap_or(0));
    n >= 2 && late * 4 >= n * 3 && (high - low) * 10 <= median
}

/// Connections to a broker on which nothing but the login was answered: messages need no answer.
pub(super) fn announcements(patient: Patient<'_>) -> u64 {
    match patient.evidence.count(Cause::Unused, Ended::may_have_announced) {
        0 => 0,
        _ => patient.closes_of(Cause::Unused, Ended::may_have_announced),
    }
}
