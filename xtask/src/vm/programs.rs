//! Builds the program and the scenario runner. Both are linked statically, because the initramfs has no libraries.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::support::workspace::{Workspace, output};

/// With an explicit target, cargo uses a folder of its own and does not pass RUSTFLAGS to build scripts.
const TARGET: &str = "x86_64-unknown-linux-gnu";
const STATIC: &str = "-C target-feature=+crt-static";

/// Paths of the executables.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) tool: PathBuf,
    pub(crate) scenarios: PathBuf,
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

pub(crate) fn build(workspace: &Workspace) -> Result<Programs> {
    println!("building the program and the scenarios, statically linked");
    let mut cargo: Command = workspace.cargo();
    cargo
        .args(["test", "--no-run", "--quiet", "--release", "--locked", "--package", "tcp-reuse-watch"])
        .args(["--test", "scenarios", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .env("RUSTFLAGS", STATIC)
        .stdin(Stdio::null());
    find(&output(&mut cargo)?)
}

fn find(messages: &str) -> Result<Programs> {
    let built: Vec<Message> = messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let executable = |kind: &str, name: &str| {
        let matches = |target: &Target| target.name == name && target.kind.iter().any(|of| of == kind);
        let message = built.iter().find(|message| message.target.as_ref().is_some_and(matches));
        message
            .and_then(|message| message.executable.clone())
            .with_context(|| format!("cargo did not build the {kind} {name}"))
    };
    Ok(Programs { tool: executable("bin", "tcp-reuse-watch")?, scenarios: executable("test", "scenarios")? })
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
        let programs = find(messages).unwrap();
        assert_eq!(programs.tool, PathBuf::from("/t/tool"));
        assert_eq!(programs.scenarios, PathBuf::from("/t/scenarios-1"));
        assert_eq!(find("").unwrap_err().to_string(), "cargo did not build the bin tcp-reuse-watch");
    }
}
