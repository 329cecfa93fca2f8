//! Installs bpf-linker. It has to use the LLVM of the rustc whose code it links, which no released binary of it does
//! for every rustc, so it is built here, into the target folder.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::toolchain::Toolchain;
use crate::workspace::{Workspace, run};

pub(super) const VERSION: &str = "0.13.0";

/// Installs bpf-linker unless it is there, and returns the folder of its binary.
pub(super) fn install(workspace: &Workspace, toolchain: &Toolchain) -> Result<PathBuf> {
    let root = workspace.target.join("bpf-linker");
    let folder = root.join("bin");
    if !folder.join("bpf-linker").exists() {
        println!("installing bpf-linker {VERSION} into {}: this takes about a minute", root.display());
    }
    let llvm = toolchain.rustc.llvm;
    // Where the same version with the same feature is there already, cargo does nothing.
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
