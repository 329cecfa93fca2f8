//! The thresholds of each rule. Diagnoses of whole watches are tested with `observer/tests/recordings`.

mod units;

use super::{pool::kept_idle, unread::GOODBYE_BYTES, *};
use crate::{
    group::{Counts, GroupApplication, History},
    model::{Application, Cause, Connection, Protocol, Why},
    views::evidence::sentence,
};

/// A closed connection: cause, exchanges, idle time in microseconds, and how many others were idle then.
#[derive(Clone, Copy)]
struct End(Cause, u64, u64, u32);

fn ended(End(cause, exchanges, idle_us, idle_at_end): End) -> Connection {
    let idle_us = Some(idle_us);
    Connection { cause: Some(cause), exchanges, idle_us, idle_at_end, ..Connection::unknown() }
}

fn history_of(ends: &[End]) -> History {
    history_with(ends.iter().copied().map(ended))
}

fn history_with(connections: impl IntoIterator<Item = Connection>) -> History {
    let mut history = History::default();
    connections.into_iter().for_each(|connection| history.closed(0, None, &connection));
    history
}

/// The counters of a group with only these connections. Each replaced another one.
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

fn diagnosed(counts: &Counts, history: &History, processes: u64) -> Vec<Diagnosis> {
    diagnosed_of(Subject { processes: Some(processes), ..subject(counts, history) })
}

fn subject<'a>(counts: &'a Counts, history: &'a History) -> Subject<'a> {
    Subject { counts, history, runtime: None, processes: Some(1), spoken: GroupApplication::Unknown }
}

fn diagnosed_of(subject: Subject<'_>) -> Vec<Diagnosis> {
    let diagnosed = diagnose(subject);
    let is_certain = |of: &&Diagnosis| of.confidence == Confidence::Certain && !of.finding().is_healthy();
    let mut certain: Vec<Diagnosis> = diagnosed.iter().filter(is_certain).cloned().collect();
    certain.sort_by_key(|of| of.finding() as u8);
    let mut found: Vec<Diagnosis> = certain_diagnoses(subject).collect();
    found.sort_by_key(|of| of.finding() as u8);
    assert_eq!(found, certain);
    diagnosed
}

fn findings(counts: &Counts, history: &History) -> Vec<Finding> {
    diagnosed(counts, history, 1).iter().map(Diagnosis::finding).collect()
}

fn findings_of(ends: &[End]) -> Vec<Finding> {
    findings(&counts_of(ends), &history_of(ends))
}

#[test]
fn three_closes_are_a_pattern_and_five_equal_idle_times_a_timeout() {
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
fn one_in_twenty_exchanges_is_not_significant() {
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
            findings(&counts, &history_of(&ends)).len()
        };
        assert_eq!((of_exchanges(99), of_exchanges(100)), (1, 0), "{cause:?}");
    }
}

#[test]
fn request_cap_is_constant_and_at_least_ten() {
    let cap = |exchanges: &[u64]| {
        let ends: Vec<_> = exchanges.iter().map(|n| End(Cause::ServerClosedAfterResponse, *n, 0, 0)).collect();
        findings_of(&ends).contains(&Finding::RequestCap)
    };
    assert!(cap(&[10, 10]) && cap(&[1000, 1000, 1000]));
    assert!(!cap(&[9, 9, 9]) && !cap(&[100, 99]) && !cap(&[100]));
}

#[test]
fn five_processes_with_an_ask_are_a_pattern() {
    let is_found = |processes, opened, new, reused| {
        let counts = Counts { opened, closed: opened, new, reused, ..Counts::default() };
        let found = diagnosed(&counts, &History::default(), processes);
        found.iter().any(|of| of.finding() == Finding::ProcessPerRequest)
    };
    assert!(is_found(5, 5, 5, 0) && is_found(10, 12, 12, 1));
    assert!(!is_found(4, 4, 4, 0), "too few");
    let open = Counts { opened: 8, closed: 1, new: 8, ..Counts::default() };
    assert_eq!(diagnosed(&open, &History::default(), 8), [], "they keep their connections");
    assert!(!is_found(10, 13, 13, 0), "more than one each");
    assert!(!is_found(10, 10, 10, 2), "they reuse");
    assert!(!is_found(10, 10, 4, 0) && !is_found(10, 0, 0, 0), "they ask nothing");
}

#[test]
fn idle_connections_pile_up_unless_they_are_closed() {
    let is_found = |missed, opened, closed, most_idle_at_open| {
        let mut counts = Counts { opened, closed, new: opened, ..Counts::default() };
        counts.why[Why::MissedReuse as usize] = missed;
        counts.closes[Cause::ClosedAfterResponse as usize] = closed;
        let mut history = History::default();
        history.most_idle_at_open = most_idle_at_open;
        findings(&counts, &history).contains(&Finding::ClientPerRequest)
    };
    assert!(is_found(3, 4, 0, 3) && is_found(10, 20, 5, 3));
    assert!(!is_found(2, 3, 0, 3), "too few were missed");
    assert!(!is_found(10, 21, 0, 3), "most were not missed");
    assert!(!is_found(10, 20, 6, 3), "a pool closes them");
    assert!(!is_found(10, 20, 0, 2), "two idle connections do not pile up");
}

/// The size of the pool is inferred from the number of idle connections beside the closed ones.
#[test]
fn shutdown_is_not_taken_for_a_full_pool() {
    let kept = |beside: &[u32]| {
        let ends: Vec<_> = beside.iter().map(|idle| End(Cause::ClosedAfterResponse, 1, 0, *idle)).collect();
        kept_idle(&history_of(&ends))
    };
    assert_eq!(kept(&[2, 3, 2]), Some(2));
    assert_eq!(kept(&[2, 3, 2, 1, 0]), Some(2), "then it is shut down");
    assert_eq!(kept(&[3, 1, 2, 0]), None, "only a shutdown");
    assert_eq!(kept(&[3, 2, 1, 0, 5, 4, 3, 2, 1, 0, 0]), None, "shutdowns of three pools");
    assert_eq!(kept(&[0, 0, 0]), None);
    // Measured: Python requests with pool_maxsize=2 and eight threads, closed at their end.
    let measured = [2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 5, 5, 6, 4, 2, 4, 4, 4, 4, 3, 2, 1, 0];
    assert_eq!(kept(&measured), Some(2));
}

#[test]
fn pool_is_too_small_if_closed_connections_are_reopened() {
    let ends = [End(Cause::ClosedAfterResponse, 1, 0, 2); 4];
    let mut history = history_of(&ends);
    let cases: [(u64, u64, &[Finding]); 4] = [
        (3, 4, &[Finding::PoolTooSmall]),
        // All were needed at once.
        (4, 4, &[]),
        (4, 5, &[Finding::PoolTooSmall]),
        (2, 4, &[Finding::ClosedAfterResponse]),
    ];
    for (most_busy, opened, expected) in cases {
        history.most_busy = most_busy;
        let counts = Counts { opened, ..counts_of(&ends) };
        assert_eq!(findings(&counts, &history), expected, "{opened} opened, {most_busy} at once");
    }
}

#[test]
fn certain_diagnoses_come_first_and_healthy_ones_last() {
    let (possible, certain) = (End(Cause::ClosedAfterResponse, 1, 0, 0), End(Cause::UnreadResponse, 1, 0, 0));
    let (likely, healthy) = (End(Cause::ServerIdle, 1, 5_000_000, 0), End(Cause::ServerClosedAfterResponse, 10, 0, 0));
    let ends = [vec![healthy; 9], vec![possible; 8], vec![likely; 7], vec![certain; 6]].concat();
    let order =
        [Finding::ResponseNotRead, Finding::ServerIdleTimeout, Finding::ClosedAfterResponse, Finding::RequestCap];
    assert_eq!(findings_of(&ends), order);
}

/// The diagnoses of a group with these connections, all ended by one cause.
fn diagnoses_by(cause: Cause, connections: &[Connection]) -> Vec<(Confidence, u64, String)> {
    let ends: Vec<End> = connections.iter().map(|connection| End(cause, connection.exchanges, 0, 0)).collect();
    let inexact = connections.iter().filter(|connection| !connection.exact);
    let counts = Counts { marked: inexact.count() as u64, ..counts_of(&ends) };
    let history = history_with(connections.iter().map(|end| Connection { cause: Some(cause), ..end.clone() }));
    let found = diagnosed_of(subject(&counts, &history));
    found.into_iter().map(|of| (of.confidence, of.connections, sentence(&of.evidence))).collect()
}

/// Closed after one exchange, with this many unread bytes.
fn request(unread_bytes: u32) -> Connection {
    Connection { unread_bytes: Some(unread_bytes), ..ended(End(Cause::Unknown, 1, 400, 0)) }
}

fn turn(unread_bytes: u32) -> Connection {
    Connection { exact: false, ..request(unread_bytes) }
}

fn encrypted(unread_bytes: u32) -> Connection {
    Connection { protocol: Protocol::Tls, ..request(unread_bytes) }
}

fn http2(unread_bytes: u32) -> Connection {
    let (protocol, application) = (Protocol::Http2, Application::Http2);
    Connection { protocol, application, ..turn(unread_bytes) }
}

fn web_socket(unread_bytes: u32) -> Connection {
    Connection { application: Application::Websocket, ..request(unread_bytes) }
}

#[test]
fn unread_bytes_are_certainly_a_response_only_after_a_request() {
    let found = |connections: &[Connection]| diagnoses_by(Cause::UnreadResponse, connections);
    for (unread_bytes, what) in [(0, "while more of the response came"), (9, "9 bytes unread")] {
        let text = format!("3 of 3 closed by this process 0.4 ms after the last read, {what}");
        assert_eq!(found(&vec![request(unread_bytes); 3]), [(Confidence::Certain, 3, text)]);
    }
    for unknown in [turn, http2] {
        let text = "3 of 3 closed by this process 0.4 ms after the last read, 1,000 bytes unread".into();
        assert_eq!(found(&vec![unknown(1_000); 3]), [(Confidence::Possible, 3, text)]);
        assert_eq!(found(&vec![unknown(0); 3]), [], "bytes after the close are a goodbye");
        assert_eq!(found(&vec![unknown(GOODBYE_BYTES as u32); 3]), [], "so are a few bytes before it");
    }
    assert_eq!(found(&vec![web_socket(1_000); 3]), [], "messages of a WebSocket answer nothing");
    let goodbyes = vec![encrypted(0), encrypted(24), encrypted(31)];
    assert_eq!(found(&goodbyes), [], "close_notify in TLS 1.3 and 1.2, and after the close");
    let [(confidence, closes, text)] = found(&[goodbyes, vec![encrypted(9_000); 2]].concat()).try_into().unwrap();
    assert_eq!((confidence, closes), (Confidence::Certain, 2));
    assert!(text.starts_with("about 2 of 5") && text.ends_with("9,000 bytes unread"), "{text}");
}

#[test]
fn certain_requests_suffice_or_do_not_count() {
    let found = |requests, others| {
        let connections = [vec![request(5_000); requests], vec![http2(0); others]].concat();
        let found = diagnoses_by(Cause::UnreadResponse, &connections);
        found
            .into_iter()
            .map(|(confidence, closes, evidence)| (confidence, closes, evidence.contains("about ")))
            .collect::<Vec<_>>()
    };
    assert_eq!(found(8, 0), [(Confidence::Certain, 8, false)]);
    assert_eq!(found(8, 24), [(Confidence::Certain, 8, true)]);
    assert_eq!(found(1, 31), [], "one in 32 exchanges is not significant, and the others said goodbye");
    let mixed = [vec![request(5_000)], vec![turn(5_000); 31]].concat();
    assert!(matches!(diagnoses_by(Cause::UnreadResponse, &mixed).as_slice(), [(Confidence::Possible, 32, _)]));
}

/// Rows may be lost, or come later than the counters.
#[test]
fn unread_bytes_without_rows_are_a_response_only_if_the_group_speaks_requests() {
    let counts = counts_of(&[End(Cause::UnreadResponse, 1, 0, 0); 3]);
    let found = |counts: &Counts, spoken| {
        let history = History::default();
        diagnosed_of(Subject { spoken, ..subject(counts, &history) }).pop().map(|of| sentence(&of.evidence))
    };
    let text = "3 of 3 closed by this process, with some of the response unread or still to come";
    let http = GroupApplication::One(Application::Http1);
    assert_eq!(found(&counts, http).as_deref(), Some(text));
    assert_eq!(found(&Counts { marked: 1, ..counts }, http), None);
    // An unknown protocol may be inside TLS.
    for spoken in [GroupApplication::Unknown, GroupApplication::Several, GroupApplication::One(Application::Websocket)]
    {
        assert_eq!(found(&counts, spoken), None);
    }
}

#[test]
fn server_closes_each_is_certain_only_if_turns_are_responses() {
    let found = |connections: &[Connection]| diagnoses_by(Cause::ServerClosedAfterResponse, connections);
    let text = |text: &str| text.to_string();
    assert_eq!(
        found(&vec![request(0); 4]),
        [(Confidence::Certain, 4, text("4 of 4 closed by the server with its first response"))]
    );
    let second = Connection { exchanges: 2, ..request(0) };
    assert_eq!(
        found(&[vec![request(0); 4], vec![second]].concat()),
        [(Confidence::Certain, 5, text("5 of 5 closed by the server, most with its first response"))]
    );
    for unknown in [turn, http2] {
        let [(confidence, closes, found)] = found(&vec![unknown(0); 4]).try_into().unwrap();
        assert_eq!((confidence, closes), (Confidence::Possible, 4));
        assert_eq!(found, "4 of 4 closed by the server after one turn");
    }
    assert_eq!(found(&vec![web_socket(0); 4]), [], "its server is to close first (RFC 6455)");
}

#[test]
fn evidence_says_most_if_some_differ() {
    let found = |exchanges: &[u64]| {
        let connection = |exchanges: &u64| Connection { exchanges: *exchanges, ..request(0) };
        let [(_, _, found)] =
            diagnoses_by(Cause::ClosedAfterResponse, &exchanges.iter().map(connection).collect::<Vec<_>>())
                .try_into()
                .unwrap();
        found
    };
    assert_eq!(found(&[1, 1, 1]), "3 of 3 closed by this process 0.4 ms after the response, after one exchange");
    assert_eq!(
        found(&[1, 1, 1, 5]),
        "4 of 4 closed by this process 0.4 ms after the response, mostly after one exchange"
    );
}

#[test]
fn process_per_request_is_only_likely_if_inexact_and_excludes_websockets() {
    let counts = Counts { opened: 6, closed: 6, new: 6, ..Counts::default() };
    let found = |counts: &Counts, spoken| {
        let history = History::default();
        let found = diagnosed_of(Subject { processes: Some(6), spoken, ..subject(counts, &history) });
        found.into_iter().next().map(|of| (of.confidence, sentence(&of.evidence)))
    };
    let text = |mark: &str| format!("6 processes opened 6 connections for {mark}6 exchanges");
    assert_eq!(found(&counts, GroupApplication::Unknown), Some((Confidence::Certain, text(""))));
    for marked in [Counts { marked: 1, ..counts }, Counts { inexact: 1, ..counts }] {
        assert_eq!(found(&marked, GroupApplication::Unknown), Some((Confidence::Likely, text("≈"))));
    }
    assert_eq!(found(&counts, GroupApplication::One(Application::Websocket)), None);
    assert_eq!(found(&counts, GroupApplication::Several).map(|(confidence, _)| confidence), Some(Confidence::Likely));
}

#[test]
fn exact_counts_inside_tls_suggest_http_and_unrecognised_turns_nothing() {
    for (spoken, is_exact, application) in [
        (GroupApplication::One(Application::Redis), true, Application::Redis),
        (GroupApplication::One(Application::Mqtt), false, Application::Mqtt),
        (GroupApplication::Unknown, true, Application::Http1),
        (GroupApplication::Unknown, false, Application::Unknown),
        (GroupApplication::Several, true, Application::Unknown),
    ] {
        let (counts, history) = (Counts { marked: u64::from(!is_exact), ..Counts::default() }, History::default());
        let subject = Subject { spoken, ..subject(&counts, &history) };
        assert_eq!(subject.likely_application(), application, "{spoken:?}, {is_exact}");
    }
}
