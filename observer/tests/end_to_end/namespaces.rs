//! Network namespaces, as containers use them: the watch sees their connections, with the addresses of the namespace.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{
    dialogue::Dialogue,
    go::Server,
    hosts::Hosts,
    machine::Machine,
    programs::{output_of, program},
    python::python,
    report::{Report, assert_fields},
};

fn curl(url: &str) -> Command {
    let mut curl = program("curl", "curl");
    curl.args(["--silent", "--show-error", "--insecure", "--http1.1", "--noproxy", "*"]);
    for n in 0..3 {
        curl.args(["--output", "/dev/null"]).arg(format!("{url}/{n}"));
    }
    curl
}

/// Makes three requests from one host to the other. The watch runs in neither namespace.
fn three(hosts: &Hosts, scheme: &str, server: &str, near: &str, far: &str) -> Report {
    let machine = Machine::shared();
    let server = Server::start_on(&hosts.far, &format!("-address {far}:0 {server}"));
    let port = server.port;
    let watch = machine.watch(format!("-p {port}"));
    output_of(&mut hosts.near.run(&curl(&format!("{scheme}://{far}:{port}"))));
    let truth = server.truth();
    assert_eq!((truth.connections, truth.requests), (1, 3), "counts of the server");
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 1, "closed": 1, "exchanges": 3, "new": 1, "reused": 2, "failed": 0 }));
    let close = report.only("close");
    assert_fields(close, &json!({ "process": "curl", "remote": format!("{far}:{port}"), "exact": true }));
    assert!(close["local"].as_str().is_some_and(|local| local.starts_with(&format!("{near}:"))), "{close:#}");
    report
}

#[test]
fn connection_between_namespaces_is_watched() {
    let hosts = Hosts::new();
    let (near, far) = (&hosts.near, &hosts.far);
    let report = three(&hosts, "http", "", near.ipv4, far.ipv4);
    assert_fields(report.only("close"), &json!({ "protocol": "plain" }));
    let report = three(&hosts, "https", "-tls 1.3", near.ipv4, far.ipv4);
    assert_fields(report.only("close"), &json!({ "protocol": "tls" }));
}

#[test]
fn connection_between_namespaces_over_ipv6_is_watched() {
    let hosts = Hosts::new();
    let in_brackets = |address| format!("[{address}]");
    three(&hosts, "http", "", &in_brackets(hosts.near.ipv6), &in_brackets(hosts.far.ipv6));
}

/// Both namespaces use the same loopback addresses and ports at the same time.
#[test]
fn equal_addresses_in_two_namespaces_are_separate_connections() {
    const LOCAL_PORT: &str = "40123";
    let machine = Machine::shared();
    let hosts = Hosts::new();
    let near = Server::start_on(&hosts.near, "-address 127.0.0.1:0");
    let port = near.port;
    let far = Server::start_on(&hosts.far, &format!("-address 127.0.0.1:{port}"));
    let watch = machine.watch(format!("-p {port}"));
    let mut clients = [&hosts.near, &hosts.far]
        .map(|host| Dialogue::start(&mut host.run(python("http_client.py").args([&port.to_string(), LOCAL_PORT]))));
    let mut pids = [0, 0];
    // The second client sends one more request.
    for which in [0, 1, 0, 1, 1] {
        clients[which].send_line("ask");
        pids[which] = clients[which].next_line().parse().expect("the client prints its pid");
    }
    clients.iter_mut().for_each(Dialogue::end);
    let truths = [near.truth(), far.truth()].map(|truth| (truth.connections, truth.requests));
    assert_eq!(truths, [(1, 2), (1, 3)], "counts of the servers");
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 2, "closed": 2, "exchanges": 5, "new": 2, "reused": 3 }));
    for (pid, exchanges) in pids.into_iter().zip([2, 3]) {
        let closes: Vec<&Value> = report.of_type("close").into_iter().filter(|close| close["pid"] == pid).collect();
        let [close] = closes.as_slice() else { panic!("expected one connection of each client: {report:#?}") };
        assert_fields(close, &json!({ "exchanges": exchanges, "exact": true, "protocol": "plain" }));
        assert_fields(close, &json!({ "local": format!("127.0.0.1:{LOCAL_PORT}") }));
        assert_fields(close, &json!({ "remote": format!("127.0.0.1:{port}") }));
    }
}
