//! Connections beside and after each other: of processes that end, over the same addresses, many at a time, and one that
//! is open to the end.

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
    peer::{Peer, ask, ask_by_bash},
    programs::program,
    report::{Report, assert_fields},
    sockets::{bound, connect, local_address, reset_on_close},
    tool::Process,
};

/// A process that holds a used connection when it ends in the way that `end` chooses.
fn process_ends(end: impl FnOnce(&mut Process)) -> Report {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {}", peer.port()));
    let script = format!("{}; echo done; read -r", ask_by_bash(peer.port()));
    let mut bash = program("bash", "bash");
    let mut client = Process::start(bash.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut stdout = client.child.stdout.take().expect("the pipe was asked for");
    stdout.read_exact(&mut [0; 5]).expect("the client has had its answer");
    end(&mut client);
    client.wait(Duration::from_secs(5));
    peer.wait_for(1);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 1, "closed": 1, "exchanges": 1, "new": 1 }));
    assert_fields(report.only("close"), &json!({ "process": "bash", "pid": client.id() }));
    report
}

#[test]
fn its_process_exits() {
    let report = process_ends(|client| drop(client.child.stdin.take()));
    assert_fields(report.only("close"), &json!({ "closed_by": "local", "how": "fin" }));
}

#[test]
fn its_process_is_killed() {
    let report = process_ends(|client| client.child.kill().expect("it can be killed"));
    assert_fields(report.only("close"), &json!({ "closed_by": "local", "how": "fin" }));
}

#[test]
fn open_to_the_end() {
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
fn addresses_used_again_are_another_connection() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {}", peer.port()));
    let mut local = SocketAddr::from(([127, 0, 0, 1], 0));
    for exchanges in 1..=5 {
        let socket: OwnedFd = bound(local);
        connect(&socket, peer.address).expect("the addresses are free again");
        local = local_address(&socket);
        let mut stream = TcpStream::from(socket);
        (0..exchanges).for_each(|_| ask(&mut stream));
        // Leaves no TIME_WAIT behind.
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
fn many_at_the_same_time() {
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
    let [group] = report.groups() else { panic!("one group was expected: {:#}", report.summary) };
    assert_fields(&group["exchanges_per_connection"], &json!({ "1": 10, "2-9": 40, "10-99": 0 }));
}
