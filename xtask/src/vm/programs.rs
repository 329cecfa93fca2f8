//! Builds the program and the scenario runner. Both are linked statically, because the initramfs has no libraries.

use std::env::consts::ARCH;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::architecture::Architecture;
use super::foreign::Foreign;
use crate::support::workspace::{Workspace, output};

const STATIC: &str = "-Ctarget-feature=+crt-static";

/// From the package busybox-static.
const BUSYBOX: &str = "/bin/busybox";

/// Paths of the executables.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) tool: PathBuf,
    pub(crate) scenarios: PathBuf,
    pub(crate) busybox: PathBuf,
}

/// Any line of cargo's JSON messages.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Builds for an architecture, with `folder` for what that takes.
pub(crate) fn build(workspace: &Workspace, architecture: &Architecture, folder: &Path) -> Result<Programs> {
    println!("building the program and the scenarios for {}, statically linked", architecture.name);
    let mut cargo: Command = workspace.cargo();
    // With an explicit target, cargo uses a folder of its own and does not pass rustc's flags to build scripts.
    cargo
        .args(["test", "--no-run", "--quiet", "--release", "--locked", "--package", "tcp-reuse-watch"])
        .args(["--test", "scenarios", "--target", architecture.target])
        .args(["--message-format", "json-render-diagnostics"])
        .stdin(Stdio::null());
    let mut flags = STATIC.to_owned();
    let mut busybox = PathBuf::from(BUSYBOX);
    if architecture.name != ARCH {
        let foreign = Foreign::fetch(folder, architecture)?;
        flags = format!("{flags}\x1f{}", foreign.set_up(&mut cargo, architecture));
        cargo.arg("--target-dir").arg(folder.join("build"));
        busybox = foreign.busybox();
    }
    let messages = output(cargo.env("CARGO_ENCODED_RUSTFLAGS", flags))?;
    let [tool, scenarios] = find(&messages)?;
    Ok(Programs { tool, scenarios, busybox })
}

/// The paths of the program and of the scenario runner.
fn find(messages: &str) -> Result<[PathBuf; 2]> {
    let built: Vec<Message> = messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let executable = |kind: &str, name: &str| {
        let matches = |target: &Target| target.name == name && target.kind.iter().any(|of| of == kind);
        let message = built.iter().find(|message| message.target.as_ref().is_some_and(matches));
        message
            .and_then(|message| message.executable.clone())
            .with_context(|| format!("cargo did not build the {kind} {name}"))
    };
    Ok([executable("bin", "tcp-reuse-watch")?, executable("test", "scenarios")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_cargo_messages() {
        let messages = r#"
{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"libc"},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"tcp-reuse-watch"},"executable":"/t/tool"}
{"reason":"compiler-artifact","target":{"kind":["test"],"name":"scenarios"},"executable":"/t/scenarios-1"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(find(messages).unwrap(), ["/t/tool", "/t/scenarios-1"].map(PathBuf::from));
        assert_eq!(find("").unwrap_err().to_string(), "cargo did not build the bin tcp-reuse-watch");
    }
}
