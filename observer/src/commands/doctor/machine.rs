//! Checks of the kernel and the machine.

use std::fs;

use super::check::Check;
use crate::{
    host::cgroup,
    kernel::{
        btf::{KERNEL_BTF, Source},
        offsets::KernelTypes,
    },
};

/// The oldest supported kernel. The programs need ring buffers (5.8), CAP_BPF (5.8), typed sockets in sock_ops (5.9)
/// and working iterators (5.10).
const OLDEST: (u32, u32) = (5, 10);

/// The mount point of securityfs. The directory is empty if it is not mounted.
const SECURITYFS: &str = "/sys/kernel/security";
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

/// Major and minor version of a kernel release.
pub(super) fn version_of(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

pub(super) fn version(release: &str) -> Check {
    const NAME: &str = "kernel";
    match version_of(release) {
        Some(version) if version >= OLDEST => Check::ok(NAME, format!("Linux {release}")),
        Some(_) => Check::missing(NAME, format!("Linux {release} is too old"), "use Linux 5.10 or later"),
        None => Check::unknown(NAME, format!("the release {release} has no version number")),
    }
}

/// Checks that the type information has every field that the programs read. Fails if `--btf` gave an unusable file.
pub(super) fn type_information(source: Result<&Source, &anyhow::Error>) -> anyhow::Result<Check> {
    const NAME: &str = "btf";
    let Ok(source) = source else {
        return Ok(Check::missing(
            NAME,
            format!("cannot read this kernel's type information ({KERNEL_BTF})"),
            "use a kernel built with CONFIG_DEBUG_INFO_BTF, such as those of Debian 11, Ubuntu 20.10, Fedora 31 and \
             later, or give the file by --btf FILE",
        ));
    };
    let found = format!("{}, {:.1} MB", source.path.display(), source.bytes.len() as f64 / 1e6);
    let types = match KernelTypes::read(source) {
        Ok(types) => types,
        Err(error) if source.is_given => return Err(error),
        Err(error) => {
            return Ok(Check::missing(NAME, format!("{found}: {error:#}"), "give another file by --btf FILE"));
        }
    };
    let missing = types.missing_fields();
    if !missing.is_empty() {
        let detail = format!("{found}, has no field {}", missing.join(", "));
        let remedy = "give this kernel's own file by --btf FILE, or use a kernel that has the fields";
        return Ok(Check::missing(NAME, detail, remedy));
    }
    let detail = format!("{found}, has every required field");
    if source.differs_from_the_kernels() == Some(true) {
        let detail = format!("{detail}; but it differs from this kernel's {KERNEL_BTF}");
        let remedy = "omit --btf: with the type information of another kernel, the counts can be wrong";
        return Ok(Check::ok(NAME, detail).with_remedy(remedy));
    }
    Ok(Check::ok(NAME, detail))
}

pub(super) fn lockdown() -> Check {
    const NAME: &str = "lockdown";
    match fs::read_to_string(LOCKDOWN) {
        Ok(text) => lockdown_level(&text),
        Err(_) if fs::read_dir(SECURITYFS).is_ok_and(|mut folder| folder.next().is_some()) => {
            Check::ok(NAME, "this kernel has no lockdown")
        }
        Err(_) => Check::unknown(NAME, format!("cannot read {LOCKDOWN}: securityfs is not mounted"))
            .with_remedy(format!("to find out, run: mount -t securityfs none {SECURITYFS}")),
    }
}

/// The current level is in brackets (security/lockdown/lockdown.c, `lockdown_read()`).
fn lockdown_level(text: &str) -> Check {
    const NAME: &str = "lockdown";
    let level = text.split(['[', ']']).nth(1).unwrap_or("");
    match level {
        "none" | "integrity" => Check::ok(NAME, format!("{level}: allows kprobes and reading kernel memory")),
        "confidentiality" => Check::missing(
            NAME,
            "confidentiality: forbids kprobes and reading kernel memory, which the programs do",
            "start the kernel with lockdown=integrity, or without lockdown",
        ),
        _ => Check::unknown(NAME, format!("{LOCKDOWN} says {:?}", text.trim())),
    }
}

/// Checks the root of cgroup v2, to which sock_ops attaches.
pub(super) fn cgroup_v2() -> Check {
    const NAME: &str = "cgroup-v2";
    match cgroup::open_root() {
        Ok(_) => {
            let mount_point = cgroup::mounted().ok().flatten();
            let detail = mount_point.map_or("not mounted, but can be".into(), |path| format!("its root is {path}"));
            Check::ok(NAME, detail)
        }
        Err(why) => Check::missing(
            NAME,
            why,
            format!(
                "in a container, share the machine's cgroups (docker run --cgroupns=host, or -v \
                 /sys/fs/cgroup:/node/sys/fs/cgroup:ro); otherwise run: {}",
                cgroup::MOUNT_COMMAND
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn kernels_before_5_10_are_too_old() {
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
    fn lockdown_level_is_the_bracketed_one() {
        let confidential = lockdown_level("none integrity [confidentiality]\n");
        assert_eq!(confidential.status, Status::Missing);
        assert!(confidential.detail.contains("confidentiality") && confidential.detail.contains("kprobes"));
        assert_eq!(lockdown_level("none [integrity] confidentiality\n").status, Status::Ok);
        assert_eq!(lockdown_level("[none] integrity confidentiality\n").status, Status::Ok);
        assert_eq!(lockdown_level("").status, Status::Unknown);
    }
}
