//! Attribution to the container or unit of a process, through the cgroup that the test puts it into.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::{
    eventually,
    machine::Machine,
    peer::{Peer, bash_request},
    programs::{output_of, program},
    report::{Report, assert_fields},
    tool::Process,
};

/// The parent cgroup of a test.
pub(crate) fn parent(test: &str) -> String {
    format!("tcp-reuse-watch-{}-{test}", std::process::id())
}

/// The cgroup v2 hierarchy: the mounted one, or a mount of the test's own.
pub(crate) struct Hierarchy {
    root: PathBuf,
    mounted: Option<TempDir>,
}

impl Hierarchy {
    pub(crate) fn open() -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").expect("cannot read the mounts");
        let is_unified = |line: &&str| line.split(' ').nth(2) == Some("cgroup2");
        if let Some(line) = mounts.lines().find(is_unified) {
            return Self {
                root: line.split(' ').nth(1).expect("a mount line has a mount point").into(),
                mounted: None,
            };
        }
        let folder = tempdir().expect("cannot create a directory");
        mount("cgroup2", folder.path(), "cgroup2", MountFlags::empty(), None).expect("cannot mount cgroup v2");
        Self { root: folder.path().into(), mounted: Some(folder) }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Creates the cgroup at this path.
    pub(crate) fn cgroup(&self, path: &str) -> Cgroup<'_> {
        let path = self.root.join(path);
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("cannot create {}: {error}", path.display()));
        Cgroup { path, hierarchy: self }
    }
}

impl Drop for Hierarchy {
    fn drop(&mut self) {
        if let Some(folder) = &self.mounted {
            let _ = unmount(folder.path(), UnmountFlags::DETACH);
        }
    }
}

pub(crate) struct Cgroup<'a> {
    path: PathBuf,
    hierarchy: &'a Hierarchy,
}

impl Cgroup<'_> {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A bash in this cgroup that has one exchange with an echo peer at this port, and then runs `then`.
    pub(crate) fn client(&self, port: u16, then: &str) -> Command {
        let procs = self.path.join("cgroup.procs");
        let mut bash = program("bash", "bash");
        bash.arg("-c").arg(format!("echo 0 >{} || exit 1; {}; {then}", procs.display(), bash_request(port)));
        bash.stdin(Stdio::piped());
        bash
    }
}

impl Drop for Cgroup<'_> {
    /// Removes its empty parents too.
    fn drop(&mut self) {
        for folder in self.path.ancestors().take_while(|folder| **folder != self.hierarchy.root) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

/// The group of a process, or the group of ended processes.
fn group(report: &Report, pid: Option<u32>) -> &Value {
    let mut groups = report.groups().iter().filter(|group| group["pid"] == json!(pid));
    groups.next().unwrap_or_else(|| panic!("no group of {pid:?}: {:#}", report.summary))
}

/// A process of a container that keeps running, one of a unit that exits before its cgroup could be read, and one of
/// neither that has since moved to another cgroup.
#[test]
fn processes_are_attributed_to_their_container_or_unit() {
    const ID: &str = "3f4e1d0c9b8a7f6e5d4c3b2a190807f6e5d4c3b2a1908f7e6d5c4b3a29180706";
    let machine = Machine::shared();
    let hierarchy = Hierarchy::open();
    let container = hierarchy.cgroup(&format!("{}/docker-{ID}.scope/below", parent("known")));
    let unit = hierarchy.cgroup(&format!("{}/shop.slice/shop-api@1.service", parent("known")));
    let neither = hierarchy.cgroup(&format!("{}/jobs", parent("known")));
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {}", peer.port()));
    let runs = Process::start(&mut container.client(peer.port(), "read"));
    output_of(&mut unit.client(peer.port(), "true"));
    let away = format!("echo 0 >{}/cgroup.procs; read", hierarchy.root.display());
    let moved = Process::start(&mut neither.client(peer.port(), &away));
    eventually("all three clients are connected", || peer.accepted() == 3);
    let is_away = || !fs::read_to_string(format!("/proc/{}/cgroup", moved.id())).unwrap().contains("/jobs");
    eventually("the process has moved", is_away);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 3, "exchanges": 3 }));
    assert_fields(group(&report, Some(runs.id())), &json!({ "process": "bash", "cgroup": ID }));
    assert_fields(group(&report, Some(moved.id())), &json!({ "cgroup": format!("/{}/jobs", parent("known")) }));
    let ended: Vec<&Value> = report.groups().iter().filter(|group| group["cgroup"] == "shop-api@1.service").collect();
    assert!(matches!(ended.as_slice(), [group] if group["exchanges"] == 1), "{:#}", report.summary);
}

/// RunOutput processes of one name share a group, which has a cgroup only if they all had the same one.
#[test]
fn ended_processes_of_different_units_share_no_cgroup() {
    let machine = Machine::shared();
    let hierarchy = Hierarchy::open();
    let one = hierarchy.cgroup(&format!("{}/one.service", parent("mixed")));
    let other = hierarchy.cgroup(&format!("{}/other.service", parent("mixed")));
    let (alike, mixed) = (Peer::echo(), Peer::echo());
    let watch = machine.watch(format!("-p {},{}", alike.port(), mixed.port()));
    for _ in 0..3 {
        output_of(&mut one.client(alike.port(), "true"));
        output_of(&mut one.client(mixed.port(), "true"));
    }
    output_of(&mut other.client(mixed.port(), "true"));
    let report = watch.end();
    report.assert_complete();
    let of = |port: u16| report.groups().iter().find(|group| group["port"] == port).expect("no group of this port");
    assert_fields(of(alike.port()), &json!({ "processes": 3, "cgroup": "one.service" }));
    assert_fields(of(mixed.port()), &json!({ "processes": 4, "cgroup": null }));
}
