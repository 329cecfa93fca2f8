//! What the kernel is like.

use std::fs;

use super::check::Check;
use crate::{
    host::cgroup,
    kernel::{
        btf::{KERNEL_BTF, Source},
        offsets::KernelTypes,
    },
};

/// The oldest kernel that has what the programs need: ring buffers (5.8), CAP_BPF (5.8), typed sockets in sock_ops (5.9),
/// iterators that work (5.10).
const OLDEST: (u32, u32) = (5, 10);

/// Where security modules show what they do; empty unless it is mounted.
const SECURITYFS: &str = "/sys/kernel/security";
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

/// The two numbers that a kernel's release begins with.
pub(super) fn numbers(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

pub(super) fn version(release: &str) -> Check {
    const NAME: &str = "kernel";
    match numbers(release) {
        Some(version) if version >= OLDEST => Check::ok(NAME, format!("Linux {release}")),
        Some(_) => Check::missing(NAME, format!("Linux {release} is too old"), "use Linux 5.10 or later"),
        None => Check::unknown(NAME, format!("the release {release} has no number")),
    }
}

/// Whether every field that the programs read can be found. Fails for a file that was given and is no use.
pub(super) fn type_information(source: Result<&Source, &anyhow::Error>) -> anyhow::Result<Check> {
    const NAME: &str = "btf";
    let Ok(source) = source else {
        return Ok(Check::missing(
            NAME,
            format!("this kernel shows no type information ({KERNEL_BTF}), by which its structures are read"),
            "use a kernel built with CONFIG_DEBUG_INFO_BTF, as those of Debian 11, Ubuntu 20.10, Fedora 31 and \
             later are; if it only keeps it elsewhere, give that by --btf FILE",
        ));
    };
    let found = format!("{}, {:.1} MB", source.path.display(), source.bytes.len() as f64 / 1e6);
    let types = match KernelTypes::read(source) {
        Ok(types) => types,
        Err(error) if source.is_given => return Err(error),
        Err(error) => return Ok(Check::missing(NAME, format!("{found}: {error:#}"), "give another by --btf FILE")),
    };
    let missing = types.missing_fields();
    if !missing.is_empty() {
        let detail = format!("{found}, has no field {}", missing.join(", "));
        let remedy = "give this kernel's own by --btf FILE, or use a kernel that has the fields";
        return Ok(Check::missing(NAME, detail, remedy));
    }
    let detail = format!("{found}, has every field that is needed");
    if source.differs_from_the_kernels() == Some(true) {
        let detail = format!("{detail}; but it is not what this kernel shows in {KERNEL_BTF}");
        let remedy = "leave --btf out: what is read by another kernel's type information can be wrong";
        return Ok(Check::ok(NAME, detail).with_remedy(remedy));
    }
    Ok(Check::ok(NAME, detail))
}

pub(super) fn lockdown() -> Check {
    const NAME: &str = "lockdown";
    match fs::read_to_string(LOCKDOWN) {
        Ok(text) => lockdown_level(&text),
        Err(_) if fs::read_dir(SECURITYFS).is_ok_and(|mut folder| folder.next().is_some()) => {
            Check::ok(NAME, "this kernel has none")
        }
        Err(_) => Check::unknown(NAME, format!("{LOCKDOWN} is not there: securityfs is not mounted"))
            .with_remedy(format!("to see it: mount -t securityfs none {SECURITYFS}")),
    }
}

/// The level is the one in brackets (security/lockdown/lockdown.c, `lockdown_read()`).
fn lockdown_level(text: &str) -> Check {
    const NAME: &str = "lockdown";
    let level = text.split(['[', ']']).nth(1).unwrap_or("");
    match level {
        "none" | "integrity" => Check::ok(NAME, format!("{level}: allows kprobes and reading the kernel's memory")),
        "confidentiality" => Check::missing(
            NAME,
            "confidentiality: forbids kprobes and reading the kernel's memory, which the programs do",
            "start the kernel with lockdown=integrity, or without lockdown",
        ),
        _ => Check::unknown(NAME, format!("{LOCKDOWN} says {:?}", text.trim())),
    }
}

/// Where sock_ops hangs.
pub(super) fn cgroup_v2() -> Check {
    const NAME: &str = "cgroup-v2";
    match cgroup::open_root() {
        Ok(_) => {
            let place = cgroup::mounted().ok().flatten();
            Check::ok(NAME, place.map_or("not mounted, but can be".into(), |path| format!("its root is {path}")))
        }
        Err(why) => Check::missing(
            NAME,
            why,
            "in a container, give it the machine's cgroups (docker run \
             --cgroupns=host, or -v /sys/fs/cgroup:/node/sys/fs/cgroup:ro); else: \
             mount -t cgroup2 none /sys/fs/cgroup",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn old_kernels_are_told() {
        for (release, status) in [
            ("5.10.0-28-amd64", Status::Ok),
            ("6.18.44-fc-v669", Status::Ok),
            ("7.0-rc1", Status::Ok),
            ("5.9.16", Status::Missing),
            ("4.19.0", Status::Missing),
            ("next", Status::Unknown),
        ] {
            assert_eq!(version(release).status, status, "{release}");
        }
    }

    #[test]
    fn the_lockdown_level_is_named() {
        let confidential = lockdown_level("none integrity [confidentiality]\n");
        assert_eq!(confidential.status, Status::Missing);
        assert!(confidential.detail.contains("confidentiality") && confidential.detail.contains("kprobes"));
        assert_eq!(lockdown_level("none [integrity] confidentiality\n").status, Status::Ok);
        assert_eq!(lockdown_level("[none] integrity confidentiality\n").status, Status::Ok);
        assert_eq!(lockdown_level("").status, Status::Unknown);
    }
}
