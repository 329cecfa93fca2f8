//! Time from the start of the process to the `start` object, which follows attaching, and the size of the binary.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::Scope;
use super::report::{Section, Verdict};
use super::time_wait;
use crate::support::running::Running;
use crate::support::statistics::Quartiles;

/// Half of the start is the verifier's walk through the programs.
const MAX: Duration = Duration::from_millis(300);

pub(super) fn measure(tool: &Path, scope: Scope) -> Result<Section> {
    time_wait::wait_until_few();
    let times = (0..scope.of(20, 3)).map(|_| time_to_attach(tool, &["-p", "8080"])).collect::<Result<Vec<_>>>()?;
    let spread = Quartiles::of(times.iter().map(Duration::as_secs_f64)).scale(1000.0);
    let bytes = fs::metadata(tool)?.len();
    let mut section = Section::default();
    section.paragraph(&format!(
        "Start to attached (`start` of `-o json`): {spread:.0} ms, {} starts. The binary has {:.1} MB.",
        times.len(),
        bytes as f64 / 1e6
    ));
    section.verdict(Verdict::new(
        "start to attached, median: ≤ 0.3 s",
        format!("{:.3} s", spread.median / 1000.0),
        spread.median <= MAX.as_secs_f64() * 1000.0,
    ));
    Ok(section)
}

pub(super) fn time_to_attach(tool: &Path, options: &[&str]) -> Result<Duration> {
    let mut command = Command::new(tool);
    command.args(["-o", "json"]).args(options).stdin(Stdio::null()).stdout(Stdio::piped());
    let began = Instant::now();
    let mut running = Running::start(&mut command)?;
    let mut stdout = BufReader::new(running.child().stdout.take().context("the standard output is not a pipe")?);
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    let elapsed = began.elapsed();
    if !line.contains(r#""type":"start""#) {
        bail!("the tool did not start: {line}");
    }
    // Killing the tool is fine, because it pins nothing in the kernel.
    drop(running);
    Ok(elapsed)
}
