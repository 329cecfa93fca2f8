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
    metrics::{FLEET_MANUAL, code_block},
    nobody::{chown_to_nobody, world_executable_tool},
    peer::{Peer, ask},
    programs::{output_of, program},
    tool::{Process, RunOutput},
};

const FILE: &str = "tcp-reuse-watch.service";
const INSTALLED: &str = "/usr/local/bin/tcp-reuse-watch";

/// The mount of cgroup v2 for hosts with cgroup v1 only.
const MOUNT: &str = "run-cgroup2.mount";

/// The settings of a unit file in its order.
fn settings(name: &str) -> Vec<(String, String)> {
    parse(&fs::read_to_string(deployed(name)).expect("cannot read the unit"))
}

fn parse(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter(|line| !line.starts_with(['#', '[']));
    lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect()
}

/// The unit's settings in file order.
pub(super) struct Unit(Vec<(String, String)>);

impl Unit {
    pub(super) fn read() -> Self {
        Self(settings(FILE))
    }

    /// The unit with a drop-in. An empty value removes those before it, as for all lists of systemd.
    pub(super) fn with(self, drop_in: &str) -> Self {
        self.with_settings(settings(drop_in))
    }

    fn with_settings(mut self, settings: Vec<(String, String)>) -> Self {
        for (name, value) in settings {
            if value.is_empty() {
                self.0.retain(|(set, _)| *set != name);
            } else {
                self.0.push((name, value));
            }
        }
        self
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

#[test]
fn drop_in_and_mount_are_accepted_by_systemd() {
    let (_folder, tool) = world_executable_tool();
    let folder = tempdir().expect("cannot create a directory");
    let drop_ins = folder.path().join(format!("{FILE}.d"));
    fs::create_dir(&drop_ins).expect("cannot create a directory");
    let unit = fs::read_to_string(deployed(FILE)).expect("cannot read the unit");
    fs::write(folder.path().join(FILE), unit.replace(INSTALLED, &tool)).expect("cannot write the file");
    fs::copy(deployed(MOUNT), folder.path().join(MOUNT)).expect("cannot copy the file");
    let drop_in = deployed(&format!("{FILE}.d/without-ptrace.conf"));
    fs::copy(drop_in, drop_ins.join("without-ptrace.conf")).expect("cannot copy the file");
    let mut analyze = program("systemd-analyze", "systemd");
    analyze.args(["verify", "--man=no"]).args([FILE, MOUNT].map(|name| folder.path().join(name)));
    let ended = RunOutput::run(&mut analyze);
    ended.assert_code(0);
    assert_eq!(ended.stderr, "", "complaints of systemd-analyze");
}

#[test]
fn unit_works_without_ptrace() {
    let _machine = Machine::shared();
    let (_folder, tool) = world_executable_tool();
    let peer = Peer::echo();
    let unit = Unit::read().with("tcp-reuse-watch.service.d/without-ptrace.conf");
    let mut daemon = Process::start(&mut unit.command(&tool, &[], &[]));
    wait_until_served(daemon.id());
    ask(&mut peer.connect());
    peer.wait_for(1);
    let port = format!("port=\"{}\",connection=\"new\"}} 1\n", peer.port());
    eventually("the exchange is counted", || scrape(daemon.id()).is_some_and(|metrics| metrics.contains(&port)));
    assert_eq!(children_of(daemon.id()), Vec::<u32>::new(), "there is no helper");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait(Duration::from_secs(30)).code(), Some(0));
}

/// On a host with cgroup v1 only, and there with the mount.
#[test]
fn unit_has_sockops_on_cgroup_v1_with_the_mount() {
    const ONLY_V1: &str = "umount --all --lazy --types cgroup2; mount -t tmpfs none /run";
    let _machine = Machine::shared();
    let (_folder, tool) = world_executable_tool();
    let mount: HashMap<String, String> = settings(MOUNT).into_iter().collect();
    let [what, at, kind, options] = ["What", "Where", "Type", "Options"].map(|name| mount[name].as_str());
    let mounted = format!("{ONLY_V1}; mkdir {at}; mount -t {kind} -o {options} {what} {at}");
    for (before, has_sockops) in [(ONLY_V1, false), (&mounted, true)] {
        let script = format!("{before}; exec \"$@\"");
        let around = ["unshare", "--mount", "sh", "-ec", &script, "sh"];
        let mut daemon = Process::start(&mut Unit::read().command(&tool, &around, &[]));
        wait_until_served(daemon.id());
        let metrics = scrape(daemon.id()).expect("the daemon serves metrics");
        assert_eq!(metrics.contains("hooks=\"sockops,"), has_sockops, "{metrics}");
        let missing = "tcp_reuse_watch_hooks_missing{hook=\"sockops\",why=\"cgroup v2 is not mounted";
        assert_eq!(metrics.contains(missing), !has_sockops, "{metrics}");
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.wait(Duration::from_secs(30)).code(), Some(0));
    }
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
    assert_calls_are_allowed(&Unit::read(), wait_until_served);
}

/// The drop-in of docs/FLEET.md, with another directory.
#[test]
fn unix_socket_of_the_manual_works_in_the_unit() {
    let folder = tempdir().expect("cannot create a directory");
    chown_to_nobody(folder.path());
    let directory = folder.path().to_str().expect("the path is UTF-8");
    let drop_in = code_block(FLEET_MANUAL, "ini").replace("unix:/run/tcp-reuse-watch", &format!("unix:{directory}"));
    let socket = folder.path().join("metrics.sock");
    assert_calls_are_allowed(&Unit::read().with_settings(parse(&drop_in)), |_| {
        eventually("metrics are served at the socket", || {
            let mut curl = program("curl", "curl");
            curl.args(["-sf", "http://localhost/metrics", "--unix-socket"]).arg(&socket);
            curl.output().expect("cannot run curl").stdout.starts_with(b"# HELP ")
        });
    });
    assert!(!socket.exists(), "the socket is removed");
}

fn assert_calls_are_allowed(unit: &Unit, wait_until_served: impl FnOnce(u32)) {
    let _machine = Machine::shared();
    let (_folder, tool) = world_executable_tool();
    let peer = Peer::echo();
    let folder = tempdir().expect("cannot create a directory");
    let trace = folder.path().join("trace");
    let around = ["strace", "-f", "-qq", "-o", trace.to_str().expect("the path is UTF-8")];
    drop(program("strace", "strace"));
    let mut strace = Process::start(&mut unit.command(&tool, &around, &["--duration", "3"]));
    eventually("strace has started its command", || !children_of(strace.id()).is_empty());
    wait_until_served(strace.id());
    ask(&mut peer.connect());
    assert_eq!(strace.wait(Duration::from_mins(2)).code(), Some(0));
    let called = called(&trace, &tool);
    assert!(called.contains("bpf") && called.contains("capset"), "{called:?}");
    let allowed = allowed(unit);
    let denied: Vec<&String> = called.difference(&allowed).collect();
    assert!(denied.is_empty(), "the unit's filter denies these: {denied:?}");
}
