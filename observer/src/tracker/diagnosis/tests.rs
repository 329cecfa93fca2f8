//! Where each rule begins to speak and where it is still silent. What whole watches are told is in `tests/recordings`.

use super::*;
use crate::event::Connection;

/// A connection that has ended: by what, after how many exchanges, after what time idle, beside how many idle ones.
#[derive(Clone, Copy)]
struct End(Cause, u64, u64, u32);

fn evidence_of(ends: &[End]) -> Evidence {
    let mut evidence = Evidence::default();
    for &End(cause, exchanges, idle_us, idle_at_end) in ends {
        evidence.closed(
            0,
            &Connection {
                cause: Some(cause),
                exchanges,
                idle_us: Some(idle_us),
                idle_at_end,
                ..Connection::nothing_known()
            },
        );
    }
    evidence
}

/// Of a group in which nothing happened but these ends; each connection took the place of another one.
fn counts_of(ends: &[End]) -> Counts {
    let n = ends.len() as u64;
    let exchanges: u64 = ends.iter().map(|end| end.1).sum();
    let mut counts = Counts { opened: n, closed: n, new: n, reused: exchanges - n, ..Counts::default() };
    counts.why[Why::Replaced as usize] = n;
    for end in ends {
        counts.closes[end.0 as usize] += 1;
    }
    counts
}

fn diagnosed(counts: &Counts, evidence: &Evidence, processes: u64) -> Vec<Diagnosis> {
    let patient = Patient { counts, evidence, runtime: None, processes: Some(processes) };
    let diagnosed = diagnose(patient);
    let is_certain = |of: &&Diagnosis| of.confidence == Confidence::Certain && !of.healthy;
    let mut certain: Vec<Diagnosis> = diagnosed.iter().filter(is_certain).cloned().collect();
    certain.sort_by_key(|of| of.finding as u8);
    let mut certainties: Vec<Diagnosis> = certainties(patient).collect();
    certainties.sort_by_key(|of| of.finding as u8);
    assert_eq!(certainties, certain);
    diagnosed
}

fn findings(counts: &Counts, evidence: &Evidence) -> Vec<Finding> {
    diagnosed(counts, evidence, 1).iter().map(|of| of.finding).collect()
}

fn findings_of(ends: &[End]) -> Vec<Finding> {
    findings(&counts_of(ends), &evidence_of(ends))
}

#[test]
fn three_closes_are_a_habit_and_five_equal_times_a_timeout() {
    for (end, enough, finding) in [
        (End(Cause::UnreadResponse, 1, 0, 0), 1, Finding::ResponseNotRead),
        (End(Cause::ClosedAfterResponse, 1, 0, 0), 3, Finding::ClosedAfterResponse),
        (End(Cause::ServerClosedAfterResponse, 1, 0, 0), 3, Finding::ServerClosesEach),
        (End(Cause::ServerClosedAfterResponse, 10, 0, 0), 2, Finding::RequestCap),
        (End(Cause::ServerIdle, 1, 5_000_000, 0), 5, Finding::ServerIdleTimeout),
        (End(Cause::ClientIdle, 1, 5_000_000, 0), 5, Finding::ClientIdleTimeout),
    ] {
        assert_eq!(findings_of(&vec![end; enough]), [finding]);
        assert_eq!(findings_of(&vec![end; enough - 1]), [], "{finding:?}");
    }
}

#[test]
fn one_of_twenty_exchanges_is_not_worth_a_word() {
    for cause in [
        Cause::UnreadResponse,
        Cause::ClosedAfterResponse,
        Cause::ServerClosedAfterResponse,
        Cause::ServerIdle,
        Cause::ClientIdle,
    ] {
        let ends = [End(cause, 1, 5_000_000, 0); 5];
        let of_exchanges = |exchanges: u64| {
            let counts = Counts { reused: exchanges - 5, ..counts_of(&ends) };
            findings(&counts, &evidence_of(&ends)).len()
        };
        assert_eq!((of_exchanges(99), of_exchanges(100)), (1, 0), "{cause:?}");
    }
}

#[test]
fn a_cap_is_one_number_of_at_least_ten() {
    let cap = |exchanges: &[u64]| {
        let ends: Vec<_> = exchanges.iter().map(|n| End(Cause::ServerClosedAfterResponse, *n, 0, 0)).collect();
        findings_of(&ends).contains(&Finding::RequestCap)
    };
    assert!(cap(&[10, 10]) && cap(&[1000, 1000, 1000]));
    assert!(!cap(&[9, 9, 9]) && !cap(&[100, 99]) && !cap(&[100]));
}

#[test]
fn five_processes_that_asked_are_a_crowd() {
    let is_found = |processes, opened, new, reused| {
        let counts = Counts { opened, new, reused, ..Counts::default() };
        let found = diagnosed(&counts, &Evidence::default(), processes);
        found.iter().any(|of| of.finding == Finding::ProcessPerRequest)
    };
    assert!(is_found(5, 5, 5, 0) && is_found(10, 12, 12, 1));
    assert!(!is_found(4, 4, 4, 0), "too few");
    assert!(!is_found(10, 13, 13, 0), "more than one each");
    assert!(!is_found(10, 10, 10, 2), "they reuse");
    assert!(!is_found(10, 10, 4, 0) && !is_found(10, 0, 0, 0), "they ask nothing");
}

#[test]
fn clients_pile_up_unless_their_connections_are_closed() {
    let is_found = |missed, opened, closed, most_idle_at_open| {
        let mut counts = Counts { opened, closed, new: opened, ..Counts::default() };
        counts.why[Why::MissedReuse as usize] = missed;
        counts.closes[Cause::ClosedAfterResponse as usize] = closed;
        let mut evidence = Evidence::default();
        evidence.most_idle_at_open = most_idle_at_open;
        findings(&counts, &evidence).contains(&Finding::ClientPerRequest)
    };
    assert!(is_found(3, 4, 0, 3) && is_found(10, 20, 5, 3));
    assert!(!is_found(2, 3, 0, 3), "too few were missed");
    assert!(!is_found(10, 21, 0, 3), "most were not missed");
    assert!(!is_found(10, 20, 6, 3), "a pool closes them");
    assert!(!is_found(10, 20, 0, 2), "two that wait are no pile");
}

/// What the pool keeps, by how many were idle beside those that were closed.
#[test]
fn a_shut_down_is_no_pool_that_is_full() {
    let kept = |beside: &[u32]| {
        let ends: Vec<_> = beside.iter().map(|idle| End(Cause::ClosedAfterResponse, 1, 0, *idle)).collect();
        kept_idle(&evidence_of(&ends))
    };
    assert_eq!(kept(&[2, 3, 2]), Some(2));
    assert_eq!(kept(&[2, 3, 2, 1, 0]), Some(2), "and is shut down");
    assert_eq!(kept(&[3, 1, 2, 0]), None, "only that");
    assert_eq!(kept(&[3, 2, 1, 0, 5, 4, 3, 2, 1, 0, 0]), None, "of three sizes");
    assert_eq!(kept(&[0, 0, 0]), None);
    // As it was measured: Python requests with pool_maxsize=2 and eight threads, closed at their end.
    let measured = [2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 5, 5, 6, 4, 2, 4, 4, 4, 4, 3, 2, 1, 0];
    assert_eq!(kept(&measured), Some(2));
}

#[test]
fn a_pool_is_too_small_when_what_it_closed_is_opened_again() {
    let ends = [End(Cause::ClosedAfterResponse, 1, 0, 2); 4];
    let mut evidence = evidence_of(&ends);
    for (most_busy, opened, finding) in [
        (3, 4, Finding::PoolTooSmall),
        (4, 4, Finding::ClosedAfterResponse),
        (4, 5, Finding::PoolTooSmall),
        (2, 4, Finding::ClosedAfterResponse),
    ] {
        evidence.most_busy = most_busy;
        let counts = Counts { opened, ..counts_of(&ends) };
        assert_eq!(findings(&counts, &evidence), [finding], "{opened} opened, {most_busy} at once");
    }
}

#[test]
fn the_surest_come_first_and_what_is_healthy_last() {
    let (possible, certain) = (End(Cause::ClosedAfterResponse, 1, 0, 0), End(Cause::UnreadResponse, 1, 0, 0));
    let (likely, healthy) = (End(Cause::ServerIdle, 1, 5_000_000, 0), End(Cause::ServerClosedAfterResponse, 10, 0, 0));
    let ends = [vec![healthy; 9], vec![possible; 8], vec![likely; 7], vec![certain; 6]].concat();
    let order =
        [Finding::ResponseNotRead, Finding::ServerIdleTimeout, Finding::ClosedAfterResponse, Finding::RequestCap];
    assert_eq!(findings_of(&ends), order);
}

#[test]
fn numbers_are_written_for_people() {
    assert_eq!([999, 1000, 1_234_567].map(thousands), ["999", "1,000", "1,234,567"]);
    assert_eq!(plural(1, "connect", "connects"), "1 connect");
    assert_eq!(plural_of(1, "byte", "bytes"), "1 byte");
    let times = [0, 9_949, 10_000, 999_999, 1_000_000, 90_000_000].map(time);
    assert_eq!(times, ["0.0 ms", "9.9 ms", "10 ms", "999 ms", "1.0 s", "90.0 s"]);
}
