//! A command and its descendants, followed by the kernel side from the fork on.

use std::{
    env,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    endings::{self, CHILD},
    expected::Differences,
    hook_set::HookSet,
    machine::Machine,
    messages::serve,
    peer::Peer,
    scenario::SoloScenario,
    watch::program,
};

pub(crate) const ALL: &[SoloScenario] =
    &[SoloScenario { name: "a command and its descendants", run: command_and_descendants }];

/// Children of children at the same time, and children of init: their parents end before they connect.
const SCRIPT: &str = r#"
for i in 1 2 3 4 5 6; do
    (for j in 1 2 3 4 5 6 7 8; do "$0" "$@" & done; wait) &
done
for i in 1 2 3 4; do
    (sh -c 'sleep 0.2; exec "$0" "$@"' "$0" "$@" &)
done
wait
exec "$0" "$@"
"#;
const PROCESSES: u64 = 6 * 8 + 4 + 1;

/// What [`CHILD`] opens.
const CONNECTIONS: u64 = 3;

fn command_and_descendants(_: &Machine, hooks: &HookSet) -> Result<Vec<String>> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let file = folder.path().join("summary");
    let peer = Peer::new(serve)?;
    let child = env::current_exe().context("cannot find this program's own file")?;
    let mut command = Command::new(program());
    command.args(["-o", "none", "--linger", "2m", "--hooks", &hooks.name, "--summary"]).arg(&file);
    command.args(["--", "sh", "-c", SCRIPT]).arg(child).args([CHILD, &peer.address.to_string()]);
    let mut tool = command.stdin(Stdio::null()).spawn()?;
    // A neighbour, which is no descendant.
    endings::run_child(peer.address)?;
    let status = tool.wait()?;
    ensure!(status.success(), "the tool ended with {status}");
    peer.truth((PROCESSES + 1) * CONNECTIONS)?;
    let summary: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    let total = |name: &str| summary["totals"][name].as_u64().unwrap_or(u64::MAX);
    let mut all = Differences::default();
    // Without sockops, no other hook sees a connect that the kernel skips.
    let may_miss = if hooks.has_sockops { 0 } else { total("hook_skips") };
    let (opened, expected) = (total("opened"), PROCESSES * CONNECTIONS);
    all.check(opened <= expected && opened + may_miss >= expected, || {
        format!("opened expected {expected} got {opened} with {may_miss} skips")
    });
    all.count("unfollowed", 0, total("unfollowed"));
    all.count("exit code", 0, summary["command"]["exit_code"].as_u64().unwrap_or(u64::MAX));
    Ok(all.0)
}
