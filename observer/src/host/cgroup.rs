//! The root of cgroup v2. sock_ops attached there sees every socket of the machine.

use std::{
    fs, io,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
};

use rustix::{
    fs::{Mode, OFlags, open},
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
};

/// An open descriptor of the root of cgroup v2, to which sock_ops attaches.
pub(crate) type CgroupRoot = OwnedFd;

/// Inode of the initial cgroup namespace (include/linux/proc_ns.h, `PROC_CGROUP_INIT_INO`).
const INITIAL_CGROUP_NAMESPACE: u64 = 0xEFFF_FFFB;

/// Inode of the root (kernel/cgroup/cgroup.c, `cgroup_setup_root()`, since 5.5). The top of a container's own mount
/// looks like the root, but is only a part of the hierarchy and has another inode.
const ROOT_INODE: u64 = 1;

/// Opens the root. The error says why that is impossible.
pub(crate) fn open_root() -> Result<CgroupRoot, String> {
    match mounted().map_err(|error| format!("cannot read the mount table: {error}"))? {
        Some(path) => open(&path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| format!("cannot open {path}: {error}")),
        None if in_initial_namespace().map_err(|error| format!("cannot read the cgroup namespace: {error}"))? => {
            mount().map_err(|error| format!("cgroup v2 is not mounted, and mounting it failed: {error}"))
        }
        None => {
            Err("this process is in a cgroup namespace (a container) in which the machine's root is not mounted".into())
        }
    }
}

/// Whether this process sees the machine's cgroups, not only those of a container.
pub(crate) fn in_initial_namespace() -> io::Result<bool> {
    Ok(fs::metadata("/proc/self/ns/cgroup")?.ino() == INITIAL_CGROUP_NAMESPACE)
}

/// Where the root of cgroup v2 is mounted.
pub(crate) fn mounted() -> io::Result<Option<String>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(mount_points(&mounts).find(|path| fs::metadata(path).is_ok_and(|directory| directory.ino() == ROOT_INODE)))
}

/// Mount points of cgroup v2 or of a part of it, from /proc/self/mountinfo (proc_pid_mountinfo(5)). In a hybrid layout
/// they are below the directory of cgroup v1.
pub(super) fn mount_points(mounts: &str) -> impl Iterator<Item = String> {
    mounts.lines().filter_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?;
        (filesystem.split(' ').next() == Some("cgroup2")).then(|| unescape(point))
    })
}

/// Decodes the octal escapes of mountinfo: space, tab, newline and backslash.
fn unescape(text: &str) -> String {
    [(r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", r"\")]
        .into_iter()
        .fold(text.to_string(), |text, (code, character)| text.replace(code, character))
}

/// Mounts cgroup v2 detached from any path. The mount goes away with its descriptor.
fn mount() -> rustix::io::Result<CgroupRoot> {
    let context = fsopen("cgroup2", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_found_in_every_layout() {
        let unified = "29 1 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw";
        let hybrid = "30 25 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      31 25 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
        let container = "40 1 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n\
                         41 1 0:26 /../../.. /host\\040s/cgroup ro master:4 - cgroup2 cgroup2 rw";
        for (mounts, points) in [
            (unified, &["/sys/fs/cgroup"][..]),
            (hybrid, &["/sys/fs/cgroup/unified"]),
            (container, &["/sys/fs/cgroup", "/host s/cgroup"]),
            ("nonsense\n\n - ", &[]),
        ] {
            assert_eq!(mount_points(mounts).collect::<Vec<_>>(), points);
        }
        assert_eq!(unescape(r"/a\040b"), "/a b");
    }

    #[test]
    fn root_has_the_inode_of_the_root() {
        if let Some(path) = mounted().unwrap() {
            assert_eq!(fs::metadata(path).unwrap().ino(), ROOT_INODE);
        }
    }
}
