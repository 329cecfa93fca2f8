//! The root of cgroup v2, where sock_ops sees every socket of the machine.

use std::{fs, io, os::unix::fs::MetadataExt as _};

use rustix::{
    fs::{Mode, OFlags, open},
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
};

use super::CgroupRoot;

/// Inode of the initial cgroup namespace (include/linux/proc_ns.h, `PROC_CGROUP_INIT_INO`): in any other one the root
/// that can be reached is not the machine's.
const INITIAL_CGROUP_NAMESPACE: u64 = 0xEFFF_FFFB;

/// Opens the root, or says why it cannot be reached.
pub(crate) fn open_root() -> Result<CgroupRoot, String> {
    if !in_initial_namespace().map_err(|error| format!("no cgroup namespace: {error}"))? {
        return Err("this is a cgroup namespace of its own (a container): the machine's root cannot be reached".into());
    }
    match mounted().map_err(|error| format!("no mount table: {error}"))? {
        Some(path) => open(&path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| format!("cannot open {path}: {error}")),
        None => mount().map_err(|error| format!("cgroup v2 is not mounted, and cannot be: {error}")),
    }
}

/// Whether this process sees the machine's cgroups, and not a container's part of them.
pub(crate) fn in_initial_namespace() -> io::Result<bool> {
    Ok(fs::metadata("/proc/self/ns/cgroup")?.ino() == INITIAL_CGROUP_NAMESPACE)
}

/// Where the root of cgroup v2 is mounted, if it is.
pub(crate) fn mounted() -> io::Result<Option<String>> {
    Ok(mount_point(&fs::read_to_string("/proc/self/mountinfo")?))
}

/// Where the root of cgroup v2 is mounted, from /proc/self/mountinfo (proc_pid_mountinfo(5)): in a hybrid layout under
/// cgroup v1's folder.
fn mount_point(mounts: &str) -> Option<String> {
    mounts.lines().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        (filesystem.split(' ').next() == Some("cgroup2") && root == "/").then(|| unescaped(point))
    })
}

/// mountinfo writes space, tab, newline and backslash as three octal digits.
fn unescaped(text: &str) -> String {
    [(r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", r"\")]
        .into_iter()
        .fold(text.to_string(), |text, (code, character)| text.replace(code, character))
}

/// A mount that no path leads to: it is gone with its descriptor.
fn mount() -> rustix::io::Result<CgroupRoot> {
    let context = fsopen("cgroup2", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_in_unified_and_hybrid_layouts() {
        let unified = "29 1 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw";
        assert_eq!(mount_point(unified).as_deref(), Some("/sys/fs/cgroup"));
        let hybrid = "30 25 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      31 25 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
        assert_eq!(mount_point(hybrid).as_deref(), Some("/sys/fs/cgroup/unified"));
    }

    #[test]
    fn a_mount_of_a_part_is_not_the_root() {
        let part = "29 1 0:26 /system.slice /mnt/part rw - cgroup2 cgroup2 rw";
        assert_eq!(mount_point(part), None);
        assert_eq!(mount_point("nonsense\n\n - "), None);
        assert_eq!(unescaped(r"/a\040b"), "/a b");
    }
}
