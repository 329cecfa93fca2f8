//! The thresholds for a connection per unit of work.

use super::*;

/// Connections in rounds of `at_once`, each round `pause_us` after the last one.
#[derive(Clone, Copy)]
struct Rounds {
    times: u64,
    at_once: u64,
    pause_us: u64,
    exchanges: u64,
    used_us: u64,
    cause: Cause,
}

fn nanoseconds(us: u64) -> i64 {
    i64::try_from(us * 1000).unwrap()
}

const UNITS: Rounds =
    Rounds { times: 4, at_once: 1, pause_us: 10_000, exchanges: 3, used_us: 10_000, cause: Cause::ClosedAfterResponse };

impl Rounds {
    fn counts(self) -> Counts {
        let n = self.times * self.at_once;
        let mut counts = Counts { opened: n, closed: n, new: n, reused: n * (self.exchanges - 1), ..Counts::default() };
        counts.why[Why::First as usize] = 1;
        counts.why[Why::Concurrency as usize] = n - 1;
        counts.closes[self.cause as usize] = n;
        counts
    }

    fn history(self) -> History {
        let mut history = History::default();
        history.most_beside = self.at_once - 1;
        for round in 0..self.times {
            let began_us = round * (self.used_us + self.pause_us);
            for _ in 0..self.at_once {
                let connection = Connection {
                    cause: Some(self.cause),
                    exchanges: self.exchanges,
                    idle_us: Some(200),
                    lifetime_us: Some(self.used_us + 200),
                    ..Connection::unknown()
                };
                let [established_ns, unix_ns] = [began_us, began_us + self.used_us + 200].map(nanoseconds);
                history.closed(unix_ns, Some(established_ns), &connection);
            }
        }
        history
    }

    fn findings(self, spoken: GroupApplication) -> Vec<Finding> {
        let (counts, history) = (self.counts(), self.history());
        diagnosed_of(Subject { spoken, ..subject(&counts, &history) }).iter().map(Diagnosis::finding).collect()
    }

    fn is_found(self) -> bool {
        self.findings(GroupApplication::Unknown) == [Finding::ClosedAfterResponse]
    }
}

#[test]
fn units_are_brief_and_follow_soon_in_four_rounds() {
    assert!(UNITS.is_found());
    assert!(!Rounds { times: 3, ..UNITS }.is_found(), "too few");
    for at_once in [2, 8] {
        assert!(Rounds { at_once, ..UNITS }.is_found());
        assert!(!Rounds { times: 3, at_once, ..UNITS }.is_found(), "a pool that refills");
        assert!(!Rounds { times: 1, at_once: 4 * at_once, ..UNITS }.is_found(), "a connection for each thread");
    }
    assert!(Rounds { pause_us: 800_000, ..UNITS }.is_found());
    assert!(!Rounds { pause_us: 900_000, ..UNITS }.is_found(), "a check");
    assert!(Rounds { used_us: 10_000_000, ..UNITS }.is_found());
    assert!(!Rounds { used_us: 10_001_000, ..UNITS }.is_found(), "a session");
    assert!(Rounds { exchanges: 19, ..UNITS }.is_found());
    assert!(!Rounds { exchanges: 21, ..UNITS }.is_found(), "too many exchanges");
}

/// With one exchange each, nothing was reused, which is evidence enough.
#[test]
fn single_exchanges_need_two_rounds() {
    let once = Rounds { exchanges: 1, times: 2, at_once: 2, ..UNITS };
    assert!(once.is_found());
    assert!(!Rounds { times: 1, at_once: 4, ..once }.is_found(), "all were needed at once");
    let check = Rounds { times: 6, at_once: 1, pause_us: 2_000_000, ..once };
    assert!(!check.is_found() && Rounds { at_once: 2, ..check }.is_found());
    assert!(Rounds { pause_us: 800_000, ..check }.is_found());
    let check = Rounds { cause: Cause::ServerClosedAfterResponse, ..check };
    assert_eq!(check.findings(GroupApplication::One(Application::Http1)), []);
}

#[test]
fn server_asked_to_close_gets_no_diagnosis() {
    for application in [
        Application::Postgresql,
        Application::Mysql,
        Application::Redis,
        Application::Memcached,
        Application::Mqtt,
        Application::Amqp,
        Application::Ldap,
        Application::Smtp,
        Application::Ftp,
        Application::Ssh,
    ] {
        for exchanges in [1, 3] {
            let closed = Rounds { cause: Cause::ServerClosedAfterResponse, exchanges, ..UNITS };
            assert_eq!(
                closed.findings(GroupApplication::One(application)),
                [Finding::ClosedAfterResponse],
                "{application:?}"
            );
        }
        let many = Rounds { cause: Cause::ServerClosedAfterResponse, exchanges: 24, ..UNITS };
        assert_eq!(many.findings(GroupApplication::One(application)), [], "{application:?}");
    }
    let closed = Rounds { cause: Cause::ServerClosedAfterResponse, exchanges: 1, ..UNITS };
    assert_eq!(closed.findings(GroupApplication::One(Application::Http1)), [Finding::ServerClosesEach]);
    let limited = Rounds { exchanges: 5, ..closed };
    assert_eq!(limited.findings(GroupApplication::One(Application::Http1)), [], "it may have a limit");
}

#[test]
fn client_that_resets_connections_gets_no_diagnosis() {
    for (cause, finding) in [
        (Cause::ServerClosedAfterResponse, Finding::ServerClosesEach),
        (Cause::UnreadResponse, Finding::ResponseNotRead),
    ] {
        let found = |resets| {
            let ends = [vec![End(cause, 1, 0, 0); 6], vec![End(Cause::Aborted, 1, 0, 0); resets]].concat();
            findings_of(&ends)
        };
        assert_eq!((found(2), found(3)), (vec![finding], vec![]), "{cause:?}");
    }
}

#[test]
fn processes_with_concurrent_connections_are_workers() {
    let is_found = |rounds: Rounds, idle_us: u64| {
        let n = rounds.times * rounds.at_once;
        let counts = Counts { opened: n, closed: n, new: n, ..Counts::default() };
        let mut history = History::default();
        for round in 0..rounds.times {
            for _ in 0..rounds.at_once {
                let (cause, lifetime_us) = (Some(Cause::ProcessExit), Some(idle_us + 100));
                let established_ns = nanoseconds(round * (idle_us + 200));
                let connection =
                    Connection { cause, exchanges: 1, idle_us: Some(idle_us), lifetime_us, ..Connection::unknown() };
                history.closed(established_ns, Some(established_ns), &connection);
            }
        }
        let found = diagnosed_of(Subject { processes: Some(n), ..subject(&counts, &history) });
        found.iter().any(|of| of.finding() == Finding::ProcessPerRequest)
    };
    let [workers, in_turn] = [(1, 6), (6, 1)].map(|(times, at_once)| Rounds { times, at_once, ..UNITS });
    assert!(!is_found(workers, 2_000_000), "they are kept");
    assert!(is_found(workers, 1_000), "as xargs does it");
    assert!(is_found(in_turn, 2_000_000));
}

/// As kubelet's two probes of a container, each every ten seconds.
#[test]
fn checks_may_take_turns() {
    let findings_of = |offsets_ms: &[u64], interval_ms: u64, jitter_ms: u64| {
        let mut history = History::default();
        let (mut counts, mut n) = (Counts::default(), 0);
        for round in 0..12 {
            for offset_ms in offsets_ms {
                n += 1;
                let began_us = 1_000 * (round * interval_ms + offset_ms + n * n % 5 * jitter_ms);
                let connection = Connection {
                    cause: Some(Cause::ServerClosedAfterResponse),
                    application: Application::Http1,
                    exchanges: 1,
                    lifetime_us: Some(1_000),
                    idle_us: Some(100),
                    ..Connection::unknown()
                };
                let established_ns = nanoseconds(began_us);
                history.closed(established_ns + nanoseconds(1_000), Some(established_ns), &connection);
            }
        }
        history.most_busy = 1;
        (counts.opened, counts.closed, counts.new) = (n, n, n);
        counts.closes[Cause::ServerClosedAfterResponse as usize] = n;
        let spoken = GroupApplication::One(Application::Http1);
        let found = diagnosed_of(Subject { spoken, ..subject(&counts, &history) });
        found.iter().map(Diagnosis::finding).collect::<Vec<_>>()
    };
    assert_eq!(findings_of(&[0], 1_000, 2), [], "each second");
    assert_eq!(findings_of(&[0, 3_300], 10_000, 3), []);
    assert_eq!(findings_of(&[0, 100, 4_000], 10_000, 3), []);
    assert_eq!(findings_of(&[0], 300, 10), [Finding::ServerClosesEach], "three a second are no checks");
    assert_eq!(findings_of(&[0, 700], 2_000, 100), [Finding::ServerClosesEach], "irregular intervals are no checks");
}
