//! A cgroup with little memory. The kernel ends a program that needs more without a word, so the watch warns before.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    machine::Machine,
    peer::{Peer, ask, visit},
    programs::program,
    report::Report,
    tool::{PROGRAM, RunOutput, RunningWatch},
};

const LIMIT_BYTES: u64 = 64 << 20;
/// What the warning is about.
const WARNING: &str = "warning: the memory limit of this cgroup is 64 MiB";

/// A cgroup with a limit of memory, in v2 or v1.
struct Limited(PathBuf);

impl Limited {
    fn new(name: &str) -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").expect("cannot read the mounts");
        let controls = |mount: &Path| {
            fs::read_to_string(mount.join("cgroup.controllers")).is_ok_and(|list| list.contains("memory"))
        };
        let memory = mounts.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let path = Path::new(fields[1]);
            let is_v1 = fields[2] == "cgroup" && fields[3].split(',').any(|option| option == "memory");
            let is_v2 = fields[2] == "cgroup2" && controls(path);
            (is_v1 || is_v2).then(|| (path.to_owned(), if is_v1 { "memory.limit_in_bytes" } else { "memory.max" }))
        });
        let (mount, file) = memory.expect("a memory controller is mounted");
        if file == "memory.max" {
            fs::write(mount.join("cgroup.subtree_control"), "+memory").expect("cannot delegate the memory controller");
        }
        let folder = mount.join(format!("tcp-reuse-watch-{}-{name}", std::process::id()));
        fs::create_dir(&folder).expect("cannot create a cgroup");
        let limited = Self(folder);
        fs::write(limited.0.join(file), LIMIT_BYTES.to_string()).expect("cannot limit the memory");
        limited
    }

    /// The tool in this cgroup.
    fn tool(&self, arguments: &str) -> Command {
        let mut sh = program("sh", "dash");
        let script = r#"echo 0 >"$0/cgroup.procs" && exec "$@""#;
        sh.args(["-c", script]).arg(&self.0).arg(PROGRAM).args(arguments.split_whitespace()).stdin(Stdio::null());
        sh
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        // The helper ends a little later.
        let is_removed = (0..1_000).any(|_| {
            sleep(Duration::from_millis(10));
            fs::remove_dir(&self.0).is_ok()
        });
        if !is_removed {
            eprintln!("{} stays", self.0.display());
        }
    }
}

/// By default there is room for 131,072 connections. The kernel refuses the maps, or ends the program.
#[test]
fn watch_that_does_not_fit_warns_before_it_is_ended() {
    let _machine = Machine::shared();
    let limited = Limited::new("full");
    let ended = RunOutput::run(&mut limited.tool("-p 1 -o json --duration 1s"));
    let mut lines = ended.stderr.lines();
    let warning = lines.next().unwrap_or_default();
    assert!(warning.starts_with(WARNING) && warning.contains("--max-connections"), "{ended:#?}");
    match ended.status.code() {
        Some(0) => assert_eq!(ended.stdout.lines().count(), 2, "{ended:#?}"),
        Some(1) => assert!(lines.next().is_some_and(|error| error.contains("memory limit")), "{ended:#?}"),
        Some(code) => panic!("unexpected exit code {code}: {ended:#?}"),
        // Killed.
        None => {}
    }
}

/// With fewer connections it fits, also under load.
#[test]
fn watch_that_fits_counts_under_load() {
    const CONNECTIONS: u64 = 5_000;
    let _machine = Machine::alone();
    let limited = Limited::new("small");
    let peer = Peer::echo();
    let arguments = format!("-p {} -o json --exchanges --max-connections 2048", peer.port());
    let mut watch = RunningWatch::start_command(&mut limited.tool(&arguments));
    let mut kept: Vec<_> = (0..100).map(|_| peer.connect()).collect();
    visit(&peer, CONNECTIONS);
    kept.iter_mut().for_each(ask);
    drop(kept);
    peer.wait_for(CONNECTIONS + 100);
    watch.tool.signal(Signal::INT);
    let mut text = watch.first;
    watch.stdout.read_to_string(&mut text).expect("the output is UTF-8");
    assert_eq!(watch.tool.wait(Duration::from_mins(2)).code(), Some(0));
    let report = Report::read(text.lines().map(str::to_owned));
    let connections = CONNECTIONS + 100;
    report.assert_totals(&json!({ "opened": connections, "closed": connections, "exchanges": connections }));
    report.assert_totals(&json!({ "untracked": 0, "inexact": 0 }));
}
