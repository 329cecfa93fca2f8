//! Other sock_ops programs, which take away the callback by which the watch learns of changes of state. A tracepoint sees
//! the changes too, but the kernel may skip that.

use std::net::{Shutdown, TcpStream};

use serde_json::json;

use crate::{
    cgroups::{Hierarchy, parent},
    flood::CONNECTION_PER_REQUEST,
    support::{
        foreign_sock_ops::{ForeignSockOps, Moment},
        machine::Machine,
        peer::{Peer, ask},
        programs::output_of,
        report::Report,
        sockets::reset_on_close,
    },
};

/// Connections that end in the same way.
const EACH: u64 = 25;

/// The ways to end a connection, besides closing it.
const WAYS: [fn(&TcpStream); 4] = [
    |_| {},
    |stream| reset_on_close(stream),
    |stream| stream.shutdown(Shutdown::Write).expect("cannot shut down the stream"),
    |stream| stream.shutdown(Shutdown::Both).expect("cannot shut down the stream"),
];
const CONNECTIONS: u64 = EACH * WAYS.len() as u64;
const EXCHANGES_OF_EACH: u64 = 3;

fn end_in_every_way(peer: &Peer) {
    for end in WAYS.into_iter().cycle().take(CONNECTIONS as usize) {
        let mut stream = peer.connect();
        (0..EXCHANGES_OF_EACH).for_each(|_| ask(&mut stream));
        end(&stream);
    }
    peer.wait_for(CONNECTIONS);
}

fn assert_seen(report: &Report) {
    report.assert_complete();
    report.assert_totals(&json!({ "opened": CONNECTIONS, "closed": CONNECTIONS, "open": 0, "failed": 0, "unused": 0 }));
    report.assert_totals(&json!({ "exchanges": CONNECTIONS * EXCHANGES_OF_EACH, "new": CONNECTIONS }));
    let by = |how: &str| report.of_type("close").into_iter().filter(|close| close["how"] == how).count() as u64;
    assert_eq!((by("fin"), by("rst")), (CONNECTIONS - EACH, EACH), "{:#}", report.summary);
}

/// On the same cgroup, attached earlier and later, which is the order in which the kernel runs them.
#[test]
fn changes_of_state_are_seen_without_the_callback() {
    let hierarchy = Hierarchy::open();
    for (moment, is_first) in [(Moment::Connect, false), (Moment::Established, true), (Moment::Established, false)] {
        let (machine, peer) = (Machine::shared(), Peer::echo());
        let attach = || ForeignSockOps::attach(hierarchy.root(), peer.port(), moment);
        let before = is_first.then(attach);
        let watch = machine.watch(format!("-p {}", peer.port()));
        let foreign = before.unwrap_or_else(attach);
        end_in_every_way(&peer);
        assert_eq!(foreign.taken(), CONNECTIONS, "{moment:?}: callbacks that were taken away");
        assert_seen(&watch.end());
    }
}

/// On a cgroup below, whose programs run before those of the root.
#[test]
fn changes_of_state_are_seen_without_the_callback_in_a_child_cgroup() {
    const CLIENTS: u64 = 5;
    let hierarchy = Hierarchy::open();
    let cgroup = hierarchy.cgroup(&parent("foreign"));
    for moment in [Moment::Connect, Moment::Established] {
        let (machine, peer) = (Machine::shared(), Peer::echo());
        let watch = machine.watch(format!("-p {}", peer.port()));
        let foreign = ForeignSockOps::attach(cgroup.path(), peer.port(), moment);
        for _ in 0..CLIENTS {
            output_of(&mut cgroup.client(peer.port(), "true"));
        }
        peer.wait_for(CLIENTS);
        // At the connect, the watch asks only afterwards.
        let expected = if matches!(moment, Moment::Connect) { 0 } else { CLIENTS };
        assert_eq!(foreign.taken(), expected, "{moment:?}: callbacks that were taken away");
        let report = watch.end();
        report.assert_complete();
        report.assert_totals(&json!({ "opened": CLIENTS, "closed": CLIENTS, "open": 0, "exchanges": CLIENTS }));
    }
}

/// Both processors handle packets, so the kernel skips tracepoints, and sock_ops does not make up for it.
#[test]
fn flood_without_the_callback_is_exact_or_marked() {
    let hierarchy = Hierarchy::open();
    for moment in [Moment::Connect, Moment::Established, Moment::Connect] {
        let mut machine = Machine::alone();
        machine.steer_packets();
        let mut foreign = None;
        let attach = |port| foreign = Some(ForeignSockOps::attach(hierarchy.root(), port, moment));
        let (report, truth) = CONNECTION_PER_REQUEST.watched_with(&machine, "", attach);
        assert!(foreign.is_some_and(|foreign| foreign.taken() > 0), "{moment:?}: no callback was taken away");
        let seen = ["opened", "closed", "exchanges"].map(|name| report.total(name));
        let is_exact = seen == [truth.connections, truth.closed, truth.requests];
        assert!(is_exact || report.summary["complete"] == false, "{moment:?}, {truth:?}: {:#}", report.summary);
    }
}
