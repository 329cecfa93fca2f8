//! Multipath TCP is not counted and is reported as unsupported, because a zero would look like a measurement.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, listen, socket_with};
use serde_json::json;

use crate::support::{
    machine::Machine,
    peer::{Peer, ask, echo},
    report::{Report, assert_fields},
    sockets::connect,
};

fn mptcp() -> OwnedFd {
    socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::MPTCP))
        .expect("cannot create an MPTCP socket (is net.mptcp.enabled set?)")
}

fn peer_with_mptcp() -> Peer {
    let socket = mptcp();
    bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).expect("cannot bind to a port");
    listen(&socket, 16).expect("cannot listen");
    Peer::on(TcpListener::from(socket), echo)
}

/// Makes connections over MPTCP and over TCP, with three exchanges each.
fn visits(peer: &Peer, by_mptcp: u64, by_tcp: u64) -> Report {
    let machine = Machine::shared();
    let watch = machine.watch(format!("-p {}", peer.port()));
    for _ in 0..by_mptcp {
        let socket = mptcp();
        connect(&socket, peer.address).expect("cannot connect");
        let mut stream = TcpStream::from(socket);
        (0..3).for_each(|_| ask(&mut stream));
    }
    for _ in 0..by_tcp {
        let mut stream = peer.connect();
        (0..3).for_each(|_| ask(&mut stream));
    }
    peer.wait_for(by_mptcp + by_tcp);
    watch.end()
}

/// Asserts that TCP is counted, and that MPTCP is reported as unsupported exactly once.
#[track_caller]
fn assert_unsupported(report: &Report, by_mptcp: u64, by_tcp: u64) {
    let counted = json!({ "opened": by_tcp, "closed": by_tcp, "exchanges": 3 * by_tcp, "new": by_tcp, "failed": 0 });
    report.assert_totals(&counted);
    report.assert_totals(&json!({ "untracked": by_mptcp }));
    let counted: Vec<_> = report.of_type("close").iter().map(|close| (&close["exchanges"], &close["exact"])).collect();
    assert_eq!(counted, vec![(&json!(3), &json!(true)); by_tcp as usize]);
    assert_fields(&report.summary, &json!({ "exact": false, "complete": false }));
    let notices: Vec<_> = report.of_type("notice").into_iter().filter(|row| row["kind"] == "unsupported").collect();
    let [notice] = notices.as_slice() else { panic!("expected one notice: {:#?}", report.rows) };
    assert!(notice["message"].as_str().is_some_and(|message| message.contains("MPTCP")), "{notice:#}");
}

#[test]
fn mptcp_to_an_mptcp_listener_is_reported_as_unsupported() {
    assert_unsupported(&visits(&peer_with_mptcp(), 3, 0), 3, 0);
}

/// The peer declines MPTCP. The connection falls back to TCP, but still uses MPTCP's functions in the kernel.
#[test]
fn mptcp_to_a_tcp_listener_is_reported_as_unsupported() {
    assert_unsupported(&visits(&Peer::echo(), 3, 0), 3, 0);
}

#[test]
fn tcp_is_counted_beside_mptcp() {
    assert_unsupported(&visits(&peer_with_mptcp(), 1, 2), 1, 2);
}

#[test]
fn tcp_to_an_mptcp_listener_is_counted() {
    let report = visits(&peer_with_mptcp(), 0, 2);
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 2, "closed": 2, "exchanges": 6, "new": 2, "reused": 4 }));
    assert!(report.rows.iter().all(|row| row["kind"] != "unsupported"), "{:#?}", report.rows);
}

/// Pre-existing MPTCP connections are not counted either.
#[test]
fn pre_existing_mptcp_is_reported_as_unsupported() {
    let (machine, peer) = (Machine::shared(), peer_with_mptcp());
    let socket = mptcp();
    connect(&socket, peer.address).expect("cannot connect");
    let mut stream = TcpStream::from(socket);
    ask(&mut stream);
    let watch = machine.watch(format!("-p {}", peer.port()));
    (0..3).for_each(|_| ask(&mut stream));
    drop(stream);
    peer.wait_for(1);
    assert_unsupported(&watch.end(), 1, 0);
}

/// Unwatched MPTCP causes no notice.
#[test]
fn mptcp_to_another_port_is_not_reported() {
    let (machine, watched, other) = (Machine::shared(), Peer::echo(), peer_with_mptcp());
    let watch = machine.watch(format!("-p {}", watched.port()));
    let socket = mptcp();
    connect(&socket, other.address).expect("cannot connect");
    ask(&mut TcpStream::from(socket));
    other.wait_for(1);
    watch.end().assert_nothing();
}
