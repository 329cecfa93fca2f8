//! nginx as a server, whose log tells the connection of each request, and as a client of its upstream.

use std::{collections::HashMap, fs, process::Command};

use serde_json::json;

use crate::support::{
    bench::ab,
    certificate,
    go::Server,
    machine::Machine,
    programs::{output_of, program},
    proxy::{Expected, assert_proxied},
    report::{Report, assert_fields},
    service::{self, Service},
    sockets::ReservedPort,
};

/// A single process, so stopping it stops everything. The log is not buffered.
const COMMON: &str = "
    daemon off; master_process off; pid nginx.pid; error_log errors info;
    events {}
";
const HTTP: &str = "
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    log_format truth '$connection $connection_requests $status'; access_log requests truth;
";

pub(crate) fn start(http: &str, port: ReservedPort) -> Service {
    let folder = service::folder();
    certificate::make(folder.path());
    fs::write(folder.path().join("nginx.conf"), format!("{COMMON} http {{ {HTTP} {http} }}"))
        .expect("cannot write the file");
    let mut nginx = program("nginx", "nginx");
    nginx.args(["-e", "errors", "-c", "nginx.conf", "-p"]).arg(folder.path());
    Service::start(&mut nginx, folder, [port])
}

/// Watches `clients` of nginx, and asserts that the tool and nginx's log agree on every connection.
fn assert_served(scheme: &str, clients: impl FnOnce(&str)) -> Report {
    let machine = Machine::shared();
    let port = ReservedPort::new();
    let address = port.address;
    let tls = if scheme == "https" { "ssl; ssl_certificate certificate.pem; ssl_certificate_key key.pem" } else { "" };
    let nginx = start(&format!("server {{ listen {address} {tls}; location / {{ return 200 hello; }} }}"), port);
    let watch = machine.watch(format!("-p {}", address.port()));
    clients(&format!("{scheme}://{address}/"));
    nginx.wait_for_closes(address.port());
    let unused = unused(&nginx.read("errors"));
    let log = nginx.stop_and_read("requests");
    let report = watch.end();
    assert_matches_log(&report, &log, unused);
    for close in report.of_type("close") {
        let protocol = match (close["sent_bytes"].as_u64(), scheme) {
            (Some(0), _) => "unknown",
            (_, "https") => "tls",
            _ => "plain",
        };
        assert_fields(close, &json!({ "protocol": protocol, "exact": true }));
    }
    report
}

/// Connections without a request: ab opens some of them shortly before it ends.
fn unused(errors: &str) -> u64 {
    let unused = ["while waiting for request", "while SSL handshaking"];
    errors.lines().filter(|line| unused.iter().any(|reason| line.contains(reason))).count() as u64
}

pub(crate) fn assert_matches_log(report: &Report, log: &str, unused: u64) {
    let mut requests: HashMap<&str, u64> = HashMap::new();
    for line in log.lines() {
        let [connection, n, status] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("unexpected log line: {line}")
        };
        let seen = requests.entry(connection).or_default();
        *seen += 1;
        assert_eq!((n, status), (seen.to_string().as_str(), "200"), "{line}");
    }
    let (connections, exchanges) = (requests.len() as u64, requests.values().sum::<u64>());
    report.assert_complete();
    let opened = connections + unused;
    report.assert_totals(&json!({ "opened": opened, "closed": opened, "failed": 0, "unused": unused }));
    report.assert_totals(&json!({ "exchanges": exchanges, "new": connections, "reused": exchanges - connections }));
    let mut logged: Vec<u64> = requests.into_values().chain((0..unused).map(|_| 0)).collect();
    let mut counted: Vec<u64> = report.of_type("close").iter().map(|row| row["exchanges"].as_u64().unwrap()).collect();
    logged.sort_unstable();
    counted.sort_unstable();
    assert_eq!(counted, logged, "requests of each connection");
}

pub(crate) fn curl(url: &str, addresses: usize) {
    let mut curl: Command = program("curl", "curl");
    curl.args(["--silent", "--show-error", "--insecure", "--http1.1", "--noproxy", "*"]);
    for n in 0..addresses {
        curl.args(["--output", "/dev/null"]).arg(format!("{url}{n}"));
    }
    output_of(&mut curl);
}

#[test]
fn curl_connections_match_nginxs_log() {
    for scheme in ["http", "https"] {
        let report = assert_served(scheme, |url| {
            curl(url, 7);
            (0..3).for_each(|_| curl(url, 1));
        });
        report.assert_totals(&json!({ "opened": 4, "exchanges": 10 }));
    }
}

#[test]
fn kept_connections_of_ab_match_nginxs_log() {
    for scheme in ["http", "https"] {
        let report = assert_served(scheme, |url| assert_eq!(ab(url, "-k -n 300 -c 8").kept_alive, 300));
        report.assert_totals(&json!({ "exchanges": 300 }));
    }
}

#[test]
fn single_request_connections_of_ab_match_nginxs_log() {
    for scheme in ["http", "https"] {
        let report = assert_served(scheme, |url| assert_eq!(ab(url, "-n 300 -c 8").requests, 300));
        report.assert_totals(&json!({ "exchanges": 300, "new": 300 }));
    }
}

/// nginx between ab and the Go server.
fn assert_forwarded(keepalive: &str, tls: Option<&str>, expected: Expected) {
    let upstream = Server::start(&tls.map(|version| format!("-tls {version}")).unwrap_or_default());
    let (scheme, address) = (if tls.is_some() { "https" } else { "http" }, upstream.address());
    let protocol = if tls.is_some() { "tls" } else { "plain" };
    let report = assert_proxied("nginx", upstream, protocol, expected, |port| {
        let front = port.address;
        start(
            &format!(
                "upstream behind {{ server {address}; {keepalive} }}
                 server {{
                     listen {front};
                     location / {{
                         proxy_pass {scheme}://behind; proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_http_version 1.1; proxy_set_header Connection '';
                     }}
                 }}"
            ),
            port,
        )
    });
    report.assert_complete();
}

#[test]
fn nginx_reuses_upstream_connections_with_keepalive() {
    assert_forwarded("keepalive 8;", None, Expected::Fewer);
    assert_forwarded("keepalive 8;", Some("1.2"), Expected::Fewer);
    assert_forwarded("keepalive 8;", Some("1.3"), Expected::Fewer);
}

#[test]
fn nginx_opens_an_upstream_connection_per_request_by_default() {
    assert_forwarded("", None, Expected::OneEach);
    assert_forwarded("", Some("1.2"), Expected::OneEach);
    assert_forwarded("", Some("1.3"), Expected::OneEach);
}
