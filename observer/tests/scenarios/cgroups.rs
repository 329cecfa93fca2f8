//! The cgroup of a process that is gone when anybody could ask where it was: only the kernel side can know.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{endings, expected::Differences, floods::Flood, machine::Machine, sight::Sight, watch::Watch};

pub(crate) const ALL: &[Flood] = &[Flood { name: "the cgroup of a process that is gone", run: of_gone }];

fn of_gone(_: &Machine, sight: &Sight) -> Result<Vec<String>> {
    const UNIT: &str = "tcp-reuse-watch-scenario.service";
    let watch = Watch::start(&sight.set, &[])?;
    // Its folder has to be there when the tool looks.
    let within = Within::cgroup(UNIT)?;
    let truth = endings::process_exits()?;
    let report = watch.end()?;
    drop(within);
    let mut all = Differences::default();
    all.number("opened", truth.connections, report.count(truth.port, "opened"));
    for group in report.groups(truth.port) {
        all.value("cgroup", &UNIT.into(), group);
    }
    Ok(all.0)
}

/// This process is in a cgroup of its own, and the children that it starts are, until this is dropped.
struct Within {
    cgroup: PathBuf,
    before: PathBuf,
}

impl Within {
    fn cgroup(name: &str) -> Result<Self> {
        let mounts = fs::read_to_string("/proc/mounts")?;
        let mount = mounts.lines().find(|mount| mount.split(' ').nth(2) == Some("cgroup2"));
        let root = Path::new(mount.and_then(|mount| mount.split(' ').nth(1)).context("cgroup v2 is not mounted")?);
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).context("this process is in no cgroup")?;
        let within = Self { cgroup: root.join(name), before: root.join(own) };
        fs::create_dir(&within.cgroup).with_context(|| format!("cannot make {}", within.cgroup.display()))?;
        enter(&within.cgroup)?;
        Ok(within)
    }
}

fn enter(cgroup: &Path) -> Result<()> {
    fs::write(cgroup.join("cgroup.procs"), "0").with_context(|| format!("cannot enter {}", cgroup.display()))
}

impl Drop for Within {
    fn drop(&mut self) {
        let left = enter(&self.before).and_then(|()| Ok(fs::remove_dir(&self.cgroup)?));
        if let Err(error) = left {
            eprintln!("{error:#}");
        }
    }
}
