//! What a watch and its helper have given up once it is attached, and that they still work. The kernel decides how much
//! they can do without.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{
    endings,
    expected::Differences,
    hook_set::HookSet,
    machine::Machine,
    messages::{ask, serve},
    peer::{Peer, eventually},
    scenario::SoloScenario,
    watch::Watch,
};

pub(crate) const ALL: &[SoloScenario] = &[SoloScenario { name: "privileges after attaching", run: after_attaching }];

/// CAP_BPF, which Linux 5.10 asks for at each access to a map.
const BPF_ONLY: &str = "0000008000000000";
const PTRACE_ONLY: &str = "0000000000080000";
const NONE: &str = "0000000000000000";
const NOBODY: &str = "65534";

fn after_attaching(_: &Machine, hooks: &HookSet) -> Result<Vec<String>> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let recording = folder.path().join("recording");
    let watch = Watch::start(&hooks.name, &["--record", recording.to_str().context("the path is not UTF-8")?])?;
    let status = fs::read_to_string(format!("/proc/{}/status", watch.id()))?;
    let helper = status_of_helper(watch.id())?;
    let mut all = Differences::default();
    // Some sample has read the maps as another user.
    let truth = endings::process_exits()?;
    // And the helper has read this program's executable.
    let peer = Peer::new(serve)?;
    let mut held = peer.connect()?;
    ask(&mut held, 100)?;
    let told = eventually("the runtime of this program is known", || runtime_is_known(&recording));
    all.check(told.is_ok(), || format!("{told:?}"));
    drop(held);
    peer.truth(1)?;
    let report = watch.end()?;
    all.count("opened", truth.connections, report.count(truth.port, "opened"));
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let capabilities = if release.starts_with("5.10") { BPF_ONLY } else { NONE };
    for (who, status, name, expected) in [
        ("watch", &status, "Uid", &[NOBODY; 4][..]),
        ("watch", &status, "Gid", &[NOBODY; 4]),
        ("watch", &status, "Groups", &[]),
        ("watch", &status, "CapPrm", &[capabilities]),
        ("watch", &status, "NoNewPrivs", &["1"]),
        ("watch", &status, "Seccomp", &["2"]),
        ("helper", &helper, "Uid", &[NOBODY, "0", NOBODY, "0"]),
        ("helper", &helper, "CapPrm", &[PTRACE_ONLY]),
        ("helper", &helper, "NoNewPrivs", &["1"]),
        ("helper", &helper, "Seccomp", &["2"]),
    ] {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let got: Vec<&str> = line.with_context(|| format!("no {name} in {status}"))?.split_whitespace().collect();
        all.check(got == expected, || format!("{name} of the {who} expected {expected:?} got {got:?}"));
    }
    Ok(all.0)
}

/// The only process with this parent.
fn status_of_helper(watch: u32) -> Result<String> {
    let statuses =
        fs::read_dir("/proc")?.flatten().filter_map(|entry| fs::read_to_string(entry.path().join("status")).ok());
    let parent = format!("\nPPid:\t{watch}\n");
    statuses.into_iter().find(|status| status.contains(&parent)).context("the watch has no helper")
}

fn runtime_is_known(recording: &Path) -> bool {
    fs::read_to_string(recording).is_ok_and(|text| text.contains(r#""runtime":"Rust"#))
}
