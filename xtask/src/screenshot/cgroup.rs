//! A cgroup like one that systemd makes for a service. The dashboard shows the cgroup, and the picture should not show
//! the developer's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// Removed when dropped; no process may be in it by then.
pub(super) struct Cgroup {
    folder: PathBuf,
}

impl Cgroup {
    /// Creates the cgroup below the root of cgroup v2.
    pub(super) fn new(name: &str) -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read the mounts")?;
        let is_unified = |line: &&str| line.split(' ').nth(2) == Some("cgroup2");
        let root = mounts.lines().find(is_unified).and_then(|line| line.split(' ').nth(1));
        let folder = PathBuf::from(root.context("cgroup v2 is not mounted")?).join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create the cgroup {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// A command that enters the cgroup before it runs the program.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", r#"echo $$ >"$0/cgroup.procs" && exec "$@""#]).arg(&self.folder).arg(program);
        command
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.folder) {
            eprintln!("cannot remove the cgroup {}: {error}", self.folder.display());
        }
    }
}
