//! The cgroup of a process that exits before user space can look it up. Only the BPF programs can learn it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{
    endings, expected::Differences, hook_set::HookSet, machine::Machine, scenario::SoloScenario, watch::Watch,
};

pub(crate) const ALL: &[SoloScenario] = &[SoloScenario { name: "cgroup of an exited process", run: exited_process }];

fn exited_process(_: &Machine, hooks: &HookSet) -> Result<Vec<String>> {
    const UNIT: &str = "tcp-reuse-watch-scenario.service";
    let watch = Watch::start(&hooks.name, &[])?;
    // The cgroup has to exist until the tool has resolved its name.
    let cgroup = EnteredCgroup::new(UNIT)?;
    let truth = endings::process_exits()?;
    let report = watch.end()?;
    drop(cgroup);
    let mut all = Differences::default();
    all.count("opened", truth.connections, report.count(truth.port, "opened"));
    for group in report.groups(truth.port) {
        all.field("cgroup", &UNIT.into(), group);
    }
    Ok(all.0)
}

/// Keeps this process and its new children in a cgroup of their own until it is dropped.
struct EnteredCgroup {
    path: PathBuf,
    before: PathBuf,
}

impl EnteredCgroup {
    fn new(name: &str) -> Result<Self> {
        let mounts = fs::read_to_string("/proc/mounts")?;
        let mount = mounts.lines().find(|mount| mount.split(' ').nth(2) == Some("cgroup2"));
        let root = Path::new(mount.and_then(|mount| mount.split(' ').nth(1)).context("cgroup v2 is not mounted")?);
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).context("this process is in no cgroup")?;
        let entered = Self { path: root.join(name), before: root.join(own) };
        fs::create_dir(&entered.path).with_context(|| format!("cannot create {}", entered.path.display()))?;
        enter(&entered.path)?;
        Ok(entered)
    }
}

fn enter(cgroup: &Path) -> Result<()> {
    fs::write(cgroup.join("cgroup.procs"), "0").with_context(|| format!("cannot enter {}", cgroup.display()))
}

impl Drop for EnteredCgroup {
    fn drop(&mut self) {
        let removed = enter(&self.before).and_then(|()| Ok(fs::remove_dir(&self.path)?));
        if let Err(error) = removed {
            eprintln!("{error:#}");
        }
    }
}
