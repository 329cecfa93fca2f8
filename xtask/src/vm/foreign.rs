//! What this machine has for its own architecture only, fetched from Debian for another one: Rust's standard library and
//! busybox.
//!
//! rustc is Debian's then, as for the BPF programs. A standard library serves only the build of rustc that it came with,
//! and Debian has both as packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::architecture::Architecture;
use super::debian::Debian;
use crate::support::packages::{self, DEBIAN_RUSTC};

/// The package of rustc, and that of its standard library for programs.
const RUSTC: &str = "rustc-web";
const LIBRARY: &str = "libstd-rust-web-dev";

/// Builds in less time. It is the BPF programs that have to be tested on another architecture, and their bytes are
/// committed.
const PROFILE: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
];

/// Unpacked packages for an architecture.
pub(super) struct Foreign {
    root: PathBuf,
}

impl Foreign {
    /// Downloads the packages first if they are missing, or if rustc has another version now.
    pub(super) fn fetch(folder: &Path, architecture: &Architecture) -> Result<Self> {
        let rustc = packages::version(RUSTC).with_context(|| format!("{RUSTC} is not installed"))?;
        let root = folder.join(format!("rust-{rustc}"));
        if !root.exists() {
            println!("downloading Rust's standard library and busybox for {} from Debian", architecture.name);
            fetch_into(folder, architecture.debian, &rustc, &root)
                .with_context(|| format!("cannot download the packages for {}", architecture.name))?;
        }
        Ok(Self { root })
    }

    pub(super) fn busybox(&self) -> PathBuf {
        self.root.join("bin/busybox")
    }

    /// Makes cargo build for the architecture, and returns the flags of rustc that this takes.
    pub(super) fn set_up(&self, cargo: &mut Command, architecture: &Architecture) -> String {
        let target = architecture.target.to_uppercase().replace('-', "_");
        // cargo has set the library path for its own rustc.
        cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_WRAPPER", "").env_remove("LD_LIBRARY_PATH").envs(PROFILE);
        cargo.env(format!("CARGO_TARGET_{target}_LINKER"), format!("{}-linux-gnu-gcc", architecture.name));
        format!("--sysroot={}", self.root.join("usr").display())
    }
}

fn fetch_into(folder: &Path, architecture: &'static str, rustc: &str, root: &Path) -> Result<()> {
    // Left over from an earlier attempt.
    let unpacked = folder.join("unpacked");
    let _ = fs::remove_dir_all(&unpacked);
    fs::create_dir_all(&unpacked).with_context(|| format!("cannot create {}", unpacked.display()))?;
    let release = release()?;
    let suites = [format!("debian {release}"), format!("debian-security {release}-security")];
    let debian = Debian::open(folder, architecture, &suites)?;
    debian.unpack(&format!("{LIBRARY}={rustc}"), &unpacked)?;
    debian.unpack("busybox-static", &unpacked)?;
    debian.close()?;
    fs::rename(unpacked, root).context("cannot keep the packages")
}

/// The name of this machine's Debian release.
fn release() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(name.context("/etc/os-release does not name a release")?.to_owned())
}
