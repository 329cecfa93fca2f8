//! What a watch has given up once it is attached. The kernel decides how much it can do without.

use std::fs;

use anyhow::{Context as _, Result};

use crate::{
    endings, expected::Differences, hook_set::HookSet, machine::Machine, scenario::SoloScenario, watch::Watch,
};

pub(crate) const ALL: &[SoloScenario] = &[SoloScenario { name: "privileges after attaching", run: after_attaching }];

/// CAP_BPF, which Linux 5.10 asks for at each access to a map.
const BPF_ONLY: &str = "0000008000000000";
const NONE: &str = "0000000000000000";

fn after_attaching(_: &Machine, hooks: &HookSet) -> Result<Vec<String>> {
    let watch = Watch::start(&hooks.name, &[])?;
    let status = fs::read_to_string(format!("/proc/{}/status", watch.id()))?;
    let truth = endings::process_exits()?;
    let report = watch.end()?;
    let field = |name: &str| -> Result<Vec<&str>> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(line.with_context(|| format!("no {name} in {status}"))?.split_whitespace().collect())
    };
    let mut all = Differences::default();
    // Some sample has read the maps as another user.
    all.count("opened", truth.connections, report.count(truth.port, "opened"));
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let capabilities = if release.starts_with("5.10") { BPF_ONLY } else { NONE };
    let nobody = ["65534"; 4];
    for (name, expected) in [
        ("Uid", &nobody[..]),
        ("Gid", &nobody),
        ("Groups", &[]),
        ("CapPrm", &[capabilities]),
        ("NoNewPrivs", &["1"]),
        ("Seccomp", &["2"]),
    ] {
        let got = field(name)?;
        all.check(got == expected, || format!("{name} expected {expected:?} got {got:?}"));
    }
    Ok(all.0)
}
