//! Where metrics are served, and where not.

use std::{
    fs,
    net::{Ipv6Addr, SocketAddr, TcpListener},
    process::Stdio,
    time::Duration,
};

use rustix::process::Signal;
use tempfile::tempdir;

use crate::{
    nginx,
    support::{
        machine::Machine,
        metrics::{FLEET, Metered, block, daemon, get},
        nobody::{as_nobody, for_everybody},
        programs::{output_of, program},
        sockets::Closed,
        tool::{self, Ended},
    },
};

/// Before anything is attached: one who may not attach is told the same.
#[track_caller]
fn assert_refused(arguments: &str, code: i32, words: &[&str]) {
    let (_folder, tool) = for_everybody();
    for ended in [Ended::run(&mut tool::command(arguments)), Ended::run(&mut as_nobody(&tool, arguments))] {
        ended.assert_code(code);
        assert_eq!(ended.stdout, "");
        for word in words {
            assert!(ended.stderr.contains(word), "{word:?} is not said: {}", ended.stderr);
        }
    }
}

#[test]
fn other_machines_only_when_asked_for() {
    for address in [":9716", "0.0.0.0:9716", "[::]:9716", "10.0.0.1:9716"] {
        let arguments = format!("--metrics {address} --duration 1");
        assert_refused(&arguments, 2, &["--metrics-allow-remote", ":9716", "127.0.0.1"]);
    }
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address").to_string();
    assert_refused(&format!("--metrics {address} --duration 1"), 1, &[&address, "in use", "--metrics"]);
}

/// As by the same command line twice.
#[test]
fn a_port_in_use_costs_no_file() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address");
    let folder = tempdir().expect("a folder can be made");
    let [recording, summary] = ["recording", "summary"].map(|name| folder.path().join(name));
    for file in [&recording, &summary] {
        fs::write(file, "of the first").expect("a file can be written");
    }
    let files = format!("--record {} --summary {}", recording.display(), summary.display());
    Ended::run(&mut tool::command(&format!("--metrics {address} --duration 1 {files}"))).assert_code(1);
    for file in [&recording, &summary] {
        assert_eq!(fs::read_to_string(file).expect("it is there"), "of the first", "{}", file.display());
    }
}

#[test]
fn an_address_of_another_machine() {
    assert_refused("--metrics 192.0.2.1:9716 --metrics-allow-remote --duration 1", 1, &["192.0.2.1:9716", "assign"]);
}

#[test]
fn options_without_the_exporter() {
    for option in ["--metrics-series 5", "--metrics-expiry 1h", "--metrics-labels port", "--metrics-allow-remote"] {
        assert_refused(&format!("{option} --duration 1"), 2, &["--metrics", "required"]);
    }
    assert_refused("--metrics --metrics-series 0", 2, &["'0'", "1..=10000"]);
    assert_refused("--metrics --metrics-labels pid", 2, &["'pid'", "destination"]);
    assert_refused("--metrics here", 2, &["'here'", "PORT"]);
}

#[test]
fn every_interface_means_both_protocols() {
    let machine = Machine::shared();
    let port = Closed::new().address.port();
    let watch = machine.watch(format!("-p 1 --metrics :{port} --metrics-allow-remote"));
    for address in [SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))] {
        assert_eq!(get(address, "/healthz", "").text(), "ok\n", "{address}");
    }
    watch.end().assert_complete();
}

#[test]
fn beside_no_output() {
    let _machine = Machine::shared();
    let port = Closed::new().address;
    let mut tool = daemon(tool::command("-p 1").stdout(Stdio::piped()).stderr(Stdio::piped()), port);
    tool.signal(Signal::TERM);
    assert_eq!(tool.wait(Duration::from_secs(5)).code(), Some(0));
    assert_eq!(tool.stderr(), "");
}

/// The proxy of docs/FLEET.md, which speaks TLS and wants a password.
#[test]
fn behind_the_proxy_of_the_manual() {
    let machine = Machine::shared();
    let metered = Metered::start(&machine, "-p 1");
    let config = block(FLEET, "nginx");
    let port = Closed::new();
    let front = port.address;
    let config = config.replace("127.0.0.1:9716", &metered.address.to_string()).replace("9717", &front.to_string());
    assert!(config.contains(&front.to_string()) && config.contains(&metered.address.to_string()), "{config}");
    let nginx = nginx::start(&config, port);
    fs::write(nginx.folder().join("users"), "prometheus:{PLAIN}secret\n").expect("the file can be written");
    let ask = |user: &str| {
        let mut curl = program("curl", "curl");
        curl.args(["--silent", "--insecure", "--noproxy", "*", "--user", user, "--write-out", "%{http_code}"]);
        output_of(curl.arg(format!("https://{front}/metrics")))
    };
    let answer = ask("prometheus:secret");
    assert!(answer.contains("tcp_reuse_watch_info{") && answer.ends_with("200"), "{answer}");
    assert!(ask("prometheus:guess").ends_with("401"), "nobody else gets in");
    drop(nginx);
    drop(metered.end());
}
