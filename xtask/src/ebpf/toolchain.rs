//! Finds a Rust toolchain that can build for BPF: a rustc with a core library for the target, or with the sources to
//! build one, and the LLVM that bpf-linker shares with it.
//!
//! Debian's toolchain comes first. It is a released compiler with a prebuilt core library, so the same package gives
//! the same bytes everywhere. A nightly changes every day.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};

use super::rustc::Rustc;
use crate::support::packages::{self, DEBIAN_RUSTC};
use crate::support::workspace::{cargo, is_root, output};

pub(super) const TARGET: &str = "bpfel-unknown-none";

pub(super) struct Toolchain {
    /// Distributor and version
    pub(super) origin: String,
    pub(super) cargo: OsString,
    pub(super) rustc_path: PathBuf,
    pub(super) rustc: Rustc,
    /// Folder with the `bin` and `lib` of LLVM
    pub(super) llvm: PathBuf,
    /// Sources of the standard library, if core has to be built
    pub(super) core_sources: Option<PathBuf>,
}

impl Toolchain {
    /// Debian's Rust, whose packages are installed if this is root, or else rustup's nightly.
    pub(super) fn find() -> Result<Self> {
        let debian = debian().or_else(|error| {
            if !is_root() {
                return Err(error);
            }
            println!("Debian's Rust for BPF is not usable yet: {error:#}");
            packages::install(packages::FOR_EBPF)?;
            debian()
        });
        debian.or_else(|debian| {
            nightly().map_err(|nightly| {
                let packages = packages::install_line(packages::FOR_EBPF);
                anyhow!(
                    "no Rust toolchain that can build for BPF; install one of these:\n\
                     - Debian's: run `{packages}`\n  (now: {debian:#})\n\
                     - rustup's: run `rustup toolchain install nightly --component rust-src`, and install its LLVM\n  \
                     (now: {nightly:#})"
                )
            })
        })
    }

    pub(super) fn llvm_tool(&self, name: &str) -> PathBuf {
        self.llvm.join("bin").join(name)
    }

    pub(super) fn llvm_version(&self) -> Result<String> {
        Ok(output(Command::new(self.llvm_tool("llvm-config")).arg("--version"))?.trim().to_owned())
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}), LLVM in {}", self.origin, self.rustc.name, self.llvm.display())
    }
}

/// Debian's rustc-web, or any other /usr/bin/rustc with a core library for BPF.
fn debian() -> Result<Toolchain> {
    let rustc_path = PathBuf::from(DEBIAN_RUSTC);
    let rustc = version_of(&rustc_path)?;
    let oldest = env!("CARGO_PKG_RUST_VERSION");
    let mut numbers = oldest.split('.').map_while(|number| number.parse().ok());
    ensure!(
        rustc.release >= (numbers.next().unwrap_or(1), numbers.next().unwrap_or(0)),
        "{DEBIAN_RUSTC} is {}, older than {oldest}",
        rustc.name
    );
    let library = output(Command::new(&rustc_path).args(["--print", "target-libdir", "--target", TARGET]))?;
    ensure!(holds_core(Path::new(library.trim())), "{DEBIAN_RUSTC} has no core library for {TARGET}");
    let origin = match packages::version("rustc-web") {
        Some(version) => format!("Debian rustc-web {version}"),
        None => DEBIAN_RUSTC.to_owned(),
    };
    let llvm = llvm_folder(rustc.llvm);
    ensure_llvm(&llvm, &rustc)?;
    Ok(Toolchain { origin, cargo: cargo(), rustc_path, rustc, llvm, core_sources: None })
}

/// rustup's nightly with the sources of the standard library, and an LLVM from Debian, apt.llvm.org or `LLVM_PREFIX`.
fn nightly() -> Result<Toolchain> {
    let rustc_path = which("rustc")?;
    let rustc = version_of(&rustc_path)?;
    let sysroot = output(Command::new(&rustc_path).args(["--print", "sysroot"]))?;
    let sources = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
    ensure!(sources.join("library/core").is_dir(), "the nightly toolchain has no rust-src");
    let llvm = env::var_os("LLVM_PREFIX").map_or_else(|| llvm_folder(rustc.llvm), PathBuf::from);
    ensure_llvm(&llvm, &rustc)?;
    let origin = "rustup nightly".to_owned();
    Ok(Toolchain { origin, cargo: which("cargo")?.into(), rustc_path, rustc, llvm, core_sources: Some(sources) })
}

/// The path of a program in rustup's nightly toolchain.
fn which(program: &str) -> Result<PathBuf> {
    let path = output(Command::new("rustup").args(["which", "--toolchain", "nightly", program]))?;
    Ok(PathBuf::from(path.trim()))
}

fn version_of(rustc: &Path) -> Result<Rustc> {
    Rustc::parse(&output(Command::new(rustc).arg("-vV"))?)
}

/// The folder of an LLVM from Debian or apt.llvm.org.
fn llvm_folder(major: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/llvm-{major}"))
}

/// Fails unless the folder holds the LLVM that this rustc was built on.
fn ensure_llvm(llvm: &Path, rustc: &Rustc) -> Result<()> {
    let Rustc { name, llvm: major, .. } = rustc;
    let version = output(Command::new(llvm.join("bin/llvm-config")).arg("--version"))
        .with_context(|| format!("{name} needs llvm-{major}-dev, which is not in {}", llvm.display()))?;
    let agrees = version.split('.').next() == Some(&major.to_string());
    ensure!(agrees, "{} is LLVM {}, but {name} needs LLVM {major}", llvm.display(), version.trim());
    Ok(())
}

fn holds_core(library: &Path) -> bool {
    let Ok(entries) = fs::read_dir(library) else {
        return false;
    };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}
