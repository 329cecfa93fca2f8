//! The systemd unit grants few privileges, and enough for the tool to work.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tempfile::tempdir;

use super::{deployed, run_in};
use crate::support::{
    eventually,
    helper::{Helper, NO_CAPABILITY, ONLY_PTRACE, children_of, privileges_of},
    machine::Machine,
    nobody::world_executable_tool,
    peer::{Peer, ask},
    programs::{output_of, program},
    tool::{Process, RunOutput},
};

const FILE: &str = "tcp-reuse-watch.service";
const INSTALLED: &str = "/usr/local/bin/tcp-reuse-watch";

/// The unit's settings in file order.
pub(super) struct Unit(Vec<(String, String)>);

impl Unit {
    pub(super) fn read() -> Self {
        let text = fs::read_to_string(deployed(FILE)).expect("cannot read the unit");
        let lines = text.lines().filter(|line| !line.starts_with(['#', '[']));
        let setting = |line: &str| line.split_once('=').map(|(name, value)| (name.into(), value.into()));
        Self(lines.filter_map(setting).collect())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(set, _)| set == name).map(|(_, value)| value.as_str())
    }

    fn only<'a>(&'a self, name: &'a str) -> &'a str {
        let values: Vec<&str> = self.all(name).collect();
        let [value] = values.as_slice() else { panic!("expected {name} once: {values:?}") };
        value
    }

    /// The arguments of the unit's command line.
    pub(super) fn arguments(&self) -> Vec<&str> {
        let mut words = self.only("ExecStart").split(' ');
        assert_eq!(words.next(), Some(INSTALLED));
        words.collect()
    }

    /// Capability names without `CAP_`.
    pub(super) fn capabilities(&self) -> Vec<&str> {
        let ambient = self.only("AmbientCapabilities");
        assert_eq!(self.only("CapabilityBoundingSet"), ambient, "the bounding set allows no other capabilities");
        ambient.split(' ').map(|name| name.strip_prefix("CAP_").expect("a capability")).collect()
    }

    /// The unit's command line as an unprivileged user with only the unit's capabilities, in a network namespace of its
    /// own, where the port is free. `around` is a command that wraps it.
    fn command(&self, tool: &str, around: &[&str], more: &[&str]) -> Command {
        let these = self.capabilities().join(",+").to_lowercase();
        let mut unshare = program("unshare", "util-linux");
        unshare.args(["--net", "sh", "-ec", "ip link set lo up; exec \"$@\"", "sh"]).args(around);
        unshare.args(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]);
        for set in ["--inh-caps", "--ambient-caps", "--bounding-set"] {
            unshare.arg(format!("{set}=-all,+{these}"));
        }
        unshare.arg(tool).args(self.arguments()).args(more).current_dir("/");
        unshare
    }
}

/// Scrapes the metrics in the daemon's network namespace; `None` until it serves them.
fn scrape(daemon: u32) -> Option<String> {
    let mut nsenter = program("nsenter", "util-linux");
    nsenter.arg(format!("--net=/proc/{daemon}/ns/net")).args(["curl", "-sf", "http://127.0.0.1:9716/metrics"]);
    let output = nsenter.output().expect("cannot run nsenter");
    output.status.success().then(|| String::from_utf8(output.stdout).expect("the metrics are UTF-8"))
}

/// A debug build takes seconds to start, and longer under strace.
fn wait_until_served(daemon: u32) {
    let end = Instant::now() + Duration::from_mins(2);
    while scrape(daemon).is_none() {
        assert!(Instant::now() < end, "{INSTALLED} serves no metrics");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn systemd_exposure_level_is_at_most_three() {
    let ended = run_in(".", "systemd-analyze", "systemd", &["security", "--offline=yes", "--no-pager", FILE]);
    ended.assert_code(0);
    let (_, level) = ended
        .stdout
        .split_once(&format!("Overall exposure level for {FILE}: "))
        .expect("systemd-analyze states the level");
    let level: f64 = level.split(' ').next().and_then(|level| level.parse().ok()).expect("a number");
    assert!(level <= 3.0, "{level}: {}", ended.stdout);
}

#[test]
fn systemd_accepts_every_setting() {
    let (_folder, tool) = world_executable_tool();
    let unit = fs::read_to_string(deployed(FILE)).expect("cannot read the unit");
    let folder = tempdir().expect("cannot create a directory");
    let copy = folder.path().join(FILE);
    fs::write(&copy, unit.replace(INSTALLED, &tool)).expect("cannot write the file");
    let ended = RunOutput::run(program("systemd-analyze", "systemd").args(["verify", "--man=no"]).arg(copy));
    ended.assert_code(0);
    assert_eq!(ended.stderr, "", "complaints of systemd-analyze");
}

#[test]
fn unit_command_line_works_with_its_capabilities() {
    let _machine = Machine::shared();
    let (_folder, tool) = world_executable_tool();
    let peer = Peer::echo();
    let mut daemon = Process::start(&mut Unit::read().command(&tool, &[], &[]));
    wait_until_served(daemon.id());
    let mut stream = peer.connect();
    (0..5).for_each(|_| ask(&mut stream));
    drop(stream);
    peer.wait_for(1);
    let port = format!("port=\"{}\"", peer.port());
    let counted = |name: &str, label: &str| {
        let metrics = scrape(daemon.id()).expect("the daemon serves metrics");
        let mut lines = metrics.lines().filter(|line| line.starts_with(name) && line.contains(&port));
        lines.find(|line| line.contains(label)).and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    eventually("all exchanges are counted", || {
        counted("tcp_reuse_exchanges_total", "connection=\"reused\"") == Some(4.0)
            && counted("tcp_reuse_connections_closed_total", "cause=\"closed-after-response\"") == Some(1.0)
    });
    assert_eq!(counted("tcp_reuse_exchanges_total", "connection=\"new\""), Some(1.0));
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.id())).expect("the daemon is running");
    assert!(status.contains("Uid:\t65534\t65534\t65534\t65534\n"), "{status}");
    assert_eq!(privileges_of(daemon.id())[0], NO_CAPABILITY, "the daemon has dropped its capabilities");
    let helper = Helper::of(daemon.id());
    assert_eq!(privileges_of(helper.0)[..2], [ONLY_PTRACE, ONLY_PTRACE], "the helper has only CAP_SYS_PTRACE");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait(Duration::from_mins(2)).code(), Some(0));
}

/// systemd's system call sets by name.
fn sets() -> HashMap<String, Vec<String>> {
    let text = output_of(program("systemd-analyze", "systemd").args(["syscall-filter", "--no-pager"]));
    let mut sets: HashMap<String, Vec<String>> = HashMap::new();
    let mut name = String::new();
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(call) if call.starts_with('#') => {}
            Some(call) => sets.entry(name.clone()).or_default().push(call.trim().into()),
            None => name = line.trim().into(),
        }
    }
    sets
}

fn add(name: &str, sets: &HashMap<String, Vec<String>>, calls: &mut BTreeSet<String>) {
    match sets.get(name) {
        Some(members) => members.iter().for_each(|member| add(member, sets, calls)),
        None => drop(calls.insert(name.into())),
    }
}

/// The system calls that `SystemCallFilter` allows.
fn allowed(unit: &Unit) -> BTreeSet<String> {
    let sets = sets();
    let mut allowed = BTreeSet::new();
    for filter in unit.all("SystemCallFilter") {
        let (names, denies) = filter.strip_prefix('~').map_or((filter, false), |names| (names, true));
        let mut calls = BTreeSet::new();
        names.split(' ').for_each(|name| add(name, &sets, &mut calls));
        if denies { allowed.retain(|call| !calls.contains(call)) } else { allowed.append(&mut calls) }
    }
    assert!(allowed.len() > 100 && !allowed.iter().any(|call| call.starts_with('@')), "{allowed:?}");
    allowed
}

/// The system calls in strace's output after the start of the tool.
fn called(trace: &Path, tool: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(trace).expect("cannot read the trace");
    let start = format!(" execve(\"{tool}\"");
    let lines = text.lines().skip_while(|line| !line.contains(&start)).skip(1);
    let call = |line: &str| {
        let (name, _) = line.split_once(' ')?.1.trim_start().split_once('(')?;
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then(|| name.to_owned())
    };
    lines.filter_map(call).collect()
}

#[test]
fn system_call_filter_allows_every_call_of_the_tool() {
    let _machine = Machine::shared();
    let (_folder, tool) = world_executable_tool();
    let peer = Peer::echo();
    let folder = tempdir().expect("cannot create a directory");
    let trace = folder.path().join("trace");
    let around = ["strace", "-f", "-qq", "-o", trace.to_str().expect("the path is UTF-8")];
    drop(program("strace", "strace"));
    let unit = Unit::read();
    let mut strace = Process::start(&mut unit.command(&tool, &around, &["--duration", "3"]));
    eventually("strace has started its command", || !children_of(strace.id()).is_empty());
    wait_until_served(strace.id());
    ask(&mut peer.connect());
    assert_eq!(strace.wait(Duration::from_mins(2)).code(), Some(0));
    let called = called(&trace, &tool);
    assert!(called.contains("bpf") && called.contains("capset"), "{called:?}");
    let allowed = allowed(&unit);
    let denied: Vec<&String> = called.difference(&allowed).collect();
    assert!(denied.is_empty(), "the unit's filter denies these: {denied:?}");
}
