//! Healthy connections, and problems that the client does not cause, get no diagnosis.

use std::net::TcpStream;

use serde_json::json;

use super::{LIMIT, assert_not_diagnosed, group, watched};
use crate::{
    redis::Redis,
    support::{machine::Machine, python::python, sockets::ReservedPort, tool::Process},
};

/// Connections that a pool opens ahead of their use are no missed reuse.
#[test]
fn pool_with_health_checks_is_not_diagnosed() {
    const CONNECTIONS: u64 = 5;
    const CHECKS: u64 = 3;
    let machine = Machine::shared();
    let redis = Redis::start();
    let watch = machine.watch(format!("-p {}", redis.port));
    let mut pool = python("redis_pool.py");
    let (port, size, checks) = (redis.port.to_string(), CONNECTIONS.to_string(), CHECKS.to_string());
    let status = Process::start(pool.args([&port, &size, &checks, "0.5"])).wait(LIMIT);
    assert!(status.success(), "the pool ended with {status}");
    let truth = redis.truth();
    let commands = CONNECTIONS * (1 + CHECKS);
    assert_eq!((truth.connections, truth.commands), (CONNECTIONS, commands), "counts of Redis");
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": CONNECTIONS, "exchanges": commands, "new": CONNECTIONS }));
    assert_not_diagnosed(&report);
}

/// Without a listener, no connection could have been reused.
#[test]
fn refused_connects_are_not_diagnosed() {
    const CONNECTS: u64 = 10_000;
    let machine = Machine::shared();
    let closed = ReservedPort::new();
    let watch = machine.watch(format!("-p {}", closed.address.port()));
    for _ in 0..CONNECTS {
        TcpStream::connect(closed.address).expect_err("the connect should be refused");
    }
    let report = watch.end();
    report.assert_totals(&json!({
        "failed": CONNECTS, "opened": 0, "closed": 0, "unused": 0, "missed": 0, "exchanges": 0, "new": 0, "reuse_ratio": null,
    }));
    let group = group(&report);
    assert_eq!(group["failures"], json!({ "ECONNREFUSED": CONNECTS }), "{group:#}");
    assert_eq!((&group["why"], &group["closes"]), (&json!({}), &json!({})), "{group:#}");
    assert_not_diagnosed(&report);
}

/// The client leaves 10 of 300 answers unread.
#[test]
fn rarely_unread_answers_are_not_diagnosed() {
    let report = watched("-body 300000", (10, 300), |url| {
        let mut client = python("seldom_unread.py");
        client.arg(url);
        client
    });
    assert_eq!(group(&report)["closes"], json!({ "unread-response": 10 }), "closes of the group");
    assert_not_diagnosed(&report);
}
