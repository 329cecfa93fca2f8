//! A machine on which cgroup v2 is not mounted, as with cgroup v1 only, and a watch that may not mount it: it runs without
//! sock_ops and says so.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use tempfile::tempdir;
use terminal::Size;

use crate::support::{
    dashboard::{Dashboard, has_text},
    eventually,
    machine::Machine,
    metrics::scrape,
    peer::{Peer, ask},
    programs::program,
    sockets::ReservedPort,
    tool::{self, PROGRAM, Process, RunOutput},
};

const EXIT_TIMEOUT: Duration = Duration::from_secs(30);

/// The tool in a mount namespace of its own, after this shell command there. The capability to mount is missing.
fn without_mounting(before: &str, arguments: &str) -> Command {
    let mut unshare = program("unshare", "util-linux");
    let script = format!("{before}; exec \"$@\"");
    unshare.args(["--mount", "sh", "-ec", &script, "sh", "setpriv", "--inh-caps=-all", "--bounding-set=-sys_admin"]);
    unshare.arg(PROGRAM).args(arguments.split_whitespace()).stdin(Stdio::null());
    unshare
}

const UNMOUNT: &str = "umount --all --lazy --types cgroup2; ! grep -q ' - cgroup2 ' /proc/self/mountinfo";

fn without_cgroup2(arguments: &str) -> Command {
    without_mounting(UNMOUNT, arguments)
}

const REASON: &str = "cgroup v2 is not mounted";
const COST: &str = "the kernel may skip";

#[test]
fn missing_sockops_is_a_notice_in_text_json_and_replays() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let recording = folder.path().join("recording");
    for output in ["lines", "json", "none"] {
        let arguments = format!("-p 1 -o {output} --duration 1 --record {}", recording.display());
        let ended = RunOutput::run(&mut without_cgroup2(&arguments));
        ended.assert_code(0);
        let text = if output == "none" { &ended.stderr } else { &ended.stdout };
        let notices: Vec<&str> = text.lines().filter(|line| line.contains(REASON) && line.contains(COST)).collect();
        assert_eq!(notices.len(), 1, "{output}: {ended:?}");
        assert!(notices[0].contains("mount -t cgroup2"), "{}", notices[0]);
        let replayed =
            RunOutput::run(&mut tool::command(&format!("replay --speed max -o lines {}", recording.display())));
        replayed.assert_code(0);
        assert!(replayed.stdout.contains(REASON), "{}", replayed.stdout);
    }
}

#[test]
fn missing_sockops_is_a_notice_in_the_dashboard() {
    let _machine = Machine::shared();
    // Low terminals have no log.
    let size = Size { columns: 120, rows: 40 };
    let mut dashboard = Dashboard::start_command(size, without_cgroup2("-p 1 -o tui"), &[]);
    dashboard.wait("the notice", EXIT_TIMEOUT, |screen| has_text(screen, "sockops is not attached"));
    dashboard.wait("the header", EXIT_TIMEOUT, |screen| has_text(screen, ", without sockops"));
    dashboard.tool.signal(Signal::INT);
    assert_eq!(dashboard.tool.wait(EXIT_TIMEOUT).code(), Some(0));
}

#[test]
fn missing_sockops_is_in_the_metrics_and_the_watch_counts() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    let port = ReservedPort::new().address;
    let arguments = format!("-p {} -o none --metrics {port}", peer.port());
    let mut watch = Process::start(without_cgroup2(&arguments).stderr(Stdio::piped()));
    eventually("it listens", || std::net::TcpStream::connect(port).is_ok());
    let before = scrape(port);
    let missing = before.0.keys().find(|series| series.starts_with("tcp_reuse_watch_hooks_missing{hook=\"sockops\""));
    assert!(missing.is_some_and(|series| series.contains(REASON)), "{before:?}");
    ask(&mut peer.connect());
    peer.wait_for(1);
    eventually("the exchange is counted", || scrape(port).host_exchanges() == (1, 0));
    watch.signal(Signal::TERM);
    assert_eq!(watch.wait(EXIT_TIMEOUT).code(), Some(0));
}

/// What the notice advises.
#[test]
fn mounted_cgroup2_is_found_wherever_it_is() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let before = format!("{UNMOUNT}; mount -t cgroup2 none {}", folder.path().display());
    let ended = RunOutput::run(&mut without_mounting(&before, "-p 1 -o json --duration 1"));
    ended.assert_code(0);
    assert!(ended.stdout.contains("\"hooks\":[\"sockops\"") && !ended.stdout.contains(REASON), "{}", ended.stdout);
}
