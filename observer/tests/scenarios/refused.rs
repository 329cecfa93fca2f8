//! A set of hooks that the running kernel cannot attach: the tool says why, and chooses another set by itself.

use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::{
    endings,
    expected::Differences,
    scenario::Outcome,
    watch::{Watch, program},
};

/// Before a set in `TCP_REUSE_WATCH_HOOKS`: the kernel has to refuse it.
pub(crate) const MARK: &str = "!";

const SAYS_WHY: &str = "the error says why";
const CHOOSES_ANOTHER: &str = "another set is chosen";

pub(crate) fn check(set: &str) -> Vec<Outcome> {
    vec![Outcome::new(SAYS_WHY, says_why(set)), Outcome::new(CHOOSES_ANOTHER, chooses_another())]
}

/// `set` includes fentry.
fn says_why(set: &str) -> Result<Vec<String>> {
    let program = program();
    let output = Command::new(&program)
        .args(["-o", "none", "--port", "1", "--duration", "100ms", "--hooks", set])
        .output()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let mut all = Differences::default();
    all.check(output.status.code() == Some(4), || format!("exit code expected 4 got {}", output.status));
    all.check(output.stdout.is_empty(), || "output on stdout".into());
    all.check(errors.trim_end().lines().count() == 1, || format!("expected one line on stderr, got {errors:?}"));
    for words in ["fentry", "tcp_", "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS"] {
        all.check(errors.contains(words), || format!("no {words} in {errors:?}"));
    }
    Ok(all.0)
}

/// Counts connections with the set that is the best of the others.
fn chooses_another() -> Result<Vec<String>> {
    let (watch, hooks) = Watch::start_choosing(&[])?;
    let truth = endings::process_exits()?;
    let report = watch.end()?;
    let mut all = Differences::default();
    all.check(hooks == json!(["sockops", "kprobe"]), || format!("hooks expected sockops and kprobe, got {hooks}"));
    all.count("opened", truth.connections, report.count(truth.port, "opened"));
    all.flag("complete", true, &report.summary["complete"]);
    Ok(all.0)
}
