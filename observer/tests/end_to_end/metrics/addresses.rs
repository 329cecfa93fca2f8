//! The addresses at which metrics are served or refused.

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
        metrics::{FLEET_MANUAL, MeteredWatch, code_block, get, start_daemon},
        nobody::{as_nobody, world_executable_tool},
        programs::{output_of, program},
        sockets::ReservedPort,
        tool::{self, RunOutput},
    },
};

/// Asserts that the command is refused before anything is attached: an unprivileged user gets the same error.
#[track_caller]
fn assert_refused(arguments: &str, code: i32, words: &[&str]) {
    let (_folder, tool) = world_executable_tool();
    for ended in [RunOutput::run(&mut tool::command(arguments)), RunOutput::run(&mut as_nobody(&tool, arguments))] {
        ended.assert_code(code);
        assert_eq!(ended.stdout, "");
        for word in words {
            assert!(ended.stderr.contains(word), "{word:?} is missing: {}", ended.stderr);
        }
    }
}

#[test]
fn remote_addresses_need_the_allow_remote_option() {
    for address in [":9716", "0.0.0.0:9716", "[::]:9716", "10.0.0.1:9716"] {
        let arguments = format!("--metrics {address} --duration 1");
        assert_refused(&arguments, 2, &["--metrics-allow-remote", ":9716", "127.0.0.1"]);
    }
}

#[test]
fn port_in_use_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("cannot listen");
    let address = taken.local_addr().expect("the listener has an address").to_string();
    assert_refused(&format!("--metrics {address} --duration 1"), 1, &[&address, "in use", "--metrics"]);
}

/// As when the same command is started twice.
#[test]
fn port_in_use_leaves_output_files_untouched() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("cannot listen");
    let address = taken.local_addr().expect("the listener has an address");
    let folder = tempdir().expect("cannot create a directory");
    let [recording, summary] = ["recording", "summary"].map(|name| folder.path().join(name));
    for file in [&recording, &summary] {
        fs::write(file, "of the first").expect("cannot write the file");
    }
    let files = format!("--record {} --summary {}", recording.display(), summary.display());
    RunOutput::run(&mut tool::command(&format!("--metrics {address} --duration 1 {files}"))).assert_code(1);
    for file in [&recording, &summary] {
        assert_eq!(fs::read_to_string(file).expect("cannot read the file"), "of the first", "{}", file.display());
    }
}

#[test]
fn foreign_address_is_refused() {
    assert_refused("--metrics 192.0.2.1:9716 --metrics-allow-remote --duration 1", 1, &["192.0.2.1:9716", "assign"]);
}

#[test]
fn metrics_options_require_the_exporter() {
    for option in ["--metrics-series 5", "--metrics-expiry 1h", "--metrics-labels port", "--metrics-allow-remote"] {
        assert_refused(&format!("{option} --duration 1"), 2, &["--metrics", "required"]);
    }
    assert_refused("--metrics --metrics-series 0", 2, &["'0'", "1..=10000"]);
    assert_refused("--metrics --metrics-labels pid", 2, &["'pid'", "destination"]);
    assert_refused("--metrics here", 2, &["'here'", "PORT"]);
}

#[test]
fn all_interfaces_include_ipv4_and_ipv6() {
    let machine = Machine::shared();
    let port = ReservedPort::new().address.port();
    let watch = machine.watch(format!("-p 1 --metrics :{port} --metrics-allow-remote"));
    for address in [SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))] {
        assert_eq!(get(address, "/healthz", "").text(), "ok\n", "{address}");
    }
    watch.end().assert_complete();
}

#[test]
fn metrics_work_without_other_output() {
    let _machine = Machine::shared();
    let port = ReservedPort::new().address;
    let mut tool = start_daemon(tool::command("-p 1").stdout(Stdio::piped()).stderr(Stdio::piped()), port);
    tool.signal(Signal::TERM);
    assert_eq!(tool.wait(Duration::from_mins(2)).code(), Some(0));
    assert_eq!(tool.stderr(), "");
}

/// The proxy of docs/FLEET.md, which requires TLS and a password.
#[test]
fn proxy_of_the_manual_works() {
    let machine = Machine::shared();
    let metered = MeteredWatch::start(&machine, "-p 1");
    let config = code_block(FLEET_MANUAL, "nginx");
    let port = ReservedPort::new();
    let front = port.address;
    let config = config.replace("127.0.0.1:9716", &metered.address.to_string()).replace("9717", &front.to_string());
    assert!(config.contains(&front.to_string()) && config.contains(&metered.address.to_string()), "{config}");
    let nginx = nginx::start(&config, port);
    fs::write(nginx.folder().join("users"), "prometheus:{PLAIN}secret\n").expect("cannot write the file");
    let ask = |user: &str| {
        let mut curl = program("curl", "curl");
        curl.args(["--silent", "--insecure", "--noproxy", "*", "--user", user, "--write-out", "%{http_code}"]);
        output_of(curl.arg(format!("https://{front}/metrics")))
    };
    let answer = ask("prometheus:secret");
    assert!(answer.contains("tcp_reuse_watch_info{") && answer.ends_with("200"), "{answer}");
    assert!(ask("prometheus:guess").ends_with("401"), "a wrong password should be refused");
    drop(nginx);
    drop(metered.end());
}
