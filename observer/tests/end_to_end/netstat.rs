//! Sockets by state, as netstat shows them, including sockets that no process holds any more.

use std::{
    io::Read as _,
    net::{SocketAddr, TcpStream},
};

use serde_json::json;

use crate::support::{
    machine::Machine,
    peer::{Peer, ask},
    sockets::{ReservedPort, bound, connect},
};

#[test]
fn local_close_leaves_time_wait() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let mut open = peer.connect();
    ask(&mut open);
    let watch = machine.watch(format!("-p {}", peer.port()));
    for _ in 0..7 {
        ask(&mut peer.connect());
    }
    peer.wait_for_done(7);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "time_wait": 7, "opened": 7, "open": 1 }));
    let remote = json!({ "remote": "127.0.0.1", "port": peer.port(), "states": { "ESTABLISHED": 1, "TIME_WAIT": 7 } });
    assert_eq!(report.summary["sockets"], json!([remote]));
}

#[test]
fn peer_close_leaves_close_wait() {
    let machine = Machine::shared();
    // The peer closes by returning.
    let peer = Peer::new(drop);
    let watch = machine.watch(format!("-p {}", peer.port()));
    let stream = peer.connect();
    peer.wait_for(1);
    // A read of zero bytes means that the peer's FIN has arrived.
    assert_eq!((&stream).read(&mut [0]).expect("cannot read the end of the stream"), 0);
    let report = watch.end();
    report.assert_totals(&json!({ "time_wait": 0, "open": 1 }));
    assert_eq!(report.summary["sockets"][0]["states"], json!({ "CLOSE_WAIT": 1 }));
}

/// A port tells an inbound connection only while something listens there.
#[test]
fn connection_from_a_port_that_once_had_a_listener_is_outbound() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let listeners = [(); 2].map(|()| ReservedPort::new().listen());
    let ports = listeners.each_ref().map(|listener| listener.local_addr().expect("a listener has an address"));
    // The watch has listed every socket once by the time that it is attached.
    let watch = machine.watch(format!("-p {}", peer.port()));
    drop(listeners);
    let [open, closed] = ports.map(|port| {
        let socket = bound(port);
        connect(&socket, peer.address).expect("cannot connect from the port of the listener");
        TcpStream::from(socket)
    });
    drop(closed);
    peer.wait_for_done(1);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 2, "closed": 1, "time_wait": 1 }));
    assert_eq!(report.summary["sockets"][0]["states"], json!({ "ESTABLISHED": 1, "TIME_WAIT": 1 }));
    drop(open);
}

/// A connection that a listener has accepted is inbound, whatever its remote port, also one that it accepts later.
#[test]
fn accepted_connections_are_not_listed() {
    let machine = Machine::shared();
    let reserved = ReservedPort::new();
    let watched = reserved.address.port();
    let watch = machine.watch(format!("-p {watched}"));
    let peer = Peer::echo();
    let mut stream = {
        let socket = bound(SocketAddr::from(([127, 0, 0, 2], watched)));
        connect(&socket, peer.address).expect("cannot connect from the watched port");
        TcpStream::from(socket)
    };
    ask(&mut stream);
    let report = watch.end();
    report.assert_nothing();
    assert_eq!(report.summary["sockets"], json!([]));
}
