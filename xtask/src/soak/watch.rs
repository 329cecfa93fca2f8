//! A run of the tool under the soak. Its rows are discarded; its log and its summary are kept.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::running::{Running, has_no_new_privileges};

/// Time limit for the tool to end. It is long, because a busy machine is no failure.
const TO_END: Duration = Duration::from_mins(2);

pub(super) struct Watch {
    pub(super) process: Running,
    folder: TempDir,
}

/// The output of a run.
pub(super) struct Ended {
    pub(super) summary: Value,
    /// Warnings and errors from the log, and all of standard error.
    pub(super) complaints: Vec<String>,
}

impl Watch {
    pub(super) fn start(tool: &Path, options: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(tool);
        command.args(["-o", "json", "-v", "--log-file"]).arg(folder.path().join("log"));
        command.arg("--summary").arg(folder.path().join("summary")).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(folder.path().join("stderr"))?);
        let mut process = Running::start(&mut command)?;
        process.until("it is attached", has_no_new_privileges)?;
        Ok(Self { process, folder })
    }

    pub(super) fn end(&mut self) -> Result<Ended> {
        self.process.signal(Signal::INT)?;
        let status = self.process.wait(TO_END)?;
        ensure!(status.success(), "the watch failed: {status}: {}", self.read("stderr")?);
        let log = self.read("log")?;
        let complaints = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR"));
        let stderr = self.read("stderr")?;
        Ok(Ended {
            summary: serde_json::from_str(&self.read("summary")?).context("the summary is not JSON")?,
            complaints: complaints.chain(stderr.lines()).map(Into::into).collect(),
        })
    }

    fn read(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.folder.path().join(name)).with_context(|| format!("the watch did not write {name}"))
    }
}
