//! Names of the cgroups of processes. The kernel side reports the id of a cgroup in v2, which is the inode of its
//! directory. While the process runs, /proc/PID/cgroup names it. After that, a walk over all cgroup directories finds
//! it by id.
//!
//! Neither needs privileges. Containers and units in cgroup v1, which has no ids, are only found while the process
//! runs.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, DirEntry},
    mem,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use super::{
    cgroup, clock::CpuTimer, namespaces::why_processes_are_unknown, processes::start_ticks_of, throttle::Throttle,
};
use observer_core::{
    cgroup_name,
    model::{GroupKey, GroupSample},
};

/// Maximum number of directories that one walk visits.
const MAX_DIRECTORIES: usize = 50_000;

/// Cached names. The cache is cleared when it is full.
const MAX_NAMES: usize = 10_000;

/// Idle time after a walk, as a multiple of its cost: walks take at most 1 % of a CPU.
const IDLE_FACTOR: u32 = 100;

/// More than one walk per sample is useless.
const MIN_INTERVAL: Duration = Duration::from_millis(500);

/// None: the root cgroup, or not found.
type Name = Option<Arc<str>>;

pub(crate) struct Cgroups {
    /// Whether a process can be looked up by what the kernel side reports of it.
    sees_processes: bool,
    /// The mount point of v2.
    root: Option<PathBuf>,
    /// Names of the groups in the last sample, if they have been looked up.
    groups: HashMap<GroupKey, Name>,
    /// Names by id, from walks and from running processes.
    directories: HashMap<u64, Name>,
    walks: Throttle,
    /// The walk that ran out of its budget.
    walk: Option<Walk>,
}

impl Cgroups {
    pub(crate) fn new() -> Self {
        let root = cgroup::mounted().ok().flatten().map(PathBuf::from);
        Self {
            sees_processes: why_processes_are_unknown().is_none(),
            root,
            groups: HashMap::new(),
            directories: HashMap::new(),
            walks: Throttle::new(IDLE_FACTOR, MIN_INTERVAL),
            walk: None,
        }
    }

    /// Fills in the names of a sample's groups. `last`: walks even if no walk is due, because this sample is the last.
    pub(crate) fn fill_in(&mut self, groups: &mut [GroupSample], last: bool) {
        if self.directories.len() >= MAX_NAMES {
            self.directories.clear();
        }
        let mut previous = mem::take(&mut self.groups);
        let mut unknown = Vec::new();
        for group in groups.iter_mut().filter(|group| group.key.tgid > 0) {
            let (key, id) = (group.key, group.counters.cgroup);
            let known = previous.remove(&key).or_else(|| self.of_running(key, id)).or_else(|| self.of_directory(id));
            match known {
                Some(name) => self.put(group, name),
                None => unknown.push(group),
            }
        }
        if unknown.is_empty() || !last && !self.walks.is_due() {
            return;
        }
        let budget = if last { Budget::LAST } else { Budget::USUAL };
        if last {
            // A walk that is under way may have passed directories that this sample asks for.
            self.walk = None;
        }
        self.walk(unknown.iter().map(|group| group.counters.cgroup).collect(), budget);
        for group in unknown {
            if let Some(name) = self.of_directory(group.counters.cgroup) {
                self.put(group, name);
            }
        }
    }

    fn put(&mut self, group: &mut GroupSample, name: Name) {
        group.cgroup.clone_from(&name);
        if !group.ended {
            self.groups.insert(group.key, name);
        }
    }

    /// The outer None: the process has exited or cannot be looked up, or has moved to another cgroup since.
    fn of_running(&mut self, key: GroupKey, id: u64) -> Option<Name> {
        if !self.sees_processes {
            return None;
        }
        let cgroups = fs::read(format!("/proc/{}/cgroup", key.tgid)).ok()?;
        let cgroups = String::from_utf8_lossy(&cgroups);
        if start_ticks_of(key.tgid) != Some(key.start_ticks) {
            return None;
        }
        let path = cgroup_name::v2_path(&cgroups);
        let current = path.and_then(|path| self.id_of(path));
        if id > 0 && current.is_some_and(|current| current != id) {
            return None;
        }
        // Cached for short-lived processes of the same cgroup. Only the v2 path belongs to the id.
        if let (Some(path), Some(current)) = (path, current) {
            self.directories.entry(current).or_insert_with(|| cgroup_name::from_path(path).map(Into::into));
        }
        Some(cgroup_name::from_proc_cgroup(&cgroups).map(Into::into))
    }

    /// The id of the cgroup at this path from the root of v2. None if it is not visible, as in a container, where the
    /// path leads above the container's root.
    fn id_of(&self, path: &str) -> Option<u64> {
        if path.starts_with("/..") {
            return None;
        }
        let directory = self.root.as_ref()?.join(path.trim_start_matches('/'));
        Some(fs::symlink_metadata(directory).ok()?.ino())
    }

    /// The outer None: no walk has looked for it yet.
    fn of_directory(&self, id: u64) -> Option<Name> {
        if id == 0 || self.root.is_none() { Some(None) } else { self.directories.get(&id).cloned() }
    }

    /// Looks for the directories with these ids, for as long as the budget allows. The next call goes on from there.
    ///
    /// After a walk over all directories, an id that it has looked for from the beginning and did not find is gone for
    /// good, because the kernel does not reuse ids.
    fn walk(&mut self, mut wanted: HashSet<u64>, budget: Budget) {
        let Some(root) = &self.root else { return };
        let timer = CpuTimer::start();
        let begin = || Walk { waiting: vec![root.clone()], visited: 0, wanted: wanted.clone() };
        let mut walk = self.walk.take().unwrap_or_else(begin);
        let mut visits = 0..budget.directories;
        while !wanted.is_empty() && walk.visited < MAX_DIRECTORIES {
            if timer.elapsed() > budget.time || visits.next().is_none() {
                self.walk = Some(walk);
                break;
            }
            let Some(directory) = walk.waiting.pop() else {
                let gone = walk.wanted.intersection(&wanted).map(|id| (*id, None));
                self.directories.extend(gone);
                break;
            };
            walk.visited += 1;
            let id = fs::symlink_metadata(&directory).map_or(0, |directory| directory.ino());
            if wanted.remove(&id) {
                let path = directory.strip_prefix(root).unwrap_or(&directory);
                self.directories.insert(id, cgroup_name::from_path(&format!("/{}", path.display())).map(Into::into));
            }
            let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
            walk.waiting.extend(entries.filter(is_directory).map(|entry| entry.path()));
        }
        self.walks.ran(timer.elapsed());
    }
}

/// A walk over all cgroup directories that has not ended.
struct Walk {
    /// Directories still to visit.
    waiting: Vec<PathBuf>,
    visited: usize,
    /// The ids that it has looked for from the beginning.
    wanted: HashSet<u64>,
}

/// What one part of a walk may take. The event loop stands still meanwhile. The time is CPU time: a walk that has to wait
/// for a busy machine would not be shorter for being cut into parts.
#[derive(Clone, Copy)]
struct Budget {
    directories: usize,
    time: Duration,
}

impl Budget {
    const USUAL: Self = Self { directories: MAX_DIRECTORIES, time: Duration::from_millis(20) };
    /// For the last sample.
    const LAST: Self = Self { directories: MAX_DIRECTORIES, time: Duration::from_secs(1) };
}

fn is_directory(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Instant};

    use tempfile::tempdir;

    use super::*;
    use observer_core::model::GroupCounters;

    /// As if this test ran in no container.
    fn on_the_machine() -> Cgroups {
        Cgroups { sees_processes: true, ..Cgroups::new() }
    }

    /// Directories of any file system have inodes, so a temporary one will do.
    fn cgroups(root: &Path) -> Cgroups {
        Cgroups { root: Some(root.into()), ..on_the_machine() }
    }

    fn group(tgid: u32, start_ticks: u64, cgroup: u64) -> GroupSample {
        GroupSample {
            key: GroupKey { tgid, start_ticks, ..GroupKey::default() },
            counters: GroupCounters { cgroup, ..GroupCounters::default() },
            ended: false,
            process_ended: true,
            evicted: false,
            runtime: None,
            cgroup: None,
        }
    }

    fn id_of(directory: &Path) -> u64 {
        fs::metadata(directory).unwrap().ino()
    }

    #[test]
    fn cgroup_of_an_ended_process_is_found_by_its_id() {
        let root = tempdir().unwrap();
        let (one, other) = (root.path().join("a.slice/b.service/c"), root.path().join("d.service"));
        fs::create_dir_all(&one).unwrap();
        fs::create_dir(&other).unwrap();
        let mut groups = [id_of(&one), id_of(&other), id_of(root.path()), u64::MAX, 0].map(|id| group(1, 0, id));
        let mut cgroups = cgroups(root.path());
        cgroups.fill_in(&mut groups, false);
        let names = groups.each_ref().map(|group| group.cgroup.as_deref());
        assert_eq!(names, [Some("b.service"), Some("d.service"), None, None, None]);
    }

    #[test]
    fn walks_are_throttled_except_for_the_last_sample() {
        let root = tempdir().unwrap();
        let (one, other) = (root.path().join("a.service"), root.path().join("b.service"));
        let mut cgroups = cgroups(root.path());
        fs::create_dir(&one).unwrap();
        let before = Instant::now();
        cgroups.fill_in(&mut [group(1, 0, u64::MAX)], false);
        assert!(cgroups.walks.next() >= before + MIN_INTERVAL);
        // On a slow machine, the next walk would be due by now.
        cgroups.walks.ran(Duration::from_mins(1));
        fs::create_dir(&other).unwrap();
        let mut later = [group(2, 0, id_of(&other))];
        cgroups.fill_in(&mut later, false);
        assert_eq!(later[0].cgroup, None, "too early");
        cgroups.fill_in(&mut later, true);
        assert_eq!(later[0].cgroup.as_deref(), Some("b.service"));
    }

    #[test]
    fn incomplete_walk_does_not_declare_ids_gone() {
        let root = tempdir().unwrap();
        let directory = root.path().join("a.slice/b.service");
        fs::create_dir_all(&directory).unwrap();
        let (id, mut cgroups) = (id_of(&directory), cgroups(root.path()));
        let directories = |directories| Budget { directories, ..Budget::LAST };
        cgroups.walk([id].into(), directories(2));
        assert_eq!(cgroups.of_directory(id), None);
        cgroups.walk([id].into(), directories(1));
        assert_eq!(cgroups.of_directory(id), Some(Some("b.service".into())), "the walk goes on from where it was");
        cgroups.walk([u64::MAX].into(), directories(2));
        cgroups.walk([u64::MAX, 1].into(), directories(2));
        assert_eq!(cgroups.of_directory(u64::MAX), Some(None), "the walk is complete");
        assert_eq!(cgroups.of_directory(1), None, "its directory may have been passed before it was asked for");
    }

    #[test]
    fn a_walk_without_time_visits_nothing_and_goes_on_later() {
        let root = tempdir().unwrap();
        let directory = root.path().join("a.service");
        fs::create_dir(&directory).unwrap();
        let (id, mut cgroups) = (id_of(&directory), cgroups(root.path()));
        cgroups.walk([id].into(), Budget { time: Duration::ZERO, ..Budget::USUAL });
        assert_eq!((cgroups.of_directory(id), cgroups.walk.as_ref().map(|walk| walk.visited)), (None, Some(0)));
        cgroups.walk([id].into(), Budget::LAST);
        assert_eq!(cgroups.of_directory(id), Some(Some("a.service".into())));
    }

    /// Tests nothing where cgroup v2 is not mounted or not visible.
    #[test]
    fn running_process_names_the_cgroup_of_ended_ones() {
        let pid = std::process::id();
        let cgroups_of_this = fs::read_to_string("/proc/self/cgroup").unwrap();
        let mut cgroups = on_the_machine();
        let Some(path) = cgroup_name::v2_path(&cgroups_of_this) else { return };
        let Some(id) = cgroups.id_of(path) else { return };
        // No walk is due.
        cgroups.walks.ran(Duration::from_mins(1));
        let mut groups = [group(pid, start_ticks_of(pid).unwrap(), id), group(u32::MAX, 0, id)];
        cgroups.fill_in(&mut groups, false);
        assert_eq!(groups[1].cgroup, cgroup_name::from_path(path).map(Into::into));
        assert_eq!(cgroups.directories.len(), 1);
    }

    #[test]
    fn own_cgroup_is_named_as_in_proc() {
        let pid = std::process::id();
        let mut groups = [group(pid, start_ticks_of(pid).unwrap(), 0)];
        on_the_machine().fill_in(&mut groups, false);
        let expected = cgroup_name::from_proc_cgroup(&fs::read_to_string("/proc/self/cgroup").unwrap());
        assert_eq!(groups[0].cgroup.as_deref(), expected.as_deref());
    }
}
