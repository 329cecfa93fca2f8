//! A connection for each unit of work: a login, a few exchanges and a goodbye, and a moment later the same on another
//! connection. One that is kept would have done. Who is named for it depends on who closes (`closers.rs`)
//! and who opens (`openers.rs`).
//!
//! After how many exchanges it is closed tells nothing by itself: with a protocol that begins with a login, a single
//! command takes several turns, and a session of HTTP for each job has as many as the job has requests. What tells is that
//! connections are brief and that others take their place at once, several times over.

use super::{FEW, Patient};
use crate::{model::Cause, tracker::evidence::Ended};

/// Units come in rounds, of as many as there are at once. A pool that is opened anew, or workers that are restarted, make
/// two or three.
const ROUNDS: u64 = 4;

/// What is opened again later than this may be a check.
const SOON_NS: i64 = 1_000_000_000;

/// The shortest interval of checks that are set up by the second; and of several that take turns, of which each has one of its
/// own: so long, and so exact, are no pauses of a program that has something to do.
const CHECK_NS: i64 = 900_000_000;
const CHECKS_NS: i64 = 5_000_000_000;
const MOST_CHECKS: usize = 4;

/// Servers and clients close what is idle for a minute, or sooner.
const RARE_NS: i64 = 60_000_000_000;

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

/// Whether they come at a constant interval of about a second or more: checks, which would find nothing out on a connection
/// that is kept. Several checks may take turns, each at its own time in a longer interval.
pub(super) fn are_checks(patient: Patient<'_>, is_such: impl Fn(&Ended) -> bool) -> bool {
    let checks = patient.evidence.in_order(is_such);
    let began_ns: Vec<i64> = checks.iter().map(|check| check.began_ns()).collect();
    let mut lives_ns: Vec<i64> = checks.iter().map(|check| check.ended_ns() - check.began_ns()).collect();
    lives_ns.sort_unstable();
    // A check is short beside its interval; work that follows on work is not.
    let least_ns = 2 * lives_ns.get(lives_ns.len() / 2).copied().unwrap_or(0);
    has_period(&began_ns, 1, least_ns.max(CHECK_NS), 10)
        || (2..=MOST_CHECKS).any(|checks| has_period(&began_ns, checks, least_ns.max(CHECKS_NS), 50))
}

/// Whether each begins as long after the one so many before it, within one in `precision`, and no sooner than that.
fn has_period(began_ns: &[i64], before: usize, least_ns: i64, precision: i64) -> bool {
    let mut intervals: Vec<i64> =
        began_ns.iter().zip(began_ns.iter().skip(before)).map(|(one, next)| next - one).collect();
    intervals.sort_unstable();
    let n = intervals.len();
    let [low, median, high] = [n / 4, n / 2, n * 3 / 4].map(|index| intervals.get(index).copied().unwrap_or(0));
    n >= 2 * before && n >= 2 && median >= least_ns && (high - low) * precision <= median
}

/// Whether most of them come so seldom that no pool would have kept a connection for the next.
pub(super) fn are_rare(patient: Patient<'_>, is_such: impl Fn(&Ended) -> bool) -> bool {
    let units = patient.evidence.in_order(is_such);
    let mut pauses: Vec<i64> = pauses_ns(&units).collect();
    pauses.sort_unstable();
    pauses.get(pauses.len() / 2).is_some_and(|pause_ns| *pause_ns > RARE_NS)
}

/// Connections to a broker on which nothing but the login was answered: messages need no answer.
pub(super) fn announcements(patient: Patient<'_>) -> u64 {
    match patient.evidence.count(Cause::Unused, Ended::may_have_announced) {
        0 => 0,
        _ => patient.closes_of(Cause::Unused, Ended::may_have_announced),
    }
}
