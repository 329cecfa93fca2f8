//! What the cgroups of processes are called. The kernel side gives the id of a cgroup in v2, which is its folder's inode
//! number: the process's own /proc/PID/cgroup leads there while it runs, and a walk over all folders when it is gone.
//!
//! Both are open to everybody. Where containers and units are in cgroup v1, which has no ids, only the former tells.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, DirEntry},
    mem,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{cgroup, processes::start_ticks_of};
use crate::{
    cgroup_name,
    event::{GroupKey, GroupSample},
};

/// Folders that one walk looks at.
const MOST_FOLDERS: usize = 50_000;

/// Names that are kept by id; past it they are forgotten.
const MOST_NAMES: usize = 10_000;

/// A walk may take this part of one processor: one hundredth.
const REST: u32 = 100;

/// Not more often than samples are taken.
const MIN_INTERVAL: Duration = Duration::from_millis(500);

/// None: the root, or not found.
type Name = Option<Arc<str>>;

pub(super) struct Cgroups {
    /// Where v2 is mounted, if it is.
    root: Option<PathBuf>,
    /// Of the groups in the last sample, as far as it was looked for.
    groups: HashMap<GroupKey, Name>,
    /// What folders are called, by id: walks have found them, or processes that run there have led to them.
    folders: HashMap<u64, Name>,
    /// When a walk may begin again.
    due: Instant,
}

impl Cgroups {
    pub(super) fn new() -> Self {
        let root = cgroup::mounted().ok().flatten().map(PathBuf::from);
        Self { root, groups: HashMap::new(), folders: HashMap::new(), due: Instant::now() }
    }

    /// Puts the names into a sample; `last`: there will be no other occasion.
    pub(super) fn name(&mut self, groups: &mut [GroupSample], last: bool) {
        if self.folders.len() >= MOST_NAMES {
            self.folders.clear();
        }
        let mut before = mem::take(&mut self.groups);
        let mut unknown = Vec::new();
        for group in groups.iter_mut().filter(|group| group.key.tgid > 0) {
            let (key, id) = (group.key, group.counters.cgroup);
            let known = before.remove(&key).or_else(|| self.of_running(key, id)).or_else(|| self.of_folder(id));
            match known {
                Some(name) => self.put(group, name),
                None => unknown.push(group),
            }
        }
        if unknown.is_empty() || !last && Instant::now() < self.due {
            return;
        }
        self.walk(unknown.iter().map(|group| group.counters.cgroup).collect(), MOST_FOLDERS);
        for group in unknown {
            if let Some(name) = self.of_folder(group.counters.cgroup) {
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

    /// The outer None: it does not run any more, or has gone to another cgroup since.
    fn of_running(&mut self, key: GroupKey, id: u64) -> Option<Name> {
        let cgroups = fs::read(format!("/proc/{}/cgroup", key.tgid)).ok()?;
        let cgroups = String::from_utf8_lossy(&cgroups);
        if start_ticks_of(key.tgid) != Some(key.start_ticks) {
            return None;
        }
        let path = cgroup_name::unified(&cgroups);
        let now = path.and_then(|path| self.id_of(path));
        if id > 0 && now.is_some_and(|now| now != id) {
            return None;
        }
        // For those that will not live as long. Not by what cgroup v1 tells: its folders are not the one with this id.
        if let (Some(path), Some(now)) = (path, now) {
            self.folders.entry(now).or_insert_with(|| cgroup_name::of_path(path).map(Into::into));
        }
        Some(cgroup_name::of_process(&cgroups).map(Into::into))
    }

    /// The id of the folder at this path, from the root of v2; None where that cannot be seen, as in a container, to which
    /// what is not its own is above its root.
    fn id_of(&self, path: &str) -> Option<u64> {
        if path.starts_with("/..") {
            return None;
        }
        let folder = self.root.as_ref()?.join(path.trim_start_matches('/'));
        Some(fs::symlink_metadata(folder).ok()?.ino())
    }

    /// The outer None: nobody has looked yet.
    fn of_folder(&self, id: u64) -> Option<Name> {
        if id == 0 || self.root.is_none() { Some(None) } else { self.folders.get(&id).cloned() }
    }

    /// Looks for the folders with these ids, in so many at most. What is in none of all is gone for good: ids do not come
    /// again.
    fn walk(&mut self, mut wanted: HashSet<u64>, most_folders: usize) {
        let Some(root) = &self.root else { return };
        let started = Instant::now();
        let mut waiting = vec![root.clone()];
        for _ in 0..most_folders {
            let Some(folder) = waiting.pop().filter(|_| !wanted.is_empty()) else { break };
            let id = fs::symlink_metadata(&folder).map_or(0, |folder| folder.ino());
            if wanted.remove(&id) {
                let path = folder.strip_prefix(root).unwrap_or(&folder);
                self.folders.insert(id, cgroup_name::of_path(&format!("/{}", path.display())).map(Into::into));
            }
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            waiting.extend(entries.filter(is_folder).map(|entry| entry.path()));
        }
        if waiting.is_empty() {
            self.folders.extend(wanted.into_iter().map(|id| (id, None)));
        }
        self.due = Instant::now() + MIN_INTERVAL.max(started.elapsed() * REST);
    }
}

fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tempfile::tempdir;

    use super::*;
    use crate::event::GroupCounters;

    /// Folders of another file system have ids as well.
    fn cgroups(root: &Path) -> Cgroups {
        Cgroups { root: Some(root.into()), ..Cgroups::new() }
    }

    fn group(tgid: u32, start_ticks: u64, cgroup: u64) -> GroupSample {
        GroupSample {
            key: GroupKey { tgid, start_ticks, ..GroupKey::default() },
            counters: GroupCounters { cgroup, ..GroupCounters::default() },
            ended: false,
            process_ended: true,
            runtime: None,
            cgroup: None,
        }
    }

    fn id_of(folder: &Path) -> u64 {
        fs::metadata(folder).unwrap().ino()
    }

    #[test]
    fn a_process_that_is_gone_is_found_by_its_folder() {
        let root = tempdir().unwrap();
        let (one, other) = (root.path().join("a.slice/b.service/c"), root.path().join("d.service"));
        fs::create_dir_all(&one).unwrap();
        fs::create_dir(&other).unwrap();
        let mut groups = [id_of(&one), id_of(&other), id_of(root.path()), u64::MAX, 0].map(|id| group(1, 0, id));
        let mut cgroups = cgroups(root.path());
        cgroups.name(&mut groups, false);
        let names = groups.each_ref().map(|group| group.cgroup.as_deref());
        assert_eq!(names, [Some("b.service"), Some("d.service"), None, None, None]);
    }

    #[test]
    fn walks_are_not_made_one_after_the_other() {
        let root = tempdir().unwrap();
        let (one, other) = (root.path().join("a.service"), root.path().join("b.service"));
        let mut cgroups = cgroups(root.path());
        fs::create_dir(&one).unwrap();
        cgroups.name(&mut [group(1, 0, u64::MAX)], false);
        fs::create_dir(&other).unwrap();
        let mut later = [group(2, 0, id_of(&other))];
        cgroups.name(&mut later, false);
        assert_eq!(later[0].cgroup, None, "too early");
        cgroups.name(&mut later, true);
        assert_eq!(later[0].cgroup.as_deref(), Some("b.service"));
    }

    #[test]
    fn what_a_walk_had_no_time_for_is_not_gone() {
        let root = tempdir().unwrap();
        let folder = root.path().join("a.slice/b.service");
        fs::create_dir_all(&folder).unwrap();
        let (id, mut cgroups) = (id_of(&folder), cgroups(root.path()));
        cgroups.walk([id].into(), 2);
        assert_eq!(cgroups.of_folder(id), None);
        cgroups.walk([id].into(), 3);
        assert_eq!(cgroups.of_folder(id), Some(Some("b.service".into())));
        cgroups.walk([u64::MAX].into(), 3);
        assert_eq!(cgroups.of_folder(u64::MAX), Some(None), "all were looked at");
    }

    /// In v2 alone, where the machine's cgroups can be seen.
    #[test]
    fn a_process_that_runs_tells_of_those_that_are_gone() {
        let pid = std::process::id();
        let cgroups_of_this = fs::read_to_string("/proc/self/cgroup").unwrap();
        let mut cgroups = Cgroups::new();
        let Some(path) = cgroup_name::unified(&cgroups_of_this) else { return };
        let Some(id) = cgroups.id_of(path) else { return };
        // No walk is due.
        cgroups.due = Instant::now() + Duration::from_mins(1);
        let mut groups = [group(pid, start_ticks_of(pid).unwrap(), id), group(u32::MAX, 0, id)];
        cgroups.name(&mut groups, false);
        assert_eq!(groups[1].cgroup, cgroup_name::of_path(path).map(Into::into));
        assert_eq!(cgroups.folders.len(), 1);
    }

    #[test]
    fn this_process_is_where_proc_says() {
        let pid = std::process::id();
        let mut groups = [group(pid, start_ticks_of(pid).unwrap(), 0)];
        Cgroups::new().name(&mut groups, false);
        let expected = cgroup_name::of_process(&fs::read_to_string("/proc/self/cgroup").unwrap());
        assert_eq!(groups[0].cgroup.as_deref(), expected.as_deref());
    }
}
