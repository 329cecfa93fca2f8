//! An entry of a socket whose end the kernel skipped must not count for another socket at the same address.
//!
//! Skips cannot be made at will, so the test makes what they leave: it takes the entry out of the kernel's map while the
//! socket is closed, so no hook sees the end, and puts it back. Then it opens connections until one gets the address.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::fd::OwnedFd,
};

use aya::maps::{HashMap, Map, MapData, loaded_maps};
use rustix::net::{AddressFamily, SocketType, connect, socket};
use serde_json::json;

use crate::support::{
    eventually,
    machine::Machine,
    peer::{self, Peer, ask, echo},
    report::assert_fields,
};

/// A whole entry (`Connection` in observer-ebpf), opaque here.
type Entry = [u8; 264];

/// The map of the watch that tracks a connection to this address, with the key and the entry of the connection.
fn tracked(remote: Ipv4Addr) -> Option<(HashMap<MapData, u64, Entry>, u64, Entry)> {
    let mapped = remote.to_ipv6_mapped().octets();
    loaded_maps().flatten().filter(|map| map.name_as_str() == Some("CONNECTIONS")).find_map(|map| {
        let map = HashMap::try_from(Map::HashMap(MapData::from_id(map.id()).ok()?)).ok()?;
        let found = map.iter().flatten().find(|(_, entry): &(u64, Entry)| entry.windows(16).any(|part| part == mapped));
        found.map(|(key, entry)| (map, key, entry))
    })
}

/// Whether an accepted socket of this listener has this address in the kernel.
fn is_accepted(address: u64, listener: u16) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").expect("cannot list the sockets");
    table.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let is_established = fields.get(3) == Some(&"01");
        let port = fields.get(1).and_then(|local| number(local.rsplit(':').next()?));
        is_established && port == Some(listener.into()) && fields.get(11).and_then(|text| number(text)) == Some(address)
    })
}

#[test]
fn socket_at_the_address_of_another_has_no_part_in_its_group() {
    const AT_ONCE: usize = 100;
    let mut machine = Machine::alone();
    machine.show_kernel_addresses();
    let remote = Ipv4Addr::new(127, 9, 9, 9);
    let peer = Peer::at("0.0.0.0:0", echo);
    let others = Peer::echo();
    let watch = machine.watch(format!("--dest {remote}"));
    let mut opened = 0;
    eventually("an accepted socket gets the address", || {
        // Sockets of clients exist before the address becomes free, so that an accepted one gets it.
        let clients: Vec<OwnedFd> = (0..AT_ONCE)
            .map(|_| socket(AddressFamily::INET, SocketType::STREAM, None).expect("cannot create a socket"))
            .collect();
        let mut client = peer::connect(SocketAddr::from((remote, peer.port())));
        ask(&mut client);
        opened += 1;
        let (mut map, key, entry) = tracked(remote).expect("the watch tracks the connection");
        map.remove(&key).expect("the entry is in the map");
        // The peer's end is the last one to be closed, so the client's socket is freed at once.
        drop(client);
        peer.wait_for(opened);
        map.insert(key, entry, 0).expect("the map has room");
        let mut clients: Vec<TcpStream> = clients
            .into_iter()
            .map(|client| {
                connect(&client, &others.address).expect("cannot connect");
                TcpStream::from(client)
            })
            .collect();
        eventually("the connections are accepted", || others.accepted() == opened * AT_ONCE as u64);
        let found = is_accepted(key, others.port());
        for client in &mut clients {
            (0..3).for_each(|_| ask(client));
        }
        found
    });
    let report = watch.end();
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, &json!({ "remote": remote, "opened": opened, "exchanges": opened }));
    // The last entry was finished. An earlier one is left where no socket has got its address since.
    let number = |name: &str| group[name].as_u64().expect("a number");
    assert!(number("closed") >= 1 && number("closed") + number("open") == opened, "{group:#}");
}
