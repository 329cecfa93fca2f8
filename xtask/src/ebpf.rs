//! `cargo xtask ebpf`: builds the BPF objects, one per architecture, and writes them to observer/bpf with a record of
//! what they were built from and with.
//!
//! The objects are committed, so that stable Rust alone builds the program. What keeps them honest is `--check`: with
//! the tools named in the record it builds them again and compares every byte; other tools make other bytes, so with
//! those it compares the sources' digest and runs the tests on the objects that it built.

mod linker;
mod object;
mod record;
mod rustc;
mod sources;
mod toolchain;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::workspace::{Workspace, run as run_command};
use record::{Record, Versions};
use toolchain::Toolchain;

const ARCHITECTURES: [&str; 2] = ["x86_64", "aarch64"];

/// Where the observer's build looks for BPF objects other than the committed ones.
const OBJECTS_FOLDER: &str = "TCP_REUSE_WATCH_BPF_DIR";

/// What to do about any difference.
const REMEDY: &str = "run `cargo xtask ebpf` and commit observer/bpf";

/// Build the BPF objects in observer/bpf, or check that they are what the sources give
///
/// Uses Debian's Rust for BPF (rustc-web, libstd-rust-web-dev-bpf, llvm-22-dev: installed if this runs as root), else
/// rustup's nightly with rust-src. Installs bpf-linker into the target folder: about a minute, the first time.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing: build the objects elsewhere, and fail if the committed ones differ
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    if args.check {
        check(&workspace)?;
    } else {
        update(&workspace)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the objects and their record into observer/bpf.
fn update(workspace: &Workspace) -> Result<()> {
    let sources = sources::digest(&workspace.root)?;
    let folder = workspace.bpf();
    let versions = build(workspace, &folder)?;
    Record { versions, sources, objects: digests(&folder)? }.write(&folder)?;
    println!("built the BPF objects in {}", folder.display());
    Ok(())
}

/// Fails unless the committed objects are what the sources give.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let committed = workspace.bpf();
    let record = Record::read(&committed).context(REMEDY)?;
    if record.sources != sources::digest(&workspace.root)? {
        bail!("the BPF programs' sources or dependencies have changed since the objects were built: {REMEDY}");
    }
    if record.objects != digests(&committed).context(REMEDY)? {
        bail!("the objects in observer/bpf are not those that its BUILD file describes: {REMEDY}");
    }
    let rebuilt = workspace.target.join("bpf/check");
    let versions = build(workspace, &rebuilt)?;
    if versions == record.versions {
        compare(&committed, &rebuilt)?;
        println!("rebuilt with the same tools: the objects in observer/bpf are identical, byte for byte");
        return Ok(());
    }
    println!("the tools differ from those that built the objects in observer/bpf, so their bytes were not compared:");
    print!("committed, built with:\n{}rebuilt with:\n{versions}", record.versions);
    println!("the sources' digest agrees; running the tests on the rebuilt objects");
    test(workspace, &rebuilt)?;
    println!("other tools: the sources' digest agrees, and the tests pass on the rebuilt objects");
    Ok(())
}

/// Builds the objects into a folder.
fn build(workspace: &Workspace, folder: &Path) -> Result<Versions> {
    let toolchain = Toolchain::find()?;
    println!("building the BPF objects with {toolchain}");
    let linker = linker::install(workspace, &toolchain)?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    object::forget(workspace, &toolchain)?;
    for architecture in ARCHITECTURES {
        object::build(workspace, &toolchain, &linker, architecture, &folder.join(file_name(architecture)))?;
    }
    toolchain.versions()
}

fn compare(committed: &Path, rebuilt: &Path) -> Result<()> {
    for file in ARCHITECTURES.map(file_name) {
        if read(&committed.join(&file))? != read(&rebuilt.join(&file))? {
            bail!("observer/bpf/{file} differs from what the sources give: {REMEDY}");
        }
    }
    Ok(())
}

/// Runs the tests on a program that embeds the objects of a folder.
fn test(workspace: &Workspace, objects: &Path) -> Result<()> {
    // The end-to-end tests run the release build.
    run_command(
        workspace
            .cargo()
            .args(["build", "--release", "--locked", "--package", "tcp-reuse-watch"])
            .env(OBJECTS_FOLDER, objects),
    )?;
    run_command(workspace.cargo().args(["test", "--workspace", "--locked"]).env(OBJECTS_FOLDER, objects))
        .context("with rebuilt BPF objects")
}

/// Each architecture's object's digest.
fn digests(folder: &Path) -> Result<Vec<(String, String)>> {
    ARCHITECTURES
        .iter()
        .map(|architecture| {
            let object = read(&folder.join(file_name(architecture)))?;
            Ok(((*architecture).to_owned(), sources::sha256(&object)))
        })
        .collect()
}

fn file_name(architecture: &str) -> String {
    format!("tcp-reuse-watch.{architecture}.o")
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
