//! A connection for each unit of work: a login, a few exchanges and a goodbye, and a moment later the same on another
//! connection. One kept connection would have sufficed. The rules differ by the side that closes (`closers.rs`) and by
//! the program that opens (`openers.rs`).
//!
//! The number of exchanges proves nothing by itself. With a protocol that has a login, a single command takes several
//! turns, and an HTTP session per job carries as many requests as the job has. The evidence is that connections are
//! brief and are replaced at once, several times in a row.

use super::{FEW, Subject};
use crate::{group::ClosedConnection, model::Cause};

/// The least number of rounds. A round is as many units as run at once. A pool that refills, or workers that are
/// restarted, make two or three rounds.
const ROUNDS: u64 = 4;

/// A connection that is opened later than this after a close may be a check.
const SOON_NS: i64 = 1_000_000_000;

/// The shortest interval of a single check (configured in seconds), and of several checks that take turns. A program with
/// work to do does not pause for so long and so regularly.
const CHECK_NS: i64 = 900_000_000;
const CHECKS_NS: i64 = 5_000_000_000;
const MOST_CHECKS: usize = 4;

/// Servers and clients close connections that are idle for a minute, or sooner.
const RARE_NS: i64 = 60_000_000_000;

/// Whether each matching connection served one unit of work. `closes` of them have ended.
pub(super) fn serve_one_unit_each(
    subject: Subject<'_>,
    closes: u64,
    matches: impl Fn(&ClosedConnection) -> bool,
) -> bool {
    let units = subject.history.in_order(matches);
    let brief = units.iter().filter(|unit| unit.is_brief()).count();
    let enough = ROUNDS * most_at_once(&units);
    units.len() as u64 >= ROUNDS && closes >= enough && brief * 4 >= units.len() * 3 && follow_soon(&units)
}

/// The highest number of units that were open at once.
pub(super) fn most_at_once(units: &[&ClosedConnection]) -> u64 {
    let open_at = |at: i64| units.iter().filter(|unit| (unit.began_ns()..unit.ended_ns()).contains(&at)).count() as u64;
    units.iter().map(|unit| open_at(unit.began_ns())).max().unwrap_or(0).max(1)
}

/// Whether most units began soon after another one had ended.
fn follow_soon(units: &[&ClosedConnection]) -> bool {
    let (soon, late): (Vec<i64>, Vec<i64>) = pauses_ns(units).partition(|pause_ns| *pause_ns < SOON_NS);
    soon.len() >= FEW as usize && soon.len() >= late.len() * 3
}

/// The time from the last end of another unit to the beginning of each unit. Units that began before any had ended are
/// left out.
fn pauses_ns<'a>(units: &'a [&ClosedConnection]) -> impl Iterator<Item = i64> + 'a {
    units.iter().filter_map(|next| {
        let ended = units.iter().map(|unit| unit.ended_ns()).filter(|ended| *ended <= next.began_ns()).max()?;
        Some(next.began_ns() - ended)
    })
}

/// Whether the connections come at a constant interval of about a second or more. These are health checks, which need a
/// new connection to test anything. Several checks may take turns, each at its own point of a longer interval.
pub(super) fn are_checks(subject: Subject<'_>, matches: impl Fn(&ClosedConnection) -> bool) -> bool {
    let checks = subject.history.in_order(matches);
    let began_ns: Vec<i64> = checks.iter().map(|check| check.began_ns()).collect();
    let mut lives_ns: Vec<i64> = checks.iter().map(|check| check.ended_ns() - check.began_ns()).collect();
    lives_ns.sort_unstable();
    // A check is short compared with its interval. Back-to-back work is not.
    let least_ns = 2 * lives_ns.get(lives_ns.len() / 2).copied().unwrap_or(0);
    has_period(&began_ns, 1, least_ns.max(CHECK_NS), 10)
        || (2..=MOST_CHECKS).any(|checks| has_period(&began_ns, checks, least_ns.max(CHECKS_NS), 50))
}

/// Whether each connection begins a constant time after the one `before` places earlier: at least `least_ns`, within
/// one part in `precision`.
fn has_period(began_ns: &[i64], before: usize, least_ns: i64, precision: i64) -> bool {
    let mut intervals: Vec<i64> =
        began_ns.iter().zip(began_ns.iter().skip(before)).map(|(one, next)| next - one).collect();
    intervals.sort_unstable();
    let n = intervals.len();
    let [low, median, high] = [n / 4, n / 2, n * 3 / 4].map(|index| intervals.get(index).copied().unwrap_or(0));
    n >= 2 * before && n >= 2 && median >= least_ns && (high - low).saturating_mul(precision) <= median
}

/// Whether most connections are so far apart that no pool would have kept one for the next.
pub(super) fn are_rare(subject: Subject<'_>, matches: impl Fn(&ClosedConnection) -> bool) -> bool {
    let units = subject.history.in_order(matches);
    let mut pauses: Vec<i64> = pauses_ns(&units).collect();
    pauses.sort_unstable();
    pauses.get(pauses.len() / 2).is_some_and(|pause_ns| *pause_ns > RARE_NS)
}

/// Connections to a broker on which only the login was answered. Messages need no answer.
pub(super) fn announcements(subject: Subject<'_>) -> u64 {
    match subject.history.count(Cause::Unused, ClosedConnection::may_have_announced) {
        0 => 0,
        _ => subject.closes_matching(Cause::Unused, ClosedConnection::may_have_announced),
    }
}
