//! The memory limit of this process's cgroup. It covers what the kernel holds for a watch too: the maps (since 5.11), and
//! during the start the verifier. Where it is too low, the kernel kills the program, which can then say nothing any more.

use std::{fs, path::Path};

use super::cgroup;

/// What a start takes besides the connections: 60 MiB were measured on Linux 6.18, about half of it by the verifier.
/// Afterwards rows and groups have that room.
const START_BYTES: u64 = 64 << 20;

/// What the kernel accounts for each connection that a watch can track.
const CONNECTION_BYTES: u64 = 344;

/// The file of the limit in cgroup v2 and in v1.
const FILES: [&str; 2] = ["memory.max", "memory.limit_in_bytes"];

/// A warning if the limit is lower than what a watch of this many connections may take.
pub(crate) fn warning(max_connections: u32) -> Option<String> {
    let needed = START_BYTES + CONNECTION_BYTES * u64::from(max_connections);
    let limit = limit()?;
    (limit < needed).then(|| {
        format!(
            "the memory limit of this cgroup is {} MiB, and a watch of {max_connections} connections may take {} MiB: \
             the kernel may end it without a word; raise the limit, or lower --max-connections",
            limit >> 20,
            needed >> 20
        )
    })
}

/// The lowest limit of this process's cgroups and of those above them. None: none is visible.
fn limit() -> Option<u64> {
    let cgroups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let limits = cgroup::memory_mounts().ok()?.into_iter().filter_map(|mount| lowest(Path::new(&mount), &cgroups));
    limits.min()
}

/// The lowest limit below this mount point. `cgroups`: the text of /proc/PID/cgroup.
fn lowest(mount: &Path, cgroups: &str) -> Option<u64> {
    // A container's mount begins with its own cgroup, whatever the path says, so each part of the path is tried.
    let folders =
        cgroups.lines().filter_map(|line| line.splitn(3, ':').nth(2)).flat_map(|path| Path::new(path).ancestors());
    let files = folders.flat_map(|folder| {
        let folder = mount.join(folder.strip_prefix("/").unwrap_or(folder));
        FILES.map(|file| folder.join(file))
    });
    files.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    #[test]
    fn lowest_limit_on_the_way_to_the_root_applies() {
        let mount = tempdir().unwrap();
        let write = |path: &str, limit: &str| {
            let path = mount.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, limit).unwrap();
        };
        let cgroups = "4:memory:/pod/container\n0::/pod/container\n";
        assert_eq!(lowest(mount.path(), cgroups), None);
        write("pod/container/memory.max", "max\n");
        assert_eq!(lowest(mount.path(), cgroups), None);
        write("pod/memory.max", "67108864\n");
        write("other/memory.max", "1\n");
        assert_eq!(lowest(mount.path(), cgroups), Some(64 << 20));
        // cgroup v1, mounted in a container, where the path is that of the machine.
        write("memory.limit_in_bytes", "1048576\n");
        assert_eq!(lowest(mount.path(), "4:memory:/docker/1234\n"), Some(1 << 20));
    }
}
