//! memcached, recognised by a command and its answer. The server counts independently.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader},
    net::TcpStream,
};

use serde_json::json;

use crate::support::{
    http::send,
    machine::Machine,
    programs::{output_of, program},
    python::python,
    report::assert_fields,
    service::{self, Service},
    sockets::ReservedPort,
};

fn start() -> (Service, u16) {
    let port = ReservedPort::new();
    let number = port.address.port();
    let mut memcached = program("memcached", "memcached");
    memcached.args(["--user=nobody", "--listen=127.0.0.1", "--udp-port=0", &format!("--port={number}")]);
    (Service::start(&mut memcached, service::folder(), [port]), number)
}

/// The server's statistics so far, which include this connection.
fn statistics(port: u16) -> HashMap<String, u64> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).expect("cannot connect to memcached"));
    send(stream.get_mut(), "stats\r\n");
    let lines = stream.lines().map(|line| line.expect("cannot read the answer")).take_while(|line| line != "END");
    let statistic = |line: String| {
        let [_, name, value] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
        Some((name.to_owned(), value.parse().ok()?))
    };
    lines.filter_map(statistic).collect()
}

#[test]
fn memcached_commands_of_pymemcache_are_exact() {
    const CONNECTIONS: u64 = 4;
    const TIMES: u64 = 5;
    let machine = Machine::shared();
    let (memcached, port) = start();
    let before = statistics(port);
    let watch = machine.watch(format!("-p {port} --process python3"));
    output_of(python("memcached_client.py").args([port.into(), CONNECTIONS, TIMES].map(|n| n.to_string())));
    memcached.wait_for_closes(port);
    let report = watch.end();
    let after = statistics(port);
    let counted = |names: &[&str]| names.iter().map(|name| after[*name] - before[*name]).sum::<u64>();
    // The second query of the statistics is a connection too.
    assert_eq!(counted(&["total_connections"]) - 1, CONNECTIONS, "counts of memcached");
    let commands = counted(&["cmd_get", "cmd_set", "delete_hits", "delete_misses"]);
    assert_eq!(commands, 4 * CONNECTIONS * TIMES, "counts of memcached");
    report.assert_recognised("memcached");
    report.assert_totals(&json!({ "opened": CONNECTIONS, "closed": CONNECTIONS, "unused": 0, "exchanges": commands }));
    for close in report.of_type("close") {
        assert_fields(close, &json!({ "exchanges": 4 * TIMES }));
    }
}
