//! Shares of the kernel's counter slots: no process takes the room of all others. Groups that are silent make room for
//! new ones, lose no count, and stay one row.

use std::{collections::BTreeMap, net::SocketAddr, thread};

use serde_json::{Value, json};

use crate::support::{
    dialogue::Dialogue,
    machine::Machine,
    metrics::MeteredWatch,
    nobody::as_nobody,
    peer::{self, Peer, ask, bash_request, echo},
    programs::{output_of, program},
    python::python,
    report::{Report, assert_fields},
    sockets::ReservedPort,
};

/// A process may hold half of the 10,000 slots.
const PROCESS_SHARE: u16 = 5_000;

/// A loopback address for each number.
fn destination(n: u16, port: u16) -> SocketAddr {
    let [high, low] = n.to_be_bytes();
    SocketAddr::from(([127, 1, high, low], port))
}

fn visit(n: u16, port: u16) {
    ask(&mut peer::connect(destination(n, port)));
}

/// The rows of a report by process and destination. Fails if two rows have the same.
fn rows(report: &Report) -> BTreeMap<(String, String), &Value> {
    let mut rows = BTreeMap::new();
    for group in report.groups().iter().filter(|group| group["overflow"] == false) {
        let name = (group["process"].to_string(), group["remote"].as_str().unwrap_or_default().to_owned());
        assert!(rows.insert(name, group).is_none(), "two rows for {group:#}");
    }
    rows
}

fn overflow(report: &Report) -> Vec<&Value> {
    report.groups().iter().filter(|group| group["overflow"] == true).collect()
}

#[test]
fn refused_connects_of_one_process_leave_room_for_others() {
    const REFUSED: u16 = 10_001;
    let machine = Machine::alone();
    let peer = Peer::at("0.0.0.0:0", echo);
    let closed = ReservedPort::new().address.port();
    let metered =
        MeteredWatch::start(&machine, &format!("-p {} -p {closed} --metrics-labels process,port", peer.port()));
    let arguments = [closed.to_string(), REFUSED.to_string(), peer.port().to_string()];
    let mut crawler = Dialogue::start(python("crawler.py").args(arguments));
    crawler.wait_for_line("refused");
    output_of(program("bash", "bash").args(["-c", &bash_request(peer.port())]));
    output_of(as_nobody("bash", "-c").arg(bash_request(peer.port())));
    // The crawler's own share is free again once its silent groups have left.
    let port = format!("port=\"{}\"", peer.port());
    let mut asked = 0;
    metered.scrape_until("the crawler gets a group again", |samples| {
        crawler.send_line("");
        crawler.wait_for_line("asked");
        asked += 1;
        samples.sum("tcp_reuse_connections_opened_total", &["process=\"python3\"", &port]) > 0
    });
    peer.wait_for(2 + asked);
    let pid = crawler.process.id();
    let report = metered.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 2 + asked, "exchanges": 2 + asked, "failed": REFUSED, "missed": 0 }));
    let rows = rows(&report);
    let [others] = overflow(&report)[..] else { panic!("expected one overflow row: {:#?}", overflow(&report)) };
    assert_fields(others, &json!({ "user": 0, "process": null, "pid": null, "remote": null, "avoidable": null }));
    let named: u64 = rows.values().filter_map(|row| row["failed"].as_u64()).sum();
    assert_eq!(others["failed"], u64::from(REFUSED) - named);
    assert!(named >= PROCESS_SHARE.into(), "{named}");
    let bash = rows.values().find(|row| row["process"] == "bash").expect("other processes have names");
    assert_fields(bash, &json!({ "opened": 2, "exchanges": 2, "processes": 2, "user": null }));
    assert!(rows.values().any(|row| row["pid"] == pid && row["opened"] == 1), "no named group after ageing");
}

/// More destinations than a process may have groups, so groups leave and come back all the time.
#[test]
fn returning_destination_stays_one_row_and_loses_nothing() {
    const DESTINATIONS: u16 = 6_000;
    const ROUNDS: u64 = 3;
    const LOUD: u16 = 60_000;
    let machine = Machine::alone();
    let peer = Peer::at("0.0.0.0:0", echo);
    let watch = machine.watch(format!("-p {}", peer.port()));
    let mut loud = peer::connect(destination(LOUD, peer.port()));
    for _ in 0..ROUNDS {
        (0..100).for_each(|_| ask(&mut loud));
        let port = peer.port();
        let visitors =
            [0, 1].map(|part| thread::spawn(move || (part..DESTINATIONS).step_by(2).for_each(|n| visit(n, port))));
        for visitor in visitors {
            visitor.join().expect("a visitor failed");
        }
    }
    drop(loud);
    let visits = ROUNDS * u64::from(DESTINATIONS);
    peer.wait_for(visits + 1);
    let report = watch.end();
    report.assert_complete();
    let exchanges = visits + 100 * ROUNDS;
    report.assert_totals(&json!({ "opened": visits + 1, "closed": visits + 1, "exchanges": exchanges, "open": 0 }));
    let rows = rows(&report);
    assert!(rows.len() >= PROCESS_SHARE.into() && rows.len() <= 10_000, "{} rows", rows.len());
    let loud = rows.values().find(|row| row["exchanges"] == 100 * ROUNDS).expect("the loudest group has a name");
    assert_fields(loud, &json!({ "opened": 1, "closed": 1, "reused": 100 * ROUNDS - 1 }));
    assert!(rows.values().all(|row| row["opened"].as_u64() <= Some(ROUNDS)), "no slot serves two groups");
    let named: u64 = rows.values().filter_map(|row| row["opened"].as_u64()).sum();
    let others: u64 = overflow(&report).iter().filter_map(|row| row["opened"].as_u64()).sum();
    assert_eq!(named + others, visits + 1);
}
