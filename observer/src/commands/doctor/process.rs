//! What this process may do, and where it is.

use std::{env, fs, io, os::unix::fs::MetadataExt as _, path::Path};

use rustix::{
    process::{Resource, getrlimit},
    thread::{CapabilitySet, capabilities as capabilities_of_thread},
};

use super::{check::Check, machine};
use crate::{
    host::cgroup,
    host::privileges::{Holding, command_with_sudo, holdings, in_initial_user_namespace},
};

/// Inode of the initial one, include/linux/proc_ns.h, `PROC_PID_INIT_INO`.
const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// From here on BPF memory is charged to the cgroup, and not to the limit of locked memory.
const WITHOUT_MEMORY_LOCK: (u32, u32) = (5, 11);

pub(super) fn capabilities() -> anyhow::Result<[Check; 3]> {
    Ok(holdings()?.map(|(name, holding)| {
        let what_for = match name {
            "CAP_BPF" => "creates the maps and loads the programs",
            "CAP_PERFMON" => "lets the programs read the kernel's memory",
            _ => "lets sock_ops be loaded and attached",
        };
        match holding {
            Holding::Held => Check::ok(name, what_for),
            Holding::BySysAdmin => Check::ok(name, format!("{what_for}; CAP_SYS_ADMIN stands in for it")),
            Holding::Missing => Check::missing(name, format!("it {what_for}"), format!("run: {}", command_with_sudo())),
        }
    }))
}

pub(super) fn memory_lock(release: &str) -> Check {
    const NAME: &str = "memory-lock";
    let limit = getrlimit(Resource::Memlock);
    let told = limit.current.map_or("no limit".into(), |bytes| format!("the limit is {} KiB", bytes >> 10));
    if machine::numbers(release).is_some_and(|version| version >= WITHOUT_MEMORY_LOCK) {
        return Check::ok(NAME, format!("{told}; Linux 5.11 and later do not need it"));
    }
    // aya raises it before it creates the first map.
    let can_raise =
        || capabilities_of_thread(None).is_ok_and(|has| has.effective.contains(CapabilitySet::SYS_RESOURCE));
    match (limit.current, limit.maximum) {
        (None, _) => Check::ok(NAME, told),
        (Some(_), maximum) if maximum.is_none() || can_raise() => Check::ok(NAME, format!("{told}, and is raised")),
        (Some(_), _) => Check::unknown(NAME, format!("{told}; before Linux 5.11 the maps count in it (44 MB)"))
            .with_remedy("if the maps are refused: ulimit -l unlimited, as root"),
    }
}

fn in_initial_pid_namespace() -> io::Result<bool> {
    Ok(fs::metadata("/proc/self/ns/pid")?.ino() == INITIAL_PID_NAMESPACE)
}

pub(super) fn user_namespace() -> Check {
    const NAME: &str = "user-namespace";
    match in_initial_user_namespace() {
        Ok(true) => Check::ok(NAME, "the machine's own"),
        Ok(false) => Check::missing(
            NAME,
            "not the machine's own: root in here has no say over the kernel, whatever its capabilities",
            "run it outside (of the rootless container, of unshare)",
        ),
        Err(error) => Check::unknown(NAME, format!("/proc/self/ns/user: {error}")),
    }
}

pub(super) fn container() -> Check {
    const NAME: &str = "container";
    let what = container_name().map_or("no sign of one".into(), |name| format!("inside one ({name})"));
    let mut walls = Vec::new();
    let sees_root = || cgroup::mounted().is_ok_and(|root| root.is_some());
    if cgroup::in_initial_namespace().is_ok_and(|initial| !initial) && !sees_root() {
        walls.push(("cgroup", "--cgroupns=host"));
    }
    if in_initial_pid_namespace().is_ok_and(|initial| !initial) {
        walls.push(("pid", "--pid=host"));
    }
    if walls.is_empty() {
        return Check::ok(NAME, format!("{what}; cgroups and processes are seen as the machine's"));
    }
    let (kinds, options): (Vec<_>, Vec<_>) = walls.into_iter().unzip();
    Check::missing(
        NAME,
        format!("{what}, with namespaces of its own ({}): not all of the machine is seen", kinds.join(", ")),
        format!("start it with: docker run --privileged {}", options.join(" ")),
    )
}

/// What runs this container, by the marks that it leaves.
fn container_name() -> Option<String> {
    let from_systemd = || fs::read_to_string("/run/systemd/container").ok().map(|name| name.trim().to_string());
    let marked = |path: &str, name: &str| Path::new(path).exists().then(|| name.to_string());
    env::var("container")
        .ok()
        .filter(|name| !name.is_empty())
        .or_else(from_systemd)
        .or_else(|| marked("/.dockerenv", "docker"))
        .or_else(|| marked("/run/.containerenv", "podman"))
}
