//! `cargo xtask ebpf`: builds the BPF objects, one per architecture, and writes them to observer/bpf with a record of
//! their sources and tools.
//!
//! The objects are committed, so stable Rust alone builds the program. `--check` verifies them. With the tools
//! named in the record, it rebuilds the objects and compares every byte. Other tools produce other bytes; with those,
//! it compares the digest of the sources and runs the tests on the rebuilt objects.

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

use crate::support::cargo_test;
use crate::support::workspace::{Workspace, run as run_command};
use record::{Record, Versions};
use toolchain::Toolchain;

const ARCHITECTURES: [&str; 2] = ["x86_64", "aarch64"];

/// Folder from which the observer's build script takes BPF objects instead of the committed ones.
const OBJECTS_FOLDER: &str = "TCP_REUSE_WATCH_BPF_DIR";

/// The fix for any difference.
const REMEDY: &str = "run `cargo xtask ebpf` and commit observer/bpf";

/// Build the BPF objects in observer/bpf, or check that they match their sources
///
/// Uses Debian's Rust for BPF (rustc-web, libstd-rust-web-dev-bpf and llvm-22-dev, which it installs as root), or else
/// rustup's nightly with rust-src. The first run also builds bpf-linker in the target folder, which takes a minute.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing; rebuild the objects elsewhere and fail if the committed ones differ
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

/// Fails unless the committed objects match the sources.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let committed = workspace.bpf();
    let record = Record::read(&committed).context(REMEDY)?;
    if record.sources != sources::digest(&workspace.root)? {
        bail!("the BPF programs' sources or dependencies have changed since the objects were built: {REMEDY}");
    }
    if record.objects != digests(&committed).context(REMEDY)? {
        bail!("the objects in observer/bpf differ from those in its BUILD file: {REMEDY}");
    }
    let rebuilt = workspace.target.join("bpf/check");
    let versions = build(workspace, &rebuilt)?;
    if versions == record.versions {
        compare(&committed, &rebuilt)?;
        println!("rebuilt with the same tools: the objects in observer/bpf are identical byte for byte");
        return Ok(());
    }
    println!("other tools built the objects in observer/bpf, so the bytes were not compared");
    print!("committed, built with:\n{}rebuilt with:\n{versions}", record.versions);
    println!("the digest of the sources matches; running the tests on the rebuilt objects");
    test(workspace, &rebuilt)?;
    println!("other tools: the digest of the sources matches, and the tests pass on the rebuilt objects");
    Ok(())
}

/// Whether the committed objects were built from the present sources, by digest.
pub(crate) fn is_up_to_date(workspace: &Workspace) -> Result<bool> {
    Ok(Record::read(&workspace.bpf())?.sources == sources::digest(&workspace.root)?)
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
    versions(&toolchain)
}

/// The tools that decide an object's bytes.
fn versions(toolchain: &Toolchain) -> Result<Versions> {
    Ok(Versions {
        toolchain: toolchain.origin.clone(),
        rustc: toolchain.rustc.name.clone(),
        host: toolchain.rustc.host.clone(),
        llvm: toolchain.llvm_version()?,
        linker: linker::VERSION.to_owned(),
    })
}

fn compare(committed: &Path, rebuilt: &Path) -> Result<()> {
    for file in ARCHITECTURES.map(file_name) {
        if read(&committed.join(&file))? != read(&rebuilt.join(&file))? {
            bail!("observer/bpf/{file} differs from the rebuilt object: {REMEDY}");
        }
    }
    Ok(())
}

/// Runs all tests with a program that embeds the objects of this folder.
fn test(workspace: &Workspace, objects: &Path) -> Result<()> {
    // The load test of the dashboard runs the release build.
    run_command(
        workspace
            .cargo()
            .args(["build", "--release", "--locked", "--package", "tcp-reuse-watch"])
            .env(OBJECTS_FOLDER, objects),
    )?;
    for mut tests in [cargo_test::unprivileged(workspace), cargo_test::privileged(workspace)] {
        run_command(tests.env(OBJECTS_FOLDER, objects)).context("with rebuilt BPF objects")?;
    }
    Ok(())
}

/// Architecture and digest of each object.
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
