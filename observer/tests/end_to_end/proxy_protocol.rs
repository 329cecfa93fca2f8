//! The PROXY protocol: HAProxy sends a header with the client's address first. The header is no exchange, and the
//! protocol after it is recognised as if it came first. nginx accepts the header, and its log tells the requests.

use crate::{
    haproxy, nginx,
    support::{machine::Machine, report::assert_fields, sockets::ReservedPort},
};

use serde_json::json;

/// Makes five requests through HAProxy, which uses one connection to nginx.
fn five(header: &str, is_tls: bool) {
    const TLS: &str = "ssl; ssl_certificate certificate.pem; ssl_certificate_key key.pem;";
    let machine = Machine::shared();
    let (front, back) = (ReservedPort::new(), ReservedPort::new());
    let (front_address, address) = (front.address, back.address);
    let (listen, connect, protocol) = if is_tls { (TLS, "ssl verify none", "tls") } else { (";", "", "plain") };
    let server = format!("server {{ listen {address} proxy_protocol {listen} location / {{ return 200 hello; }} }}");
    let nginx = nginx::start(&server, back);
    let watch = machine.watch(format!("-p {}", address.port()));
    let haproxy = haproxy::start("http-reuse always", &format!("{connect} {header}"), address, front);
    nginx::curl(&format!("http://{front_address}/"), 5);
    drop(haproxy);
    nginx.wait_for_closes(address.port());
    let log = nginx.stop_and_read("requests");
    let report = watch.end();
    nginx::assert_matches_log(&report, &log, 0);
    report.assert_totals(&json!({ "opened": 1, "exchanges": 5 }));
    let application = if is_tls { None } else { Some("http1") };
    let close = report.only("close");
    assert_fields(close, &json!({ "protocol": protocol, "application": application, "exact": true }));
    assert_fields(close, &json!({ "process": "haproxy" }));
}

#[test]
fn text_proxy_header_is_no_exchange() {
    five("send-proxy", false);
    five("send-proxy", true);
}

#[test]
fn binary_proxy_header_is_no_exchange() {
    five("send-proxy-v2", false);
    five("send-proxy-v2", true);
}
