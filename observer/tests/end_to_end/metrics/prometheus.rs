//! A real Prometheus scrapes a watch in both formats under real traffic, and its answers match the server's counts.

use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::json;

use crate::support::{
    eventually,
    go::{self, Server},
    http::read_head,
    machine::Machine,
    metrics::{FLEET_MANUAL, MeteredWatch, Samples, code_block, get},
    peer::{Peer, connect},
    programs::output_of,
    prometheus::Prometheus,
    sockets::ReservedPort,
    tool::Process,
};

/// Series that must never decrease.
const GROW: [&str; 16] = [
    "tcp_reuse_exchanges_total",
    "tcp_reuse_inexact_exchanges_total",
    "tcp_reuse_connections_opened_total",
    "tcp_reuse_connections_closed_total",
    "tcp_reuse_connections_failed_total",
    "tcp_reuse_exchanges_per_connection_bucket",
    "tcp_reuse_exchanges_per_connection_sum",
    "tcp_reuse_exchanges_per_connection_count",
    "tcp_reuse_connection_lifetime_seconds_bucket",
    "tcp_reuse_connection_lifetime_seconds_sum",
    "tcp_reuse_connection_lifetime_seconds_count",
    "tcp_reuse_host_exchanges_total",
    "tcp_reuse_host_connections_opened_total",
    "tcp_reuse_watch_events_lost_total",
    "tcp_reuse_watch_connections_untracked_total",
    "tcp_reuse_watch_hook_skips_total",
];

/// Forwards scrapes without an Accept header, which gets the older format.
fn in_the_older_format(address: SocketAddr) -> Peer {
    Peer::new(move |mut stream| {
        while read_head(&mut stream).is_some() {
            let text = get(address, "/metrics", "").text();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}", text.len());
            // Prometheus may have closed the connection.
            if std::io::Write::write_all(&mut stream, format!("{head}\r\n\r\n{text}").as_bytes()).is_err() {
                return;
            }
        }
    })
}

/// Each round has one refused connect and one connection without a request.
const ROUNDS: u64 = 4;

/// Runs short-lived and long-lived processes that use new and reused connections. Scrapes in between must only grow.
fn traffic(server: &Server, refused: SocketAddr, metered: &MeteredWatch, url: &str) {
    let mut stays = Process::start(&mut go::client(&format!("-url {url} -read -times 5 -kept 1 -stay 4s")));
    let mut before = Samples::default();
    for round in 0..ROUNDS {
        TcpStream::connect(refused).expect_err("the connect should be refused");
        drop(connect(server.address()));
        output_of(&mut go::client(&format!("-url {url} {}", if round % 2 == 0 { "-read" } else { "" })));
        output_of(&mut go::client(&format!("-url {url} -times 50 -read")));
        std::thread::sleep(Duration::from_millis(700));
        let now = metered.scrape();
        now.assert_not_decreased_since(&before);
        before = now;
    }
    assert!(stays.wait(Duration::from_mins(2)).success(), "the client of port {} has failed", server.port);
}

#[test]
fn prometheus_reports_the_servers_counts() {
    let machine = Machine::shared();
    let server = Server::start("-body 100000");
    let closed = ReservedPort::new();
    let metered = MeteredWatch::start(&machine, &format!("-p {},{}", server.port, closed.address.port()));
    let older = in_the_older_format(metered.address);
    let prometheus = Prometheus::start(&[("openmetrics", metered.address), ("older", older.address)], &[]);
    let url = format!("http://{}", server.address());
    traffic(&server, closed.address, &metered, &url);
    let port = server.port;
    let truth = server.truth();
    assert_eq!(truth.closed, truth.connections);
    let new = truth.connections - ROUNDS;
    let reused = truth.requests - new;
    assert!(new > 20 && reused > 20, "{truth:?}");

    let both = |value: u64| ["older", "openmetrics"].map(|job| (job.to_owned(), value as f64));
    let is = |query: &str, value: u64| {
        let mut last = Vec::new();
        eventually(&format!("{value} by {query}: {truth:?}"), || {
            let now = prometheus.query(query, "job");
            if now != last {
                println!("{query}: {now:?}");
                last.clone_from(&now);
            }
            last == both(value)
        });
    };
    for name in ["tcp_reuse_exchanges_total", "tcp_reuse_host_exchanges_total"] {
        is(&format!("sum by (job) ({name}{{connection=\"new\"}})"), new);
        is(&format!("sum by (job) ({name}{{connection=\"reused\"}})"), reused);
    }
    let labels = format!("process=\"{}\",destination=\"127.0.0.1\",port=\"{port}\"", go::CLIENT);
    is(&format!("sum by (job) (tcp_reuse_exchanges_total{{{labels}}})"), truth.requests);
    is(&format!("sum by (job) (tcp_reuse_connections_opened_total{{{labels}}})"), new);
    is(&format!("sum by (job) (tcp_reuse_connections_closed_total{{{labels}}})"), new);
    is("tcp_reuse_host_connections_opened_total", truth.connections);
    for (name, value) in [
        ("tcp_reuse_connections_opened_total", truth.connections),
        ("tcp_reuse_connections_closed_total", truth.closed),
        ("tcp_reuse_connections_closed_total{cause=\"unused\"}", ROUNDS),
        ("tcp_reuse_connections_failed_total", ROUNDS),
        ("tcp_reuse_connections_failed_total{error=\"ECONNREFUSED\"}", ROUNDS),
        ("tcp_reuse_connections_open", 0),
        ("tcp_reuse_exchanges_per_connection_count", new),
        ("tcp_reuse_exchanges_per_connection_sum", truth.requests),
        ("tcp_reuse_connection_lifetime_seconds_count", truth.connections),
        ("tcp_reuse_connection_lifetime_seconds_bucket{le=\"3600.0\"}", truth.connections),
    ] {
        is(&format!("sum by (job) ({name})"), value);
    }

    // By Prometheus's own account, nothing decreased, no scrape was missed, and both formats have the same series.
    for name in GROW {
        is(&format!("sum by (job) (resets({name}[5m]))"), 0);
        let same = format!("count({name}{{job=\"older\"}} == ignoring(job, instance) {name}{{job=\"openmetrics\"}})");
        assert_eq!(prometheus.query(&same, ""), prometheus.query(&format!("count({name}) / 2"), ""), "{name}");
    }
    is("min_over_time(up[5m])", 1);
    is("count_over_time(tcp_reuse_watch_info[5m]) >= bool 5", 1);

    assert!(prometheus.has_family("tcp_reuse_exchanges") && prometheus.has_family("tcp_reuse_exchanges_total"));
    assert!(!prometheus.has_family("tcp_reuse"));

    // Queries of the manual.
    for query in code_block(FLEET_MANUAL, "promql").lines() {
        assert!(!prometheus.query(query, "").is_empty(), "{query} returns nothing");
    }

    let report = metered.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": truth.connections, "new": new, "reused": reused }));
    report.assert_totals(&json!({ "unused": ROUNDS, "failed": ROUNDS }));
}
