//! `--dest` with IPv4, IPv6 and IPv4-mapped destinations. Excluded connections appear nowhere.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use rustix::net::{AddressFamily, SocketAddrV6};
use serde_json::json;

use crate::{
    filters::{assert_only, visit},
    support::{
        machine::Machine,
        peer::{self, Peer, ask, echo},
        report::assert_fields,
        sockets,
    },
};

#[test]
fn dest_selects_ipv4_addresses_and_networks() {
    let machine = Machine::shared();
    let peer = Peer::at("0.0.0.0:0", echo);
    let at = |last: u8| SocketAddr::from(([127, 0, 0, last], peer.port()));
    for (options, wanted) in [
        ("--dest 127.0.0.2", vec!["127.0.0.2"]),
        ("--dest 127.0.0.2/31", vec!["127.0.0.2", "127.0.0.3"]),
        ("--dest 127.0.0.1 --dest 127.0.0.3/32", vec!["127.0.0.1", "127.0.0.3"]),
        ("--dest 10.0.0.0/8 --dest fd00::/8", vec![]),
        ("--dest 0.0.0.0/0", vec!["127.0.0.1", "127.0.0.2", "127.0.0.3"]),
    ] {
        let watch = machine.watch(format!("-p {} {options}", peer.port()));
        for last in 1..=3 {
            ask(&mut peer::connect(at(last)));
        }
        let report = watch.end();
        let mut remotes: Vec<_> = report.groups().iter().map(|group| group["remote"].as_str().unwrap()).collect();
        remotes.sort_unstable();
        assert_eq!(remotes, wanted, "{options}");
        report.assert_totals(&json!({ "opened": wanted.len(), "exchanges": wanted.len() }));
    }
}

#[test]
fn dest_selects_ipv6_addresses_and_networks() {
    let machine = Machine::shared();
    let six = Peer::at("[::1]:0", echo);
    let four = Peer::at(&format!("127.0.0.1:{}", six.port()), echo);
    let watch = machine.watch(format!("-p {} --dest ::1/128", six.port()));
    visit(&six);
    visit(&four);
    six.wait_for(1);
    four.wait_for(1);
    let report = watch.end();
    assert_only(&report, &json!({ "remote": "::1", "port": six.port() }));
    let open = report.only("open");
    assert_fields(open, &json!({ "remote": format!("[::1]:{}", six.port()) }));
    assert!(open["local"].as_str().is_some_and(|local| local.starts_with("[::1]:")), "{open:#}");

    let watch = machine.watch(format!("-p {} --dest fd00::/8 --dest 127.0.0.2", six.port()));
    visit(&six);
    visit(&four);
    six.wait_for(2);
    four.wait_for(2);
    watch.end().assert_nothing();
}

#[test]
fn dest_of_all_ipv6_excludes_ipv4() {
    let machine = Machine::shared();
    let six = Peer::at("[::1]:0", echo);
    let four = Peer::at(&format!("127.0.0.1:{}", six.port()), echo);
    let watch = machine.watch(format!("-p {} --dest ::/0", six.port()));
    visit(&six);
    visit(&four);
    six.wait_for(1);
    four.wait_for(1);
    assert_only(&watch.end(), &json!({ "remote": "::1" }));
}

#[test]
fn ipv4_mapped_destination_is_filtered_and_shown_as_ipv4() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let mapped = SocketAddrV6::new(Ipv4Addr::LOCALHOST.to_ipv6_mapped(), peer.port(), 0, 0);
    let visit_mapped = || {
        let socket = sockets::of_family(AddressFamily::INET6);
        sockets::connect(&socket, mapped.into()).expect("cannot connect to the IPv4-mapped address");
        ask(&mut TcpStream::from(socket));
    };
    let watch = machine.watch(format!("-p {} --dest 127.0.0.0/8", peer.port()));
    visit_mapped();
    peer.wait_for(1);
    let report = watch.end();
    assert_only(&report, &json!({ "remote": "127.0.0.1" }));
    for row in &report.rows {
        assert_fields(row, &json!({ "remote": peer.address.to_string() }));
        assert!(row["local"].as_str().is_some_and(|local| local.starts_with("127.0.0.1:")), "{row:#}");
    }

    let watch = machine.watch(format!("-p {} --dest ::1 --dest 127.0.0.2", peer.port()));
    visit_mapped();
    peer.wait_for(2);
    watch.end().assert_nothing();
}
