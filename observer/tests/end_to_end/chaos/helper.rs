//! The helper process is killed in mid-watch.

use std::fs;

use rustix::process::Signal;
use serde_json::json;
use tempfile::tempdir;

use crate::support::{
    eventually,
    helper::{Helper, children_of, runtimes_in},
    machine::Machine,
    peer::{Peer, ask},
    report::assert_fields,
};

#[test]
fn killed_helper_costs_runtimes_but_no_counts() {
    let machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let [log, recording] = ["log", "recording"].map(|name| folder.path().join(name));
    let peer = Peer::echo();
    let options = format!("-p {} -v --log-file {} --record {}", peer.port(), log.display(), recording.display());
    let watch = machine.watch(options);
    let mut kept = peer.connect();
    ask(&mut kept);
    eventually("the helper has answered", || !runtimes_in(&log, std::process::id()).is_empty());
    let helper = Helper::of(watch.tool.id());
    helper.signal(Signal::KILL);
    ask(&mut kept);
    eventually("the death is logged", || fs::read_to_string(&log).is_ok_and(|log| log.contains("the helper has died")));
    for _ in 0..3 {
        ask(&mut peer.connect());
    }
    drop(kept);
    peer.wait_for(4);
    assert!(children_of(watch.tool.id()).is_empty(), "the helper is left as a zombie");
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 4, "closed": 4, "exchanges": 5, "new": 4, "reused": 1 }));
    let notice = report.only("notice");
    let message = "the helper has died: the runtimes of further processes stay unknown";
    assert_fields(notice, &json!({ "kind": "runtimes", "message": message }));
    // What it has found out stays known.
    assert!(fs::read_to_string(&recording).unwrap().contains(r#""runtime":"Rust"#));
}
