//! Connections between a client and a peer within the test. The peer counts what it was asked, in its own terms: that
//! is what the tool has to have counted.

use std::{
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use serde_json::json;

use super::{
    machine::Machine,
    peer::Peer,
    report::{Report, assert_fields},
};

pub(crate) struct Conversation {
    pub(crate) report: Report,
    /// What the peer says that it was asked.
    pub(crate) asked: u64,
}

/// One connection of `client` to a peer that does `talk`, which gives how often it was asked. Watched until both have
/// closed it.
pub(crate) fn one(
    talk: impl Fn(TcpStream) -> u64 + Send + Sync + 'static,
    client: impl FnOnce(TcpStream),
) -> Conversation {
    some(&Machine::shared(), 1, talk, |peer| client(peer.connect()))
}

/// So many connections, which the client makes in its own way.
pub(crate) fn some(
    machine: &Machine,
    connections: u64,
    talk: impl Fn(TcpStream) -> u64 + Send + Sync + 'static,
    client: impl FnOnce(&Peer),
) -> Conversation {
    let asked = Arc::<AtomicU64>::default();
    let count = Arc::clone(&asked);
    let peer = Peer::new(move |stream| {
        count.fetch_add(talk(stream), SeqCst);
    });
    let watch = machine.watch(format!("-p {} --exchanges", peer.port()));
    client(&peer);
    peer.wait_for(connections);
    let report = watch.end();
    report.assert_totals(&json!({ "opened": connections, "closed": connections, "failed": 0 }));
    report.assert_totals(&json!({ "untracked": 0, "events_lost": 0 }));
    Conversation { report, asked: asked.load(SeqCst) }
}

impl Conversation {
    /// As many exchanges as the peer was asked, which are so many, and no doubt about it.
    #[track_caller]
    pub(crate) fn assert_exact(&self, asked: u64, protocol: &str) {
        assert_eq!(self.asked, asked, "what the peer was asked");
        assert_eq!(self.exchanges(), asked, "exchanges that were counted");
        let closes = self.report.of_type("close");
        for close in &closes {
            assert_fields(close, &json!({ "exact": true, "protocol": protocol }));
        }
        let used = closes.iter().filter(|close| close["exchanges"] != 0).count();
        self.report.assert_totals(&json!({ "exchanges": asked, "new": used, "unused": closes.len() - used }));
        self.report.assert_complete();
    }

    /// Where it cannot be known how often the peer was asked, this is said: in the rows, and in what adds them up.
    #[track_caller]
    pub(crate) fn assert_marked(&self) {
        for close in self.report.of_type("close") {
            assert_fields(close, &json!({ "exact": false }));
        }
        let exchanges = self.exchanges();
        self.report.assert_totals(&json!({ "exchanges": exchanges, "inexact": exchanges }));
        assert!(exchanges == 0 || self.report.summary["exact"] == false, "{:#}", self.report.summary);
    }

    /// Nobody knows what is spoken: so many turns, as the peer counts them too, and the doubt is said.
    #[track_caller]
    pub(crate) fn assert_turns(&self, turns: u64) {
        assert_eq!((self.asked, self.exchanges()), (turns, turns), "turns of the peer, and counted");
        self.assert_marked();
        for row in self.report.rows.iter().filter(|row| row["type"] == "close" || row["type"] == "exchange") {
            assert_fields(row, &json!({ "application": null }));
        }
        for group in self.report.groups() {
            assert_fields(group, &json!({ "application": null, "inexact": turns }));
        }
        for close in self.report.of_type("close") {
            assert_fields(close, &json!({ "protocol": "plain" }));
        }
    }

    /// What the rows add up to.
    #[track_caller]
    pub(crate) fn exchanges(&self) -> u64 {
        let closes = self.report.of_type("close");
        closes.iter().map(|close| close["exchanges"].as_u64().expect("a number of exchanges")).sum()
    }
}
