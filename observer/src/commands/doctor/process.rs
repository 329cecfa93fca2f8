//! Checks of this process: its privileges and namespaces.

use std::{env, fs, path::Path};

use rustix::{
    process::{Resource, getrlimit},
    thread::{CapabilitySet, capabilities as capabilities_of_thread},
};

use super::{check::Check, machine};
use crate::host::{
    cgroup,
    namespaces::Namespace,
    privileges::{CapabilityState, capability_states, command_with_sudo},
};

/// Since 5.11, BPF memory is charged to the cgroup instead of the limit of locked memory.
const WITHOUT_MEMORY_LOCK: (u32, u32) = (5, 11);

pub(super) fn capabilities() -> anyhow::Result<[Check; 3]> {
    Ok(capability_states()?.map(|(name, state)| {
        let purpose = match name {
            "CAP_BPF" => "needed to create the maps and load the programs",
            "CAP_PERFMON" => "needed by programs that read kernel memory",
            _ => "needed to load and attach sock_ops",
        };
        match state {
            CapabilityState::Held => Check::ok(name, purpose),
            CapabilityState::BySysAdmin => Check::ok(name, format!("{purpose}; included in CAP_SYS_ADMIN")),
            CapabilityState::Missing => Check::missing(name, purpose, format!("run: {}", command_with_sudo())),
        }
    }))
}

pub(super) fn memory_lock(release: &str) -> Check {
    const NAME: &str = "memory-lock";
    let limit = getrlimit(Resource::Memlock);
    let found = limit.current.map_or("no limit".into(), |bytes| format!("the limit is {} KiB", bytes >> 10));
    if machine::version_of(release).is_some_and(|version| version >= WITHOUT_MEMORY_LOCK) {
        return Check::ok(NAME, format!("{found}; Linux 5.11 and later ignore it"));
    }
    // aya raises the limit before it creates the first map.
    let can_raise =
        || capabilities_of_thread(None).is_ok_and(|has| has.effective.contains(CapabilitySet::SYS_RESOURCE));
    match (limit.current, limit.maximum) {
        (None, _) => Check::ok(NAME, found),
        (Some(_), maximum) if maximum.is_none() || can_raise() => Check::ok(NAME, format!("{found}, and is raised")),
        (Some(_), _) => Check::unknown(NAME, format!("{found}; before Linux 5.11 it must cover the maps (44 MB)"))
            .with_remedy("if the maps are refused, run as root: ulimit -l unlimited"),
    }
}

pub(super) fn user_namespace() -> Check {
    const NAME: &str = "user-namespace";
    match Namespace::User.is_initial() {
        Ok(true) => Check::ok(NAME, "the machine's own"),
        Ok(false) => Check::missing(
            NAME,
            "not the machine's own: the kernel ignores capabilities that were granted here",
            "run it outside the rootless container or unshare",
        ),
        Err(error) => Check::unknown(NAME, format!("cannot read /proc/self/ns/user: {error}")),
    }
}

pub(super) fn container() -> Check {
    const NAME: &str = "container";
    let what = container_name().map_or("none found".into(), |name| format!("inside a container ({name})"));
    let mut isolated = Vec::new();
    let sees_root = || cgroup::mounted().is_ok_and(|root| root.is_some());
    if Namespace::Cgroup.is_initial().is_ok_and(|initial| !initial) && !sees_root() {
        isolated.push(("cgroup", "--cgroupns=host"));
    }
    if Namespace::Pid.is_initial().is_ok_and(|initial| !initial) {
        isolated.push(("pid", "--pid=host"));
    }
    if isolated.is_empty() {
        return Check::ok(NAME, format!("{what}; the machine's cgroups and processes are visible"));
    }
    let (kinds, options): (Vec<_>, Vec<_>) = isolated.into_iter().unzip();
    Check::missing(
        NAME,
        format!("{what}, with its own namespaces ({}): it hides parts of the machine", kinds.join(", ")),
        format!("start it with: docker run --privileged {}", options.join(" ")),
    )
}

/// The container's runtime, by the files and variables that it leaves.
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
