//! nginx as the server, whose log says which connection each request came on, and as the client of what is behind it.

use std::{collections::HashMap, fs, process::Command};

use serde_json::json;

use crate::support::{
    bench::ab,
    certificate,
    go::Server,
    machine::Machine,
    programs::{output_of, program},
    proxy::{Expected, proxied},
    report::{Report, assert_fields},
    service::{self, Service},
    sockets::Closed,
};

/// One process, so that ending it ends all. The log is written request by request.
const COMMON: &str = "
    daemon off; master_process off; pid nginx.pid; error_log errors info;
    events {}
";
const HTTP: &str = "
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    log_format truth '$connection $connection_requests $status'; access_log requests truth;
";

pub(crate) fn start(http: &str, port: Closed) -> Service {
    let folder = service::folder();
    certificate::make(folder.path());
    fs::write(folder.path().join("nginx.conf"), format!("{COMMON} http {{ {HTTP} {http} }}"))
        .expect("it can be written");
    let mut nginx = program("nginx", "nginx");
    nginx.args(["-e", "errors", "-c", "nginx.conf", "-p"]).arg(folder.path());
    Service::start(&mut nginx, folder, [port])
}

/// nginx as the server, watched while `clients` ask it: the tool says of each connection what the log says of it.
fn served(scheme: &str, clients: impl FnOnce(&str)) -> Report {
    let machine = Machine::shared();
    let port = Closed::new();
    let address = port.address;
    let tls = if scheme == "https" { "ssl; ssl_certificate certificate.pem; ssl_certificate_key key.pem" } else { "" };
    let nginx = start(&format!("server {{ listen {address} {tls}; location / {{ return 200 hello; }} }}"), port);
    let watch = machine.watch(format!("-p {}", address.port()));
    clients(&format!("{scheme}://{address}/"));
    nginx.wait_for_closes(address.port());
    let unused = unused(&nginx.read("errors"));
    let log = nginx.end_and_read("requests");
    let report = watch.end();
    assert_is_logged(&report, &log, unused);
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

/// Connections that came without a request: ab makes some when it is about to end.
fn unused(errors: &str) -> u64 {
    let unused = ["while waiting for request", "while SSL handshaking"];
    errors.lines().filter(|line| unused.iter().any(|reason| line.contains(reason))).count() as u64
}

pub(crate) fn assert_is_logged(report: &Report, log: &str, unused: u64) {
    let mut requests: HashMap<&str, u64> = HashMap::new();
    for line in log.lines() {
        let [connection, n, status] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("a line of the log: {line}")
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
fn curl_asks_it() {
    for scheme in ["http", "https"] {
        let report = served(scheme, |url| {
            curl(url, 7);
            (0..3).for_each(|_| curl(url, 1));
        });
        report.assert_totals(&json!({ "opened": 4, "exchanges": 10 }));
    }
}

#[test]
fn ab_keeps_its_connections_to_it() {
    for scheme in ["http", "https"] {
        let report = served(scheme, |url| assert_eq!(ab(url, "-k -n 300 -c 8").kept_alive, 300));
        report.assert_totals(&json!({ "exchanges": 300 }));
    }
}

#[test]
fn ab_connects_to_it_for_each_request() {
    for scheme in ["http", "https"] {
        let report = served(scheme, |url| assert_eq!(ab(url, "-n 300 -c 8").requests, 300));
        report.assert_totals(&json!({ "exchanges": 300, "new": 300 }));
    }
}

/// nginx between ab and the Go server.
fn forwarded(keepalive: &str, tls: Option<&str>, expected: Expected) {
    let upstream = Server::start(&tls.map(|version| format!("-tls {version}")).unwrap_or_default());
    let (scheme, address) = (if tls.is_some() { "https" } else { "http" }, upstream.address());
    let protocol = if tls.is_some() { "tls" } else { "plain" };
    let report = proxied("nginx", upstream, protocol, expected, |port| {
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
fn it_keeps_connections_to_its_upstream_when_told_to() {
    forwarded("keepalive 8;", None, Expected::Fewer);
    forwarded("keepalive 8;", Some("1.2"), Expected::Fewer);
    forwarded("keepalive 8;", Some("1.3"), Expected::Fewer);
}

#[test]
fn it_connects_to_its_upstream_for_each_request_by_itself() {
    forwarded("", None, Expected::OneEach);
    forwarded("", Some("1.2"), Expected::OneEach);
    forwarded("", Some("1.3"), Expected::OneEach);
}
