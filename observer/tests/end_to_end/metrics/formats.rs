//! The contents of a scrape: the name and type of every metric in both formats, and labels that are safe against any
//! process name.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io::Write as _,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    process::{Command, Stdio},
    time::Duration,
};

use aya::sys::{Stats, enable_stats};
use tempfile::tempdir;

use crate::{
    cgroups::{Hierarchy, parent},
    support::{
        http::{read_answer, send},
        machine::Machine,
        metrics::{MeteredWatch, Samples, ask as ask_http, get},
        peer::{Peer, ask, bash_request, connect},
        programs::{output_of, program},
        prometheus::assert_checked_by_promtool,
        python::python,
        sockets::ReservedPort,
        tool::Process,
    },
};

const OPENMETRICS: &str = "accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";

/// Names in the older format, with their types. This is a contract.
const METRICS: [(&str, &str); 28] = [
    ("tcp_reuse_exchanges_total", "counter"),
    ("tcp_reuse_inexact_exchanges_total", "counter"),
    ("tcp_reuse_connections_asked_total", "counter"),
    ("tcp_reuse_connections_avoidable_total", "counter"),
    ("tcp_reuse_inexact_connections_avoidable_total", "counter"),
    ("tcp_reuse_connections_opened_total", "counter"),
    ("tcp_reuse_connections_closed_total", "counter"),
    ("tcp_reuse_connections_failed_total", "counter"),
    ("tcp_reuse_connections_open", "gauge"),
    ("tcp_reuse_exchanges_per_connection", "histogram"),
    ("tcp_reuse_connection_lifetime_seconds", "histogram"),
    ("tcp_reuse_time_wait_sockets", "gauge"),
    ("tcp_reuse_local_ports", "gauge"),
    ("tcp_reuse_local_ports_taken", "gauge"),
    ("tcp_reuse_host_exchanges_total", "counter"),
    ("tcp_reuse_host_connections_opened_total", "counter"),
    ("tcp_reuse_host_connections_avoidable_total", "counter"),
    ("tcp_reuse_watch_events_lost_total", "counter"),
    ("tcp_reuse_watch_connections_untracked_total", "counter"),
    ("tcp_reuse_watch_sockets_lost_total", "counter"),
    ("tcp_reuse_watch_connections_ungrouped_total", "counter"),
    ("tcp_reuse_watch_entries_not_removed_total", "counter"),
    ("tcp_reuse_watch_unrecovered_skips_total", "counter"),
    ("tcp_reuse_watch_processes_unfollowed_total", "counter"),
    ("tcp_reuse_watch_hook_skips_total", "counter"),
    ("tcp_reuse_watch_runtime_lookups_lost_total", "counter"),
    ("tcp_reuse_watch_series_overflowed", "gauge"),
    ("tcp_reuse_watch_info", "gauge"),
];
const WITH_STATISTICS: [(&str, &str); 2] =
    [("tcp_reuse_watch_program_seconds_total", "counter"), ("tcp_reuse_watch_program_runs_total", "counter")];

fn types_in(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
}

/// The metric families that OpenMetrics' reference parser finds.
fn parsed(text: &str) -> BTreeMap<String, String> {
    let mut parser = python("openmetrics.py");
    let mut process = parser.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cannot run the parser");
    let mut stdin = process.stdin.take().expect("the stream is piped");
    stdin.write_all(text.as_bytes()).expect("cannot write to the parser");
    drop(stdin);
    let output = process.wait_with_output().expect("cannot wait for the parser");
    assert!(output.status.success(), "not OpenMetrics: {text}");
    serde_json::from_slice(&output.stdout).expect("the parser prints names and types")
}

/// Asserts that both formats have exactly these metrics with these types.
fn assert_metrics(metered: &MeteredWatch, expected: &[(&str, &str)]) {
    let older = get(metered.address, "/metrics", "");
    assert_eq!(older.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let older = older.text();
    assert_checked_by_promtool(&older);
    assert_eq!(types_in(&older), expected.iter().copied().collect());
    assert!(!older.contains("# EOF"), "{older}");

    let newer = get(metered.address, "/metrics", OPENMETRICS);
    assert_eq!(newer.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let newer = newer.text();
    let family = |(name, kind): &(&str, &str)| match name.strip_suffix("_info") {
        Some(name) => (name.to_owned(), "info".to_owned()),
        None => (name.strip_suffix("_total").unwrap_or(name).to_owned(), (*kind).to_owned()),
    };
    assert_eq!(parsed(&newer), expected.iter().map(family).collect());
    assert!(newer.ends_with("\n# EOF\n"), "{newer}");
}

/// Includes one used, one unused, one failed and one open connection.
#[test]
fn every_metric_has_its_name_type_and_labels() {
    let machine = Machine::alone();
    let (peer, closed) = (Peer::echo(), ReservedPort::new());
    let ports = format!("-p {},{}", peer.port(), closed.address.port());
    let metered = MeteredWatch::start(&machine, &ports);
    let mut open = peer.connect();
    (0..12).for_each(|_| ask(&mut open));
    ask(&mut peer.connect());
    drop(peer.connect());
    std::net::TcpStream::connect(closed.address).expect_err("the connect should be refused");
    peer.wait_for_done(2);
    // The sockets are listed less often than the counters are read if listing takes long.
    let is_there = |samples: &Samples| {
        samples.sum("tcp_reuse_connections_closed_total", &[]) == 2
            && samples.sum("tcp_reuse_time_wait_sockets", &[]) == 2
    };
    let samples = metered.scrape_until("both are closed, and in TIME_WAIT", is_there);
    assert_metrics(&metered, &METRICS);

    // The process is named after the test binary.
    let comm = std::fs::read_to_string("/proc/self/comm").expect("cannot read the name of this process");
    let set = format!("process=\"{}\",destination=\"127.0.0.1\",port=\"{}\"", comm.trim_end(), peer.port());
    let value = |name: &str, label: &str| samples.0.get(&format!("{name}{{{set}{label}}}")).copied();
    for (name, label, expected) in [
        ("tcp_reuse_exchanges_total", r#",connection="new""#, 2),
        ("tcp_reuse_exchanges_total", r#",connection="reused""#, 11),
        ("tcp_reuse_inexact_exchanges_total", "", 0),
        ("tcp_reuse_connections_opened_total", r#",why="first""#, 1),
        ("tcp_reuse_connections_opened_total", r#",why="missed-reuse""#, 2),
        ("tcp_reuse_connections_opened_total", r#",why="concurrency""#, 0),
        ("tcp_reuse_connections_opened_total", r#",why="replaced""#, 0),
        ("tcp_reuse_connections_closed_total", r#",cause="unused""#, 1),
        ("tcp_reuse_connections_closed_total", r#",cause="closed-after-response""#, 1),
        ("tcp_reuse_connections_closed_total", r#",cause="server-idle""#, 0),
        ("tcp_reuse_connections_open", "", 1),
        ("tcp_reuse_exchanges_per_connection_bucket", r#",le="1.0""#, 1),
        ("tcp_reuse_exchanges_per_connection_bucket", r#",le="9.0""#, 1),
        ("tcp_reuse_exchanges_per_connection_bucket", r#",le="99.0""#, 1),
        ("tcp_reuse_exchanges_per_connection_bucket", r#",le="999.0""#, 1),
        ("tcp_reuse_exchanges_per_connection_bucket", r#",le="+Inf""#, 1),
        ("tcp_reuse_exchanges_per_connection_sum", "", 1),
        ("tcp_reuse_connection_lifetime_seconds_count", "", 2),
    ] {
        assert_eq!(value(name, label), Some(f64::from(expected)), "{name} {label} in {samples:#?}");
    }
    let failed = format!("port=\"{}\",error=\"ECONNREFUSED\"", closed.address.port());
    assert_eq!(samples.sum("tcp_reuse_connections_failed_total", &[&failed]), 1, "{samples:#?}");
    let waiting = format!("tcp_reuse_time_wait_sockets{{destination=\"127.0.0.1\",port=\"{}\"}}", peer.port());
    assert_eq!(samples.0.get(&waiting), Some(&2.0), "{samples:#?}");
    let info =
        samples.0.keys().find(|series| series.starts_with("tcp_reuse_watch_info")).expect("the info metric exists");
    for label in [concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""), "hooks=\"sockops,tracepoint\"", "kernel=\""] {
        assert!(info.contains(label), "{info}");
    }
    for place in ["ring", "output", "recording", "groups"] {
        assert!(samples.0.contains_key(&format!("tcp_reuse_watch_events_lost_total{{where=\"{place}\"}}")), "{place}");
    }
    assert!(samples.0.contains_key("tcp_reuse_watch_hook_skips_total{program=\"receive\"}"), "{samples:#?}");

    let _statistics = enable_stats(Stats::RunTime).expect("cannot enable the kernel's BPF statistics");
    ask(&mut open);
    let runs = |samples: &Samples| samples.sum("tcp_reuse_watch_program_runs_total", &[]) > 0;
    metered.scrape_until("programs are measured", runs);
    assert_metrics(&metered, &[METRICS.as_slice(), &WITH_STATISTICS].concat());
    metered.end().assert_complete();
}

#[test]
fn process_names_are_escaped_in_labels() {
    let machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let peer = Peer::echo();
    let metered = MeteredWatch::start(&machine, &format!("-p {}", peer.port()));
    let names: [&[u8]; 4] = [b"a\"} 1\n", b"\x1b[2J\n\x07", b"\xff\xfe\xc3", b"b\\"];
    for name in names {
        let link = folder.path().join(OsStr::from_bytes(name));
        symlink("/bin/bash", &link).expect("cannot create the link");
        output_of(Command::new(&link).args(["-c", &bash_request(peer.port())]));
    }
    peer.wait_for(4);
    let is_there =
        |samples: &Samples| samples.exchanges() == (4, 0) && samples.sum("tcp_reuse_time_wait_sockets", &[]) > 0;
    let samples = metered.scrape_until("all have been counted", is_there);
    assert_metrics(&metered, &METRICS);
    for label in [r#""a\"} 1\\n""#, r#""\\u{1b}[2J\\n\\u{7}""#, "\"\u{fffd}\u{fffd}\u{fffd}\"", r#""b\\""#] {
        let label = format!("process={label}");
        assert_eq!(samples.sum("tcp_reuse_exchanges_total", &[&label, "new"]), 1, "{label} in {samples:#?}");
    }
    drop(metered.end());
}

#[test]
fn labels_follow_the_option() {
    let machine = Machine::shared();
    let (one, other) = (Peer::echo(), Peer::echo());
    let options = format!("-p {},{} --metrics-labels destination", one.port(), other.port());
    let metered = MeteredWatch::start(&machine, &options);
    for peer in [&one, &other] {
        ask(&mut peer.connect());
        peer.wait_for(1);
    }
    let samples = metered.scrape_until("both have been counted", |samples| samples.exchanges() == (2, 0));
    let only = "tcp_reuse_exchanges_total{destination=\"127.0.0.1\",connection=\"new\"}";
    assert_eq!(samples.0.get(only), Some(&2.0), "{samples:#?}");
    drop(metered.end());
}

#[test]
fn cgroup_label_is_added_on_request() {
    let machine = Machine::shared();
    let hierarchy = Hierarchy::open();
    let unit = format!("{}.service", parent("metrics"));
    let cgroup = hierarchy.cgroup(&unit);
    let peer = Peer::echo();
    let metered = MeteredWatch::start(&machine, &format!("-p {} --metrics-labels cgroup,port", peer.port()));
    let mut client = Process::start(&mut cgroup.client(peer.port(), "read"));
    let samples = metered.scrape_until("the exchange is counted", |samples| samples.exchanges() == (1, 0));
    let only = format!("tcp_reuse_connections_open{{port=\"{}\",cgroup=\"{unit}\"}}", peer.port());
    assert_eq!(samples.0.get(&only), Some(&1.0), "{samples:#?}");
    drop(client.child.stdin.take());
    client.wait(Duration::from_mins(2));
    peer.wait_for(1);
    drop(metered.end());
}

/// Uses the encoding that Prometheus requests.
#[test]
fn compressed_answer_has_the_same_content() {
    let machine = Machine::shared();
    let metered = MeteredWatch::start(&machine, "-p 1");
    let curl = |options: &[&str]| {
        let mut curl = program("curl", "curl");
        curl.args(["--silent", "--show-error", "--fail", "--noproxy", "*"]).args(options);
        let text = output_of(curl.arg(format!("http://{}/metrics", metered.address)));
        // Other traffic on the machine may make the kernel skip a program.
        text.lines().filter(|line| !line.contains("hook_skips")).map(str::to_owned).collect::<Vec<_>>()
    };
    let headers = curl(&["--compressed", "--head"]);
    assert!(headers.iter().any(|line| line.eq_ignore_ascii_case("content-encoding: gzip")), "{headers:?}");
    // No counter changes during this test.
    assert_eq!(curl(&["--compressed"]), curl(&[]));
    drop(metered.end());
}

#[test]
fn health_index_head_and_unknown_paths() {
    let machine = Machine::shared();
    let metered = MeteredWatch::start(&machine, "-p 1");
    // Several requests fit on one connection.
    let mut stream = connect(metered.address);
    for path in ["/metrics", "/healthz", "/metrics"] {
        send(&mut stream, format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
        read_answer(&mut stream);
    }
    let head = ask_http(metered.address, "HEAD /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert_eq!((head.text().as_str(), head.header("content-length").is_some()), ("", true));
    let get = |path| get(metered.address, path, "");
    assert_eq!(get("/healthz").text(), "ok\n");
    assert!(get("/").text().contains("<a href=\"/metrics\">"));
    for path in ["/metrics/", "/favicon.ico", "//metrics", "/..", "/metrics%00"] {
        assert_eq!(get(path).status(), 404, "{path}");
    }
    let notice = metered.end();
    let url = notice.only("notice")["message"].as_str().unwrap_or_default().to_owned();
    assert!(url.ends_with("/metrics") && url.contains("http://127.0.0.1:"), "{url}");
}
