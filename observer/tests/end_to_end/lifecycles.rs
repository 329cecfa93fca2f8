//! Concurrent and successive connections: of exiting processes, on the same addresses, many at a time, and one that
//! outlives the watch.

use std::{
    io::Read as _,
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    process::Stdio,
    time::Duration,
};

use serde_json::json;

use crate::support::{
    machine::Machine,
    peer::{Peer, ask, bash_request},
    programs::program,
    report::{Report, assert_fields},
    sockets::{bound, connect, local_address, reset_on_close},
    tool::Process,
};

/// Runs a process that holds a used connection, and ends it with `end`.
fn process_ends(end: impl FnOnce(&mut Process)) -> Report {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {}", peer.port()));
    let script = format!("{}; echo done; read -r", bash_request(peer.port()));
    let mut bash = program("bash", "bash");
    let mut client = Process::start(bash.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut stdout = client.child.stdout.take().expect("the stream is piped");
    stdout.read_exact(&mut [0; 5]).expect("the client got no answer");
    end(&mut client);
    client.wait(Duration::from_mins(2));
    peer.wait_for(1);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 1, "closed": 1, "exchanges": 1, "new": 1 }));
    assert_fields(report.only("close"), &json!({ "process": "bash", "pid": client.id() }));
    report
}

#[test]
fn exit_of_the_process_closes_its_connection() {
    let report = process_ends(|client| drop(client.child.stdin.take()));
    assert_fields(report.only("close"), &json!({ "closed_by": "local", "how": "fin" }));
}

#[test]
fn kill_of_the_process_closes_its_connection() {
    let report = process_ends(|client| client.child.kill().expect("cannot kill the client"));
    assert_fields(report.only("close"), &json!({ "closed_by": "local", "how": "fin" }));
}

#[test]
fn connection_that_outlives_the_watch_stays_open() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {}", peer.port()));
    let mut stream = peer.connect();
    ask(&mut stream);
    ask(&mut stream);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 1, "closed": 0, "open": 1, "exchanges": 2, "reused": 1, "unused": 0 }));
    assert!(report.of_type("close").is_empty());
}

#[test]
fn reused_addresses_are_separate_connections() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {}", peer.port()));
    let mut local = SocketAddr::from(([127, 0, 0, 1], 0));
    for exchanges in 1..=5 {
        let socket: OwnedFd = bound(local);
        connect(&socket, peer.address).expect("cannot connect from the same address again");
        local = local_address(&socket);
        let mut stream = TcpStream::from(socket);
        (0..exchanges).for_each(|_| ask(&mut stream));
        // Avoids TIME_WAIT.
        reset_on_close(&stream);
        drop(stream);
        peer.wait_for(exchanges);
    }
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 5, "closed": 5, "exchanges": 15, "new": 5, "reused": 10 }));
    let closes = report.of_type("close");
    let exchanges: Vec<_> = closes.iter().map(|row| row["exchanges"].as_u64().unwrap()).collect();
    assert_eq!(exchanges, [1, 2, 3, 4, 5]);
    assert!(closes.iter().all(|row| row["local"] == local.to_string()), "{closes:#?}");
}

#[test]
fn concurrent_connections_are_counted_separately() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {}", peer.port()));
    let mut streams: Vec<TcpStream> = (0..50).map(|_| peer.connect()).collect();
    for round in 0..4 {
        streams.iter_mut().skip(round * 10).for_each(ask);
    }
    drop(streams);
    peer.wait_for(50);
    let report = watch.end();
    report.assert_complete();
    report
        .assert_totals(&json!({ "opened": 50, "closed": 50, "unused": 0, "new": 50, "exchanges": 50 + 40 + 30 + 20 }));
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(&group["exchanges_per_connection"], &json!({ "1": 10, "2-9": 40, "10-99": 0 }));
}
