//! DNS rebinding: on loopback, a request may not name a foreign host.

use crate::support::{
    machine::Machine,
    metrics::{MeteredWatch, ask},
};

/// The status of the answer to a request for /metrics with this target, version and header lines.
fn status(metered: &MeteredWatch, target: &str, version: &str, headers: &str) -> u16 {
    ask(metered.address, &format!("GET {target} HTTP/{version}\r\nconnection: close\r\n{headers}\r\n")).status()
}

#[test]
fn foreign_hosts_are_refused_on_loopback() {
    let machine = Machine::shared();
    let metered = MeteredWatch::start(&machine, "-p 1");
    for (target, version, headers, expected) in [
        ("/metrics", "1.1", "host: evil.example\r\n", 403),
        ("/metrics", "1.1", "HOST: EVIL.EXAMPLE:9716\r\n", 403),
        ("/healthz", "1.1", "host: localhost.evil.example\r\n", 403),
        ("/", "1.0", "host: evil.example.\r\n", 403),
        ("http://evil.example/metrics", "1.1", "host: localhost\r\n", 403),
        ("/metrics", "1.1", "host: localhost\r\nhost: evil.example\r\n", 400),
        ("/metrics", "1.1", "host: localhost:9716\r\n", 200),
        ("/metrics", "1.1", "host: LOCALHOST.\r\n", 200),
        ("/metrics", "1.1", "host: [::1]:9716\r\n", 200),
        ("/metrics", "1.1", "host: tcp_reuse_watch\r\n", 200),
        ("http://127.0.0.1/metrics", "1.1", "host: evil.example\r\n", 200),
        ("/metrics", "1.0", "", 200),
    ] {
        assert_eq!(status(&metered, target, version, headers), expected, "{target} {headers:?}");
    }
    let refused = ask(metered.address, "GET /metrics HTTP/1.1\r\nhost: evil.example\r\n\r\n");
    assert_eq!(refused.header("connection"), Some("close"));
    let text = refused.body();
    for words in ["\"evil.example\"", "DNS rebinding", "localhost", "--metrics-allow-remote"] {
        assert!(text.contains(words), "{words:?} is missing: {text}");
    }
    drop(metered.end());
}

#[test]
fn any_host_may_be_named_to_a_remote_exporter() {
    let machine = Machine::shared();
    let metered = MeteredWatch::start(&machine, "-p 1 --metrics-allow-remote");
    assert_eq!(status(&metered, "/metrics", "1.1", "host: web-1.example.org\r\n"), 200);
    drop(metered.end());
}
