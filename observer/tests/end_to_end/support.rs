//! Test support: the tool under test, the machine that it runs on, and the peers and programs that count independently.

pub(crate) mod bench;
pub(crate) mod busy;
pub(crate) mod certificate;
pub(crate) mod clients;
pub(crate) mod contract;
pub(crate) mod conversation;
pub(crate) mod counters;
pub(crate) mod dashboard;
pub(crate) mod dialogue;
pub(crate) mod foreign_sock_ops;
pub(crate) mod fuse;
pub(crate) mod go;
pub(crate) mod helper;
pub(crate) mod hosts;
pub(crate) mod http;
pub(crate) mod kernel;
pub(crate) mod machine;
pub(crate) mod metrics;
pub(crate) mod nobody;
pub(crate) mod peer;
pub(crate) mod programs;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod python;
pub(crate) mod report;
pub(crate) mod service;
pub(crate) mod socket_table;
pub(crate) mod sockets;
pub(crate) mod tool;
pub(crate) mod upload;
pub(crate) mod watch;

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// A hang is told by this. It is long, because a busy machine is no failure.
const LIMIT: Duration = Duration::from_mins(2);

/// Polls `ready` until it is so.
pub(crate) fn eventually(what: &str, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !ready() {
        assert!(Instant::now() < end, "timed out after {LIMIT:?}: {what}");
        sleep(Duration::from_millis(5));
    }
}
