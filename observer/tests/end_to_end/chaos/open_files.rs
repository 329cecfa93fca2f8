//! Few open files: too few for the start, and none left later, when clients of `--metrics` hold them.

use std::{
    net::TcpStream,
    process::{Command, Stdio},
};

use rustix::process::{Resource, getrlimit};
use serde_json::json;

use crate::support::{
    eventually,
    machine::{Machine, open_files_of},
    metrics::{MeteredWatch, get},
    nobody::limit_open_files,
    peer::{Peer, ask, connect},
    programs::program,
    tool::{PROGRAM, RunOutput},
};

fn with_limit(files: u64, arguments: &str) -> Command {
    let mut prlimit = program("prlimit", "util-linux");
    prlimit.args([&format!("--nofile={files}:{files}"), "--", PROGRAM]).args(arguments.split_whitespace());
    prlimit.stdin(Stdio::null());
    prlimit
}

/// The start fails with one line about the limit, or succeeds, at any limit.
#[test]
fn start_with_few_open_files_fails_clearly_or_works() {
    let _machine = Machine::shared();
    let mut works = 0;
    // The dynamic linker needs three to start the program at all.
    for files in (4..96).step_by(3) {
        let ended = RunOutput::run(&mut with_limit(files, "-p 1 -o json --duration 1ms"));
        if ended.status.success() {
            works += 1;
            assert_eq!((ended.stdout.lines().count(), ended.stderr.as_str()), (2, ""), "{files}: {ended:#?}");
        } else {
            assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""), "{files}: {ended:#?}");
            let is_clear = ended.stderr.lines().count() == 1 && ended.stderr.contains("ulimit -n");
            assert!(is_clear && works == 0, "{files}: {ended:#?}");
        }
    }
    assert!(works > 5, "a watch starts with {works} limits below 96");
}

/// No descriptor is left. Connections are counted all the same, and once clients have gone, there are answers again.
#[test]
fn watch_without_a_free_descriptor_goes_on_counting() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let metered = MeteredWatch::start(&machine, &format!("-p {}", peer.port()));
    let (mut kept, address) = (peer.connect(), metered.address);
    ask(&mut kept);
    metered.scrape_until("the exchange is counted", |samples| samples.exchanges() == (1, 0));
    let pid = metered.watch.tool.id();
    let room = open_files_of(pid) as u64 + 3;
    let before = getrlimit(Resource::Nofile).current.expect("there is a limit");
    limit_open_files(pid, room);
    let holders: Vec<TcpStream> = (0..10).map(|_| connect(address)).collect();
    eventually("no descriptor is left", || open_files_of(pid) as u64 >= room);
    for n in 0..20 {
        ask(&mut peer.connect());
        ask(&mut kept);
        std::thread::sleep(std::time::Duration::from_millis(if n % 5 == 0 { 500 } else { 1 }));
    }
    drop(holders);
    limit_open_files(pid, before);
    assert_eq!(get(address, "/healthz", "").text(), "ok\n");
    metered.scrape_until("all exchanges are counted", |samples| samples.exchanges() == (21, 20));
    drop(kept);
    peer.wait_for(21);
    let report = metered.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 21, "closed": 21, "exchanges": 41, "new": 21, "reused": 20 }));
}

/// Every file that the counters need was opened at the start, those with the skips of programs too.
#[test]
fn watch_that_ends_without_a_free_descriptor_is_complete() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {}", peer.port()));
    (0..5).for_each(|_| ask(&mut peer.connect()));
    peer.wait_for(5);
    limit_open_files(watch.tool.id(), 0);
    let report = watch.end();
    report.assert_totals(&json!({ "opened": 5, "closed": 5, "exchanges": 5 }));
    report.assert_complete();
}
