//! Groups by process and destination. Groups of ended processes are merged by name, and the number of groups is
//! bounded.

use std::{
    ffi::OsStr,
    net::SocketAddr,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    process::Command,
};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{
    machine::Machine,
    peer::{self, Peer, ask, bash_request, echo},
    programs::{output_of, program},
    report::assert_fields,
};

#[test]
fn each_destination_of_a_process_is_a_group() {
    let machine = Machine::shared();
    let peer = Peer::at("0.0.0.0:0", echo);
    let watch = machine.watch(format!("-p {}", peer.port()));
    for last in 1..=3_u8 {
        let mut stream = peer::connect(SocketAddr::from(([127, 0, 0, last], peer.port())));
        (0..last).for_each(|_| ask(&mut stream));
    }
    peer.wait_for(3);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 3, "exchanges": 6, "reused": 3 }));
    // The group with the most exchanges comes first.
    let expected = [("127.0.0.3", 3), ("127.0.0.2", 2), ("127.0.0.1", 1)];
    assert_eq!(report.groups().len(), 3);
    for (group, (remote, exchanges)) in report.groups().iter().zip(expected) {
        assert_fields(group, &json!({ "remote": remote, "exchanges": exchanges, "opened": 1 }));
        assert_fields(group, &json!({ "pid": std::process::id(), "processes": 1 }));
    }
}

#[test]
fn ended_processes_of_one_name_share_a_group() {
    const PROCESSES: u64 = 300;
    let machine = Machine::alone();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {}", peer.port()));
    for _ in 0..PROCESSES {
        output_of(program("bash", "bash").args(["-c", &bash_request(peer.port())]));
    }
    peer.wait_for(PROCESSES);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": PROCESSES, "closed": PROCESSES, "exchanges": PROCESSES, "reused": 0 }));
    // Each process has given its slot back.
    report.assert_totals(&json!({ "not_removed": 0 }));
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, &json!({ "process": "bash", "processes": PROCESSES, "pid": null }));
}

/// A process can choose any name. It must neither reach a terminal unescaped nor break the JSON.
#[test]
fn hostile_process_names_keep_the_json_valid() {
    let machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {}", peer.port()));
    let names: [&[u8]; 3] = [b"a\"b\\c{}", b"\x1b[2J\n\x07", b"\xff\xfe\xc3"];
    for name in names {
        let link = folder.path().join(OsStr::from_bytes(name));
        symlink("/bin/bash", &link).expect("cannot create the link");
        output_of(Command::new(&link).args(["-c", &bash_request(peer.port())]));
    }
    peer.wait_for(3);
    let report = watch.end();
    report.assert_totals(&json!({ "opened": 3, "exchanges": 3 }));
    let shown: Vec<&Value> = report.of_type("open").iter().map(|row| &row["process"]).collect();
    assert_eq!(shown, ["a\"b\\c{}", "\u{1b}[2J\n\u{7}", "\u{fffd}\u{fffd}\u{fffd}"]);
}

#[test]
fn groups_beyond_ten_thousand_share_an_overflow_group() {
    const DESTINATIONS: u16 = 10_300;
    let machine = Machine::alone();
    let peer = Peer::at("0.0.0.0:0", echo);
    let watch = machine.watch(format!("-p {}", peer.port()));
    for n in 0..DESTINATIONS {
        let [high, low] = n.to_be_bytes();
        ask(&mut peer::connect(SocketAddr::from(([127, 1, high, low], peer.port()))));
    }
    peer.wait_for(DESTINATIONS.into());
    let report = watch.end();
    report.assert_totals(&json!({ "opened": DESTINATIONS, "closed": DESTINATIONS, "exchanges": DESTINATIONS }));
    assert_fields(&report.summary, &json!({ "complete": true, "exact": true }));
    let groups = report.groups();
    assert!(groups.len() <= 10_001, "{} groups", groups.len());
    let rest: Vec<&Value> = groups.iter().filter(|group| group["overflow"] == true).collect();
    let [rest] = rest.as_slice() else { panic!("expected one overflow group: {rest:#?}") };
    assert_fields(rest, &json!({ "process": null, "pid": null, "remote": null, "port": null }));
    let opened = rest["opened"].as_u64().expect("a number");
    assert!(opened >= u64::from(DESTINATIONS) - 10_001, "{rest:#}");
    // The row may hold groups of their own too, because there are at most 10,000 rows.
    assert!((1..=opened).contains(&report.total("ungrouped")), "{}", report.summary["totals"]);
    report.assert_totals(&json!({ "events_lost": 0, "untracked": 0, "unlisted": 0, "not_removed": 0 }));
}
