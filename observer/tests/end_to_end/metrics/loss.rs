//! Losses are counted by the place where they occur.

use std::net::TcpStream;

use crate::support::{
    machine::Machine,
    metrics::MeteredWatch,
    peer::{Peer, ask},
};

#[test]
fn untracked_connections_and_lost_rows_are_counted_by_place() {
    const CONNECTIONS: u64 = 200;
    const LIMIT: u64 = 40;
    let machine = Machine::alone();
    let peer = Peer::echo();
    let options = format!("-p {} --max-connections {LIMIT} --ring-size 4096", peer.port());
    let metered = MeteredWatch::start(&machine, &options);
    // A stopped tool does not read the ring buffer.
    metered.watch.tool.signal(rustix::process::Signal::STOP);
    let mut streams: Vec<TcpStream> = (0..CONNECTIONS).map(|_| peer.connect()).collect();
    streams.iter_mut().for_each(ask);
    assert_eq!(peer.accepted(), CONNECTIONS);
    metered.watch.tool.signal(rustix::process::Signal::CONT);
    let untracked = "tcp_reuse_watch_connections_untracked_total";
    let is_counted = |samples: &crate::support::metrics::Samples| samples.sum(untracked, &[]) > 0;
    let samples = metered.scrape_until("untracked connections are counted", is_counted);
    assert_eq!(samples.sum(untracked, &["where=\"connections\""]), CONNECTIONS - LIMIT);
    assert_eq!(samples.sum(untracked, &["where=\"mptcp\""]), 0);
    assert_eq!(samples.exchanges(), (LIMIT, 0));
    assert_eq!(samples.sum("tcp_reuse_connections_open", &[]), LIMIT);
    let lost = |place: &str| samples.sum("tcp_reuse_watch_events_lost_total", &[&format!("where=\"{place}\"")]);
    assert!(lost("ring") > 0, "{samples:#?}");
    assert_eq!((lost("output"), lost("recording"), lost("groups")), (0, 0, 0));
    let ring = lost("ring");
    drop(streams);
    peer.wait_for(CONNECTIONS);
    assert!(metered.end().total("events_lost") >= ring);
}
