//! IPv6 destinations, and IPv4 destinations of IPv6 sockets, which are shown as IPv4. See destinations.rs for `--dest`,
//! and namespaces.rs for IPv6 between hosts.

use std::net::{Ipv4Addr, TcpStream};

use rustix::net::{AddressFamily, SocketAddrV6};
use serde_json::json;

use crate::support::{
    go::Server,
    machine::Machine,
    peer::{Peer, ask},
    programs::{output_of, program},
    report::assert_fields,
    sockets,
};

#[test]
fn ipv6_loopback_is_counted() {
    let machine = Machine::shared();
    for (scheme, tls, protocol) in [("http", "", "plain"), ("https", "-tls 1.3", "tls")] {
        let server = Server::start(&format!("-address [::1]:0 {tls}"));
        let remote = format!("[::1]:{}", server.port);
        let watch = machine.watch(format!("-p {}", server.port));
        let mut curl = program("curl", "curl");
        curl.args(["--silent", "--show-error", "--insecure", "--http1.1", "--noproxy", "*"]);
        output_of(curl.args(["/a", "/b", "/c"].map(|path| format!("{scheme}://{remote}{path}"))));
        let truth = server.truth();
        assert_eq!((truth.connections, truth.requests), (1, 3), "counts of the server");
        let report = watch.end();
        report.assert_complete();
        report.assert_totals(&json!({ "opened": 1, "closed": 1, "exchanges": 3, "new": 1, "reused": 2 }));
        let close = report.only("close");
        assert_fields(close, &json!({ "remote": remote, "exchanges": 3, "exact": true, "protocol": protocol }));
        assert_fields(&report.groups()[0], &json!({ "remote": "::1", "exchanges": 3 }));
    }
}

/// Both kinds of sockets reach the same destination.
#[test]
fn ipv4_through_either_socket_family_is_one_group() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {}", peer.port()));
    let socket = sockets::of_family(AddressFamily::INET6);
    let mapped = SocketAddrV6::new(Ipv4Addr::LOCALHOST.to_ipv6_mapped(), peer.port(), 0, 0);
    sockets::connect(&socket, mapped.into()).expect("cannot connect to the IPv4-mapped address");
    for mut stream in [TcpStream::from(socket), peer.connect()] {
        (0..3).for_each(|_| ask(&mut stream));
    }
    peer.wait_for(2);
    let report = watch.end();
    report.assert_complete();
    let counts = json!({ "opened": 2, "closed": 2, "exchanges": 6, "new": 2, "reused": 4 });
    report.assert_totals(&counts);
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, &counts);
    assert_fields(group, &json!({ "remote": "127.0.0.1" }));
    for close in report.of_type("close") {
        assert_fields(close, &json!({ "remote": peer.address.to_string(), "exchanges": 3, "exact": true }));
        assert!(close["local"].as_str().is_some_and(|local| local.starts_with("127.0.0.1:")), "{close:#}");
    }
}
