//! The files that a watch may still open, by Landlock (since 5.13). Files that are open already stay usable.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, make_bitflags,
    path_beneath_rules,
};

use super::Activity;
use crate::host::cgroup;

/// The newest version whose rights are known here. The crate leaves out what the kernel lacks.
const VERSION: ABI = ABI::V5;

/// Processes, network settings and cgroups.
const READABLE: [&str; 2] = ["/proc", "/sys"];

/// The terminal that the dashboard reads keys from, if standard input is something else.
const TERMINAL: &str = "/dev/tty";

/// Allows reading below a few folders, and nothing else. Without Landlock it does nothing.
pub(super) fn restrict(activity: Activity) -> anyhow::Result<()> {
    let read: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let terminal: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile | IoctlDev});
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(VERSION))?;
    if activity == Activity::Watching {
        ruleset = ruleset.handle_access(AccessNet::from_all(VERSION))?;
    }
    let status = ruleset
        .create()?
        .add_rules(path_beneath_rules(READABLE, read))?
        .add_rules(path_beneath_rules(cgroup::mounted().ok().flatten(), read))?
        .add_rules(path_beneath_rules([TERMINAL], terminal))?
        .restrict_self()?;
    log::info!("Landlock: {:?}", status.ruleset);
    Ok(())
}
