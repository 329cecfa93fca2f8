//! The root of cgroup v2. sock_ops attached there sees every socket of the machine.

use std::{
    fs, io,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
};

use rustix::{
    fs::{Mode, OFlags, open},
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
};

use super::namespaces::Namespace;

/// An open descriptor of the root of cgroup v2, to which sock_ops attaches.
pub(crate) type CgroupRoot = OwnedFd;

/// Inode of the root (kernel/cgroup/cgroup.c, `cgroup_setup_root()`, since 5.5). The top of a container's own mount
/// looks like the root, but is only a part of the hierarchy and has another inode.
const ROOT_INODE: u64 = 1;

/// What makes the root visible on a machine with cgroup v1 only. It hides nothing, as a mount over /sys/fs/cgroup would.
pub(crate) const MOUNT_COMMAND: &str = "mkdir -p /run/cgroup2 && mount -t cgroup2 none /run/cgroup2";

/// Opens the root. The error says why that is impossible.
pub(crate) fn open_root() -> Result<CgroupRoot, String> {
    match mounted().map_err(|error| format!("cannot read the mount table: {error}"))? {
        Some(path) => open(&path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| format!("cannot open {path}: {error}")),
        None if Namespace::Cgroup
            .is_initial()
            .map_err(|error| format!("cannot read the cgroup namespace: {error}"))? =>
        {
            mount().map_err(|error| {
                format!("cgroup v2 is not mounted, and mounting it failed: {error}; as root, run: {MOUNT_COMMAND}")
            })
        }
        None => {
            Err("this process is in a cgroup namespace (a container) in which the machine's root is not mounted".into())
        }
    }
}

/// Where the root of cgroup v2 is mounted.
pub(crate) fn mounted() -> io::Result<Option<String>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(mount_points(&mounts).find(|path| fs::metadata(path).is_ok_and(|directory| directory.ino() == ROOT_INODE)))
}

/// Mount points of the memory controller, of cgroup v2 or v1 or of parts of them.
pub(crate) fn memory_mounts() -> io::Result<Vec<String>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(mount_points(&mounts).chain(v1_mount_points(&mounts, "memory")).collect())
}

/// Mount points of a controller in cgroup v1. The controllers of a mount are among its options.
fn v1_mount_points<'a>(mounts: &'a str, controller: &'a str) -> impl Iterator<Item = String> + 'a {
    mounts.lines().filter_map(move |line| {
        let (mount, filesystem) = line.split_once(" - cgroup ")?;
        let mut options = filesystem.split(' ').nth(1)?.split(',');
        options.any(|option| option == controller).then(|| mount.split(' ').nth(4).map(unescape))?
    })
}

/// Mount points of cgroup v2 or of a part of it, from /proc/self/mountinfo (proc_pid_mountinfo(5)). In a hybrid layout
/// they are below the directory of cgroup v1.
fn mount_points(mounts: &str) -> impl Iterator<Item = String> {
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
        let memory = "31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      30 25 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu";
        assert_eq!(v1_mount_points(memory, "memory").collect::<Vec<_>>(), ["/sys/fs/cgroup/memory"]);
    }

    #[test]
    fn root_has_the_inode_of_the_root() {
        if let Some(path) = mounted().unwrap() {
            assert_eq!(fs::metadata(path).unwrap().ino(), ROOT_INODE);
        }
    }
}
