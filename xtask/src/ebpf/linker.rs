//! Installs bpf-linker in the target folder. It is built from source, because it has to use the same LLVM as the rustc
//! whose code it links, and no released binary does that for every rustc.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::toolchain::Toolchain;
use crate::support::workspace::{Workspace, run};

pub(super) const VERSION: &str = "0.13.0";

/// Installs bpf-linker if it is missing, and returns the folder of its binary.
pub(super) fn install(workspace: &Workspace, toolchain: &Toolchain) -> Result<PathBuf> {
    let root = workspace.target.join("bpf-linker");
    let folder = root.join("bin");
    if !folder.join("bpf-linker").exists() {
        println!("installing bpf-linker {VERSION} in {}: this takes about a minute", root.display());
    }
    let llvm = toolchain.rustc.llvm;
    // cargo does nothing if this version with this feature is already installed.
    run(workspace
        .cargo()
        .args(["install", "bpf-linker", "--quiet", "--locked", "--version", VERSION])
        .args(["--no-default-features", "--features", &format!("llvm-{llvm}")])
        .arg("--root")
        .arg(&root)
        .env("LLVM_PREFIX", &toolchain.llvm))
    .with_context(|| format!("cannot install bpf-linker {VERSION} for LLVM {llvm} (it supports LLVM 21 to 23)"))?;
    Ok(folder)
}
