//! Pre-existing connections are taken over exactly once, whatever happens during the start.

use std::{
    io::Read as _,
    net::TcpStream,
    process::{self, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    thread::{self, sleep},
    time::Duration,
};

use serde_json::json;

use crate::support::{
    http,
    machine::Machine,
    peer::{Peer, ask, bash_request, send_request},
    programs::program,
    report::assert_fields,
    tool::Process,
};

#[test]
fn only_exchanges_during_the_watch_count_on_pre_existing_connections() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let mut used = peer.connect();
    (0..3).for_each(|_| ask(&mut used));
    let mut unused = peer.connect();
    let _untouched = peer.connect();
    let watch = machine.watch(format!("-p {} --exchanges", peer.port()));
    ask(&mut used);
    ask(&mut used);
    ask(&mut unused);
    ask(&mut unused);
    drop((used, unused));
    peer.wait_for_done(2);
    let report = watch.end();
    report.assert_complete();
    assert_eq!(report.start["pre_existing"], 3);
    report.assert_totals(&json!({
        "pre_existing": 3, "opened": 0, "closed": 2, "open": 1, "exchanges": 4, "new": 1, "reused": 3, "unused": 0,
    }));
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, &json!({ "pid": process::id(), "processes": 1, "pre_existing": 3 }));
    for close in report.of_type("close") {
        assert_fields(close, &json!({ "pre_existing": true, "exchanges": 2, "lifetime_us": null, "exact": true }));
    }
    let reused: Vec<_> = report.of_type("exchange").iter().map(|row| row["reused"].as_bool()).collect();
    assert_eq!(reused, [Some(true), Some(true), Some(false), Some(true)]);
}

#[test]
fn answer_pending_at_the_start_counts_as_an_exchange() {
    let machine = Machine::shared();
    let peer = Peer::new(|mut stream| {
        http::serve(&mut stream);
    });
    let mut stream = peer.connect();
    send_request(&mut stream);
    let watch = machine.watch(format!("-p {}", peer.port()));
    let mut answer = [0; http::OK.len()];
    stream.read_exact(&mut answer).expect("cannot read the answer");
    send_request(&mut stream);
    stream.read_exact(&mut answer).expect("cannot read the answer");
    drop(stream);
    peer.wait_for(1);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "pre_existing": 1, "opened": 0, "exchanges": 2, "new": 0, "reused": 2 }));
}

#[test]
fn connection_of_another_users_process_is_taken_over() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let script = format!("{}; echo done; read -r", bash_request(peer.port()));
    let mut client = program("setpriv", "util-linux");
    client.args(["--reuid=65534", "--regid=65534", "--clear-groups", "bash", "-c", &script]);
    let mut client = Process::start(client.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut stdout = client.child.stdout.take().expect("the stream is piped");
    stdout.read_exact(&mut [0; 5]).expect("the client got no answer");
    let watch = machine.watch(format!("-p {}", peer.port()));
    // Longer than a tick: the group must not be merged with those of ended processes.
    sleep(Duration::from_millis(2500));
    drop(client.child.stdin.take());
    client.wait(Duration::from_mins(2));
    peer.wait_for(1);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "pre_existing": 1, "closed": 1, "exchanges": 0, "unused": 0 }));
    let owner = json!({ "process": "bash", "pid": client.id() });
    assert_fields(report.only("close"), &owner);
    assert_fields(&report.groups()[0], &owner);
}

#[test]
fn pre_existing_inbound_connections_are_ignored() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let mut stream = peer.connect();
    ask(&mut stream);
    // The peer's end of this connection has our port as its remote port.
    let own_port = stream.local_addr().expect("the stream is connected").port();
    let watch = machine.watch(format!("-p {own_port}"));
    ask(&mut stream);
    drop(stream);
    peer.wait_for(1);
    let report = watch.end();
    report.assert_nothing();
    assert_eq!(report.start["pre_existing"], 0);
}

#[test]
fn churn_during_the_start_neither_loses_nor_duplicates_connections() {
    const HELD: u64 = 300;
    const AFTER: u64 = 5_000;
    let machine = Machine::alone();
    let peer = Peer::echo();
    let mut held: Vec<TcpStream> = (0..HELD).map(|_| peer.connect()).collect();
    for stream in &mut held {
        ask(stream);
    }
    let attached = AtomicBool::new(false);
    let (before, after) = (AtomicU64::new(0), AtomicU64::new(0));
    let watch = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while after.load(SeqCst) < AFTER {
                    let connects_after = attached.load(SeqCst);
                    let mut stream = peer.connect();
                    ask(&mut stream);
                    ask(&mut stream);
                    drop(stream);
                    if connects_after { &after } else { &before }.fetch_add(1, SeqCst);
                }
            });
        }
        let watch = machine.watch(format!("-p {}", peer.port()));
        attached.store(true, SeqCst);
        watch
    });
    for stream in &mut held {
        ask(stream);
        ask(stream);
    }
    drop(held);
    let (before, after) = (before.into_inner(), after.into_inner());
    peer.wait_for(HELD + before + after);
    let report = watch.end();
    assert_eq!(report.summary["exact"], true, "{:#}", report.summary);
    let (opened, pre_existing) = (report.total("opened"), report.total("pre_existing"));
    // Some connections that were opened before the test knew of the start are closed before the watch could see them.
    assert!(pre_existing >= HELD, "{:#}", report.summary);
    assert!((HELD + after..=HELD + before + after).contains(&(opened + pre_existing)), "{:#}", report.summary);
    assert_eq!(opened + pre_existing, report.total("closed"), "connections that have closed");
    let exchanges = report.total("exchanges");
    let at_most = 2 * (opened + pre_existing);
    assert!((2 * (HELD + after)..=at_most).contains(&exchanges), "{exchanges} of {at_most}: {:#}", report.summary);
    assert_eq!(report.of_type("close").len() as u64, opened + pre_existing, "close rows");
}
