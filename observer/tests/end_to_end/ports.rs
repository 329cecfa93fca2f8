//! Local ports run out for each source address and destination. A notice says so before connects fail.

use std::{
    net::{IpAddr, SocketAddr, TcpStream},
    ops::Range,
};

use serde_json::json;

use crate::support::{
    hosts::Hosts,
    machine::Machine,
    metrics::scrape_until,
    peer::{Peer, echo},
    sockets::{bound, connect},
};

/// Ten ports.
const RANGE: &str = "40000 40009";
const FIRST: &str = "192.0.2.1";
const SECOND: &str = "192.0.2.3";
const SECOND_IPV6: &str = "2001:db8::3";

/// Two hosts. On the near one `connect()` chooses from [`RANGE`], without the reserved ports, and there are second source
/// addresses.
fn hosts(reserved: &str) -> Hosts {
    let hosts = Hosts::new();
    hosts.near.add_address(&format!("{SECOND}/24"));
    hosts.near.add_address(&format!("{SECOND_IPV6}/64 nodad"));
    hosts.near.set_parameter("net/ipv4/ip_local_port_range", RANGE);
    hosts.near.set_parameter("net/ipv4/ip_local_reserved_ports", reserved);
    hosts
}

/// Opens connections from source addresses and ports of the near host.
fn open(hosts: &Hosts, to: SocketAddr, from: &[(&str, u16)]) -> Vec<TcpStream> {
    let open = |&(source, port): &(&str, u16)| {
        let source: IpAddr = source.parse().expect("an address");
        let socket = bound(SocketAddr::new(source, port));
        connect(&socket, to).unwrap_or_else(|error| panic!("cannot connect from {source}: {error}"));
        TcpStream::from(socket)
    };
    hosts.near.within(|| from.iter().map(open).collect())
}

/// Returns the messages about ports that run out while these connections to the far host are open.
fn messages(hosts: &Hosts, far: &str, from: &[(&str, u16)]) -> Vec<String> {
    let machine = Machine::shared();
    let far: IpAddr = far.parse().expect("an address");
    let peer = hosts.far.within(|| Peer::at(&SocketAddr::new(far, 0).to_string(), echo));
    let watch = hosts.near.watch(&machine, format!("-p {}", peer.port()));
    let streams = open(hosts, peer.address, from);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "open": from.len(), "failed": 0 }));
    let remote = json!({ "remote": far, "port": peer.port(), "states": { "ESTABLISHED": from.len() } });
    assert_eq!(report.summary["sockets"], json!([remote]), "source addresses are added up");
    drop(streams);
    let notices = report.of_type("notice").into_iter().filter(|notice| notice["kind"] == "port-exhaustion");
    notices.map(|notice| notice["message"].as_str().expect("a message").into()).collect()
}

/// A connection from each of these ports.
fn from(source: &str, ports: Range<u16>) -> Vec<(&str, u16)> {
    ports.map(|port| (source, port)).collect()
}

#[test]
fn each_source_address_has_ports_of_its_own() {
    let both = [from(FIRST, 40_000..40_007), from(SECOND, 40_000..40_007)].concat();
    let hosts = hosts("");
    assert_eq!(messages(&hosts, hosts.far.ipv4, &both), Vec::<String>::new());
}

#[test]
fn exhausted_source_address_is_named() {
    let hosts = hosts("");
    for (first, second, far) in [(FIRST, SECOND, hosts.far.ipv4), (hosts.near.ipv6, SECOND_IPV6, hosts.far.ipv6)] {
        let both = [from(first, 40_000..40_001), from(second, 40_000..40_008)].concat();
        let [message] = messages(&hosts, far, &both).try_into().expect("expected one notice");
        assert!(message.starts_with(&format!("8 of 10 local ports of {second} are taken by sockets to ")), "{message}");
    }
}

#[test]
fn reserved_ports_are_not_available() {
    // Of the range, this leaves 40000, 40001, 40006, 40007 and 40008.
    let hosts = hosts("80,40002-40005,40009-40010");
    let free = [from(FIRST, 40_000..40_002), from(FIRST, 40_006..40_009)].concat();
    assert_eq!(messages(&hosts, hosts.far.ipv4, &free[..3]), Vec::<String>::new());
    let [message] = messages(&hosts, hosts.far.ipv4, &free[..4]).try_into().expect("expected one notice");
    assert!(message.starts_with(&format!("4 of 5 local ports of {FIRST} are taken")), "{message}");
}

#[test]
fn metrics_tell_the_ports_of_the_busiest_source_address() {
    let machine = Machine::shared();
    let hosts = hosts("40009");
    let peer = hosts.far.within(|| Peer::at(&format!("{}:0", hosts.far.ipv4), echo));
    let exporter = "127.0.0.1:9716".parse().expect("an address");
    let watch = hosts.near.watch(&machine, format!("--metrics {exporter} -p {}", peer.port()));
    let both = [from(FIRST, 40_000..40_003), from(SECOND, 40_000..40_005)].concat();
    let streams = open(&hosts, peer.address, &both);
    // The far host is another network namespace, so its ends of the connections are not listed.
    let series = format!("tcp_reuse_local_ports_taken{{destination=\"{}\",port=\"{}\"}}", hosts.far.ipv4, peer.port());
    let samples = hosts
        .near
        .within(|| scrape_until(exporter, "the sockets are listed", |samples| samples.0.get(&series) == Some(&5.0)));
    assert_eq!(samples.0.get("tcp_reuse_local_ports"), Some(&9.0), "{samples:#?}");
    drop(streams);
    watch.end().assert_complete();
}
