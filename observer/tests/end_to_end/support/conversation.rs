//! Connections between a client and a peer, both inside the test. The peer counts the exchanges in its own terms, and
//! the tool's count has to match.

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
    /// Exchanges that the peer counted.
    pub(crate) asked: u64,
}

/// Watches one connection of `client` to a peer that runs `talk`, until both sides have closed it. `talk` returns the
/// number of exchanges.
pub(crate) fn converse_once(
    talk: impl Fn(TcpStream) -> u64 + Send + Sync + 'static,
    client: impl FnOnce(TcpStream),
) -> Conversation {
    converse(&Machine::shared(), 1, talk, |peer| client(peer.connect()))
}

/// Watches this many connections, which the client opens as it likes.
pub(crate) fn converse(
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
    /// Asserts that the tool and the peer both counted `asked` exchanges, and that the count is exact.
    #[track_caller]
    pub(crate) fn assert_exact(&self, asked: u64, protocol: &str) {
        assert_eq!(self.asked, asked, "exchanges that the peer counted");
        assert_eq!(self.exchanges(), asked, "exchanges that the tool counted");
        let closes = self.report.of_type("close");
        for close in &closes {
            assert_fields(close, &json!({ "exact": true, "protocol": protocol }));
        }
        let used = closes.iter().filter(|close| close["exchanges"] != 0).count();
        self.report.assert_totals(&json!({ "exchanges": asked, "new": used, "unused": closes.len() - used }));
        self.report.assert_complete();
    }

    /// Asserts that the count is marked as inexact, both in the rows and in the totals.
    #[track_caller]
    pub(crate) fn assert_marked(&self) {
        for close in self.report.of_type("close") {
            assert_fields(close, &json!({ "exact": false }));
        }
        let exchanges = self.exchanges();
        self.report.assert_totals(&json!({ "exchanges": exchanges, "inexact": exchanges }));
        assert!(exchanges == 0 || self.report.summary["exact"] == false, "{:#}", self.report.summary);
    }

    /// Asserts that the protocol is unrecognised, that the tool and the peer counted this many turns, and that the
    /// count is marked.
    #[track_caller]
    pub(crate) fn assert_turns(&self, turns: u64) {
        assert_eq!((self.asked, self.exchanges()), (turns, turns), "turns counted by the peer and by the tool");
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

    /// The sum of the close rows.
    #[track_caller]
    pub(crate) fn exchanges(&self) -> u64 {
        let closes = self.report.of_type("close");
        closes.iter().map(|close| close["exchanges"].as_u64().expect("a number of exchanges")).sum()
    }
}
