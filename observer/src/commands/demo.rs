//! `tcp-reuse-watch demo`: watches a client and a server on loopback that reproduce the problem behind this tool.
//!
//! The client fetches a page ten times and closes each response with its body unread, which takes ten connections. Then
//! it reads each body to its end, which takes one connection. The watch must agree with the server's own counts.

mod client;
mod server;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use comfy_table::{CellAlignment, Table, presets};

use crate::{
    helper::Runtimes,
    host::{confinement::Purpose, event_loop::event_loop, open_files},
    kernel::WatchConfig,
    session::Session,
};
use client::Body;
use observer_core::{group::Counts, model::WatchInfo, tracker::Snapshot};
use server::Server;

/// Fetches in each half.
const FETCHES: u64 = 10;

/// Timeout for one fetch. It keeps the whole demo below ten seconds.
const FETCH_TIMEOUT: Duration = Duration::from_millis(400);

/// Half of the demo: one way of fetching, with its own server.
struct Half {
    title: &'static str,
    body: Body,
    server: Server,
    expected_new: u64,
}

impl Half {
    fn new(title: &'static str, body: Body, expected_new: u64) -> anyhow::Result<Self> {
        let server = Server::listen().context("cannot listen on loopback")?;
        Ok(Self { title, body, server, expected_new })
    }

    fn counts(&self, snapshot: &Snapshot) -> Counts {
        let mut counts = Counts::default();
        for group in &snapshot.groups {
            if group.name.as_ref().is_some_and(|name| name.port == self.server.port()) {
                counts += group.counts;
            }
        }
        counts
    }

    /// Compares the watched counts with those of the server, and with the expected ones.
    fn check(&self, watched: &Counts) -> anyhow::Result<()> {
        let served = self.server.counted();
        ensure!(
            (served.connections, served.requests) == (self.expected_new, FETCHES),
            "{}: the server counted {} requests on {} connections, not {FETCHES} on {}",
            self.title,
            served.requests,
            served.connections,
            self.expected_new
        );
        ensure!(
            (watched.opened, watched.new, watched.exchanges())
                == (served.connections, served.connections, served.requests),
            "{}: watched {} new and {} reused on {} connections, but the server counted {} requests on {}",
            self.title,
            watched.new,
            watched.reused,
            watched.opened,
            served.requests,
            served.connections
        );
        Ok(())
    }
}

pub(crate) fn run() -> anyhow::Result<()> {
    open_files::check()?;
    let halves = [
        Half::new("body left unread", Body::LeftUnread, FETCHES)?,
        Half::new("body read to its end", Body::ReadToItsEnd, 1)?,
    ];
    let runtime = event_loop()?;
    let _entered = runtime.enter();
    let mut session = Session::start(
        &watch_config(&halves),
        Purpose::Demonstrating,
        WatchInfo::default(),
        None,
        None,
        Runtimes::default(),
    )?;
    for half in &halves {
        half.server.start(FETCH_TIMEOUT).context("cannot serve on loopback")?;
    }
    let watched_by = format!("Linux {} by {}", session.about.kernel, session.about.hooks.join(" and "));
    for half in &halves {
        client::fetch(half.server.address(), half.body, FETCHES, FETCH_TIMEOUT)
            .with_context(|| format!("the demo's client failed ({})", half.title))?;
    }
    let (snapshot, sampled) = session.end(None);
    sampled?;
    let counts = [halves[0].counts(&snapshot), halves[1].counts(&snapshot)];
    println!("Ten fetches of a page, twice over, watched on {watched_by}:\n");
    println!("{}\n", table(&halves, &counts));
    for (half, counts) in halves.iter().zip(&counts) {
        half.check(counts)?;
    }
    println!(
        "A response that is closed before its body is read takes its connection with it:\n\
         each fetch had to open a new one. Reading the body to its end gave the connection\n\
         back, and nine of ten fetches reused it."
    );
    Ok(())
}

/// Watches only connections of this process to the two servers of the demo.
fn watch_config(halves: &[Half]) -> WatchConfig {
    WatchConfig {
        ports: halves.iter().map(|half| (half.server.port(), half.server.port())).collect(),
        pids: vec![std::process::id()],
        ..WatchConfig::default()
    }
}

fn table(halves: &[Half], counts: &[Counts]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header([""].into_iter().chain(halves.iter().map(|half| half.title)));
    let mut add = |title: &str, value: fn(&Counts) -> String| {
        table.add_row([title.to_string()].into_iter().chain(counts.iter().map(value)));
    };
    add("fetches", |counts| counts.exchanges().to_string());
    add("connections opened", |counts| counts.opened.to_string());
    add("fetches on a new connection", |counts| counts.new.to_string());
    add("fetches on a reused one", |counts| counts.reused.to_string());
    add("reuse ratio", |counts| counts.reuse_ratio().map_or("–".into(), |ratio| format!("{:.0} %", ratio * 100.0)));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
        column.set_padding((3, 0));
    }
    table.trim_fmt()
}
