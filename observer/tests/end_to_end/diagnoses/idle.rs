//! Idle timeouts of clients that notice them only at the next request, and closes of idle connections that are no
//! timeout.

use std::fs;

use serde_json::json;

use super::{assert_diagnosed, assert_not_diagnosed, value, watch_client};
use crate::support::{
    programs::program,
    python::python,
    service::{self, Service},
    sockets::ReservedPort,
};

#[test]
fn idle_timeout_noticed_at_the_next_request_is_diagnosed() {
    for runs_ruby in [true, false] {
        let (report, truth) = watch_client("", |url| {
            let mut client = if runs_ruby {
                let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/programs");
                let mut ruby = program("ruby", "ruby");
                ruby.arg(folder.join("idle_net_http.rb"));
                ruby
            } else {
                python("idle_httpx.py")
            };
            client.args([url, "7", "1.3", "1"]);
            client
        });
        assert_eq!((truth.connections, truth.requests), (7, 7), "counts of the server");
        let expected = json!({ "cause": "client-idle-timeout", "confidence": "possible", "healthy": false });
        let diagnosis = assert_diagnosed(&report, &expected);
        let evidence = diagnosis["evidence"].as_str().expect("a sentence");
        let is_noticed =
            evidence.contains("after at most 1.") && evidence.contains("s idle, noticed at the next request");
        assert!(is_noticed, "{diagnosis:#}");
        // A busy machine may wake the client late.
        let duration_us = report.summary["duration_us"].as_u64().expect("a time");
        assert!((1_300_000..duration_us).contains(&value(diagnosis, "timeout_us")), "{diagnosis:#}");
    }
}

/// Starts squid as a forward proxy with its default use of connections.
fn squid() -> (Service, u16) {
    let (folder, port) = (service::folder(), ReservedPort::new());
    let number = port.address.port();
    let path = folder.path().display();
    let configuration = format!(
        "http_port 127.0.0.1:{number}\nhttp_access allow all\ncache deny all\naccess_log none\npinger_enable off\n\
         cache_log {path}/cache.log\npid_filename {path}/pid\ncoredump_dir {path}\nshutdown_lifetime 1 seconds\n\
         cache_effective_user nobody\ncache_effective_group nogroup\n"
    );
    fs::write(folder.path().join("squid.conf"), configuration).expect("cannot write the file");
    crate::support::nobody::chown_to_nobody(folder.path());
    // The name of its shared memory.
    let name = format!("reuse{number}");
    let mut squid = program("squid", "squid");
    (Service::start(squid.args(["-N", "-n", &name, "-f", "squid.conf"]), folder, [port]), number)
}

/// squid sends a POST on a fresh connection, and closes the idle connection that it could have used.
#[test]
fn post_on_a_fresh_connection_is_not_diagnosed_as_a_timeout() {
    for (methods, pause) in [
        ("POST,POST,POST,POST,POST,POST,POST", "0.4"),
        ("GET,POST,GET,POST,GET,POST,GET,POST,GET,POST,GET,POST,GET,POST", "1.2"),
    ] {
        let (_squid, port) = squid();
        let (report, truth) = watch_client("", |url| {
            let mut client = python("posts.py");
            client.args([url, &port.to_string(), methods, pause]);
            client
        });
        assert_eq!(truth.requests as usize, methods.split(',').count(), "counts of the server");
        assert_not_diagnosed(&report);
    }
}
