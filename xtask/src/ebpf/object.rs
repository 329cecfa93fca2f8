//! Builds one BPF object, so that its bytes depend on the sources and the tools and on nothing else: not on the folder,
//! the user's settings, or what cargo and rustup hand down to the programs they start.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::toolchain::{TARGET, Toolchain};
use crate::workspace::{Workspace, run};

const PACKAGE: &str = "tcp-reuse-watch-ebpf";

/// Fixed here, as cargo hashes the profile into the symbol names: the host's release profile may change freely. The
/// verifier takes optimised code only; BTF is made from the debug information.
const PROFILE: [(&str, &str); 6] = [
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "2"),
    ("CARGO_PROFILE_RELEASE_INCREMENTAL", "false"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
    ("CARGO_PROFILE_RELEASE_STRIP", "none"),
];

/// What is kept of cargo's and rustup's own variables: where they are, and how they reach the network.
const KEPT: [&str; 6] =
    ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "RUSTUP_HOME"];

/// Removes what was built before: cargo would not notice another linker.
pub(super) fn forget(workspace: &Workspace, toolchain: &Toolchain) -> Result<()> {
    run(cargo(workspace, toolchain)
        .args(["clean", "--quiet", "--release", "--package", PACKAGE])
        .args(place(workspace)))
}

/// Builds the object for an architecture into `file`. `linker` is the folder of bpf-linker.
pub(super) fn build(
    workspace: &Workspace,
    toolchain: &Toolchain,
    linker: &Path,
    architecture: &str,
    file: &Path,
) -> Result<()> {
    let paths = hidden_paths(workspace, toolchain)?;
    let mut command = cargo(workspace, toolchain);
    command.args(["build", "--release", "--locked", "--package", PACKAGE, "--bin", PACKAGE]).args(place(workspace));
    if toolchain.core_sources.is_some() {
        command.arg("-Zbuild-std=core");
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", rustflags(architecture, &paths)).env("PATH", search_path(linker)?);
    run(&mut command).with_context(|| format!("cannot build the BPF object for {architecture}"))?;
    let built = workspace.target.join("bpf").join(TARGET).join("release").join(PACKAGE);
    run(Command::new(toolchain.llvm_tool("llvm-objcopy")).arg("--strip-debug").args([built.as_path(), file]))?;
    let object = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    match paths.iter().find(|(path, _)| holds(&object, path)) {
        Some((path, _)) => bail!("{} holds a path of this machine: {}", file.display(), path.display()),
        None => Ok(()),
    }
}

/// The toolchain's cargo, without the environment of the cargo that runs this program.
fn cargo(workspace: &Workspace, toolchain: &Toolchain) -> Command {
    let mut command = Command::new(&toolchain.cargo);
    command.current_dir(&workspace.root);
    for (name, _) in env::vars_os() {
        if is_leak(&name) {
            command.env_remove(name);
        }
    }
    // Empty wrappers: they are set in some users' configuration. RUSTC_BOOTSTRAP: a released rustc builds for BPF, too.
    command.env("RUSTC", &toolchain.rustc_path).env("RUSTC_BOOTSTRAP", "1").envs(PROFILE);
    command.env("RUSTC_WRAPPER", "").env("RUSTC_WORKSPACE_WRAPPER", "");
    command
}

fn place(workspace: &Workspace) -> [OsString; 4] {
    ["--target".into(), TARGET.into(), "--target-dir".into(), workspace.target.join("bpf").into()]
}

/// Whether a variable could change what is built. `LD_LIBRARY_PATH` is where cargo points at its own toolchain.
fn is_leak(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let ours = ["AYA_", "CARGO", "RUST"].iter().any(|prefix| name.starts_with(prefix)) || name == "LD_LIBRARY_PATH";
    ours && !KEPT.iter().any(|kept| name.starts_with(kept))
}

fn rustflags(architecture: &str, paths: &[(PathBuf, String)]) -> OsString {
    // From this cfg cargo sets CARGO_CFG_BPF_TARGET_ARCH, which keeps aya's build scripts from assuming the host's.
    let architecture = format!("--cfg=bpf_target_arch=\"{architecture}\"");
    let mut flags = OsString::from(architecture);
    for flag in ["-Clinker=bpf-linker", "-Clinker-plugin-lto", "-Clink-arg=--btf"] {
        flags.push("\x1f");
        flags.push(flag);
    }
    for (path, name) in paths {
        flags.push("\x1f--remap-path-prefix=");
        flags.push(path);
        flags.push("=");
        flags.push(name);
    }
    flags
}

/// The folders of this machine that source files are in, and what they are called in an object. BTF's line information
/// holds file names. rustc takes the last that fits, so the inner folders come later.
fn hidden_paths(workspace: &Workspace, toolchain: &Toolchain) -> Result<Vec<(PathBuf, String)>> {
    let cargo_home = match env::var_os("CARGO_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => env::home_dir().context("no home folder: set HOME or CARGO_HOME")?.join(".cargo"),
    };
    let mut paths = vec![(workspace.root.clone(), ".".to_owned())];
    // Each registry's sources are in a folder named after it and where it is.
    let registries = cargo_home.join("registry/src");
    paths.push((cargo_home, "/cargo".to_owned()));
    if let Ok(entries) = fs::read_dir(&registries) {
        let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        folders.sort();
        paths.extend(folders.into_iter().map(|folder| (folder, "/registry".to_owned())));
    }
    if let Some(sources) = &toolchain.core_sources {
        let commit = toolchain.rustc.commit.as_deref().unwrap_or("unknown");
        paths.push((sources.clone(), format!("/rustc/{commit}")));
    }
    Ok(paths)
}

/// Whether one of an object's strings is a path in this folder.
fn holds(object: &[u8], folder: &Path) -> bool {
    let prefix = format!("\0{}/", folder.display());
    object.windows(prefix.len()).any(|window| window == prefix.as_bytes())
}

/// PATH, with the linker's folder in front: a linker's full path in the flags would be a path of this machine.
fn search_path(linker: &Path) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(linker.to_owned()).chain(env::split_paths(&path));
    env::join_paths(folders).context("the target folder's path cannot be part of PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_cargo_does_not_leak_into_the_build() {
        for name in ["CARGO", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTUP_TOOLCHAIN", "CARGO_PROFILE_RELEASE_LTO"] {
            assert!(is_leak(OsStr::new(name)), "{name}");
        }
        for name in ["PATH", "HOME", "CARGO_HOME", "CARGO_HTTP_CAINFO", "RUSTUP_HOME"] {
            assert!(!is_leak(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn flags_name_the_architecture_and_hide_the_paths() {
        let paths = [(PathBuf::from("/a b"), ".".to_owned()), (PathBuf::from("/c"), "/cargo".to_owned())];
        let flags = rustflags("aarch64", &paths).into_string().unwrap();
        let flags: Vec<_> = flags.split('\x1f').collect();
        assert_eq!(flags[0], "--cfg=bpf_target_arch=\"aarch64\"");
        assert_eq!(flags[flags.len() - 2..], ["--remap-path-prefix=/a b=.", "--remap-path-prefix=/c=/cargo"]);
    }

    #[test]
    fn only_a_string_that_begins_with_the_folder_is_its_path() {
        assert!(holds(b"..\0/src/main.rs\0", Path::new("/src")));
        assert!(!holds(b"..\0observer/src/main.rs\0", Path::new("/src")));
        assert!(!holds(b"..\0/srcs/main.rs\0", Path::new("/src")));
        assert!(!holds(b"", Path::new("/src")));
    }
}
