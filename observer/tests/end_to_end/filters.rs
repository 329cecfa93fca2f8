//! Connections that a filter excludes appear nowhere: in no row, no group and no total.

use std::{fs, net::TcpStream, process};

use serde_json::{Value, json};

use crate::support::{
    machine::Machine,
    peer::{Peer, ask, bash_request},
    programs::{output_of, program},
    report::{Report, assert_fields},
    sockets,
};

/// Makes one connection with one exchange.
pub(crate) fn visit(peer: &Peer) {
    ask(&mut peer.connect());
}

/// Does the same from a process named bash, and returns its name and pid.
fn bash_visits(peer: &Peer) -> Value {
    let script = format!("{}; echo $$", bash_request(peer.port()));
    let pid = output_of(program("bash", "bash").args(["-c", &script]));
    json!({ "process": "bash", "pid": pid.trim().parse::<u32>().expect("bash prints its pid") })
}

/// The name of this process as the kernel stores it.
fn own_name() -> String {
    fs::read_to_string("/proc/self/comm").expect("cannot read the name of this process").trim_end().to_owned()
}

/// Asserts that there is one group, with one connection and one exchange.
#[track_caller]
pub(crate) fn assert_only(report: &Report, about: &Value) {
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 1, "closed": 1, "failed": 0, "exchanges": 1 }));
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, about);
}

#[test]
fn other_ports_are_excluded() {
    let machine = Machine::shared();
    let (wanted, other) = (Peer::echo(), Peer::echo());
    let watch = machine.watch(format!("-p {}", wanted.port()));
    for _ in 0..10 {
        visit(&other);
    }
    visit(&wanted);
    other.wait_for(10);
    wanted.wait_for(1);
    assert_only(&watch.end(), &json!({ "port": wanted.port() }));
}

#[test]
fn failed_connect_to_another_port_is_excluded() {
    let machine = Machine::shared();
    let (wanted, other) = (sockets::ReservedPort::new(), sockets::ReservedPort::new());
    let watch = machine.watch(format!("-p {}", wanted.address.port()));
    TcpStream::connect(other.address).expect_err("the connect should be refused");
    watch.end().assert_nothing();
}

#[test]
fn port_lists_and_ranges_select_ports() {
    // The ranges may include ports of other tests.
    let machine = Machine::alone();
    let mut peers: Vec<Peer> = (0..4).map(|_| Peer::echo()).collect();
    peers.sort_by_key(Peer::port);
    let [a, b, c, d] = peers.as_slice() else { panic!("expected four peers") };
    let expected = |wanted: &[&Peer]| wanted.iter().map(|peer| json!(peer.port())).collect::<Vec<_>>();
    for (options, wanted) in [
        (format!("-p {},{}", a.port(), c.port()), expected(&[a, c])),
        (format!("--port {} -p {}", b.port(), d.port()), expected(&[b, d])),
        (format!("-p {}-{}", b.port(), c.port()), expected(&[b, c])),
        (format!("-p {}-{},{}", a.port(), b.port(), d.port()), expected(&[a, b, d])),
        (format!("-p 1-{}", c.port()), expected(&[a, b, c])),
    ] {
        let watch = machine.watch(format!("{options} --pid {}", process::id()));
        [a, b, c, d].into_iter().for_each(visit);
        let report = watch.end();
        let mut ports: Vec<Value> = report.of_type("open").iter().map(|row| row["port"].clone()).collect();
        ports.sort_by_key(Value::as_u64);
        assert_eq!(ports, wanted, "{options}");
        report.assert_totals(&json!({ "opened": wanted.len() }));
    }
}

#[test]
fn every_port_is_watched_without_a_port_filter() {
    let machine = Machine::shared();
    let (one, two) = (Peer::echo(), Peer::echo());
    let watch = machine.watch(format!("--dest 127.0.0.0/8 --pid {}", process::id()));
    visit(&one);
    visit(&two);
    one.wait_for(1);
    two.wait_for(1);
    let report = watch.end();
    assert_eq!(report.start["ports"], json!([]));
    let ports: Vec<&Value> = report.of_type("open").iter().map(|row| &row["port"]).collect();
    assert!(ports.contains(&&json!(one.port())) && ports.contains(&&json!(two.port())), "{ports:?}");
}

#[test]
fn pid_filter_excludes_other_processes() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {} --pid {}", peer.port(), process::id()));
    bash_visits(&peer);
    visit(&peer);
    peer.wait_for(2);
    assert_only(&watch.end(), &json!({ "process": own_name(), "pid": process::id() }));

    let watch = machine.watch(format!("-p {} --pid 1", peer.port()));
    visit(&peer);
    peer.wait_for(3);
    watch.end().assert_nothing();

    let watch = machine.watch(format!("-p {} --pid 1 --pid {}", peer.port(), process::id()));
    visit(&peer);
    peer.wait_for(4);
    assert_only(&watch.end(), &json!({ "pid": process::id() }));
}

#[test]
fn process_filter_excludes_other_names() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {} --process bash", peer.port()));
    let bash = bash_visits(&peer);
    visit(&peer);
    peer.wait_for(2);
    assert_only(&watch.end(), &bash);

    let watch = machine.watch(format!("-p {} --process bas --process bash2", peer.port()));
    bash_visits(&peer);
    peer.wait_for(3);
    watch.end().assert_nothing();
}

#[test]
fn process_names_are_compared_up_to_the_kernels_length() {
    let machine = Machine::shared();
    let program = std::env::current_exe().expect("cannot find this program's path");
    let name = program.file_name().and_then(|name| name.to_str()).expect("the name is UTF-8");
    assert!(name.len() > 15 && own_name().len() == 15, "the kernel truncates {name}");
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {} --process curl --process {name}", peer.port()));
    bash_visits(&peer);
    visit(&peer);
    peer.wait_for(2);
    assert_only(&watch.end(), &json!({ "process": own_name(), "pid": process::id() }));
}

#[test]
fn filters_of_different_kinds_are_combined() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let (port, pid, name) = (peer.port(), process::id(), own_name());
    for (options, wanted) in [
        (format!("-p {port} --pid {pid} --process {name} --dest 127.0.0.1"), 1),
        (format!("-p {port} --pid {pid} --process bash --dest 127.0.0.1"), 0),
        (format!("-p {port} --pid {pid} --process {name} --dest 127.0.0.2"), 0),
        (format!("-p {port} --pid 1 --process {name} --dest 127.0.0.1"), 0),
        (format!("-p 1 --pid {pid} --process {name} --dest 127.0.0.1"), 0),
    ] {
        let watch = machine.watch(&options);
        visit(&peer);
        let report = watch.end();
        assert_eq!(report.total("opened"), wanted, "{options}");
        assert_eq!(report.groups().len() as u64, wanted, "{options}");
    }
}

#[test]
fn start_says_what_was_filtered_for() {
    let machine = Machine::shared();
    let filters = |options: &str| machine.watch(format!("-p 9 {options}")).end().start["filters"].clone();
    assert_eq!(
        filters(""),
        json!({ "destinations": [], "pids": [], "children": false, "command": [], "processes": [] })
    );
    let pid = process::id();
    let options = format!("--dest 10.0.0.0/8,::1 --pid 1 --pid {pid} --process curl --process bash");
    let expected = json!({
        "destinations": ["10.0.0.0/8", "::1/128"],
        "pids": [1, pid],
        "children": false,
        "command": [],
        "processes": ["curl", "bash"],
    });
    assert_eq!(filters(&options), expected);
}
