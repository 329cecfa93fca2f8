//! Builds one BPF object. Its bytes depend on the sources and the tools only: not on the folder, the user's settings or
//! the environment that cargo and rustup pass to the programs they start.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::toolchain::{TARGET, Toolchain};
use crate::support::workspace::{Workspace, run};

const PACKAGE: &str = "tcp-reuse-watch-ebpf";

/// The profile is fixed here rather than in Cargo.toml, because cargo hashes it into the symbol names; the release
/// profile of the host may change freely. The verifier accepts optimised code only, and BTF is made from debug
/// information.
const PROFILE: [(&str, &str); 6] = [
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "2"),
    ("CARGO_PROFILE_RELEASE_INCREMENTAL", "false"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
    ("CARGO_PROFILE_RELEASE_STRIP", "none"),
];

/// Variables of cargo and rustup that are kept: their folders and their network settings.
const KEPT: [&str; 6] =
    ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "RUSTUP_HOME"];

/// Removes earlier builds, because cargo does not notice a changed linker.
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
        Some((path, _)) => bail!("{} contains a path of this machine: {}", file.display(), path.display()),
        None => Ok(()),
    }
}

/// The toolchain's cargo, without the environment of the cargo that runs xtask.
fn cargo(workspace: &Workspace, toolchain: &Toolchain) -> Command {
    let mut command = Command::new(&toolchain.cargo);
    command.current_dir(&workspace.root);
    for (name, _) in env::vars_os() {
        if is_leak(&name) {
            command.env_remove(name);
        }
    }
    // Some users configure wrappers; empty values disable them. RUSTC_BOOTSTRAP lets a released rustc build for BPF.
    command.env("RUSTC", &toolchain.rustc_path).env("RUSTC_BOOTSTRAP", "1").envs(PROFILE);
    command.env("RUSTC_WRAPPER", "").env("RUSTC_WORKSPACE_WRAPPER", "");
    command
}

fn place(workspace: &Workspace) -> [OsString; 4] {
    ["--target".into(), TARGET.into(), "--target-dir".into(), workspace.target.join("bpf").into()]
}

/// Whether a variable could change the build. In `LD_LIBRARY_PATH`, cargo points at its own toolchain.
fn is_leak(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let ours = ["AYA_", "CARGO", "RUST"].iter().any(|prefix| name.starts_with(prefix)) || name == "LD_LIBRARY_PATH";
    ours && !KEPT.iter().any(|kept| name.starts_with(kept))
}

fn rustflags(architecture: &str, paths: &[(PathBuf, String)]) -> OsString {
    // cargo turns this cfg into CARGO_CFG_BPF_TARGET_ARCH. Without it, aya's build scripts assume the architecture of
    // the host.
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

/// This machine's source folders, and their names in an object: the line information of BTF holds file names. Inner
/// folders come after outer ones, because rustc applies the last match.
fn hidden_paths(workspace: &Workspace, toolchain: &Toolchain) -> Result<Vec<(PathBuf, String)>> {
    let cargo_home = match env::var_os("CARGO_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => env::home_dir().context("no home folder: set HOME or CARGO_HOME")?.join(".cargo"),
    };
    let mut paths = vec![(workspace.root.clone(), ".".to_owned())];
    // Each registry has a folder, named after the registry and its address.
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

/// Whether one of the object's strings is a path in this folder.
fn holds(object: &[u8], folder: &Path) -> bool {
    let prefix = format!("\0{}/", folder.display());
    object.windows(prefix.len()).any(|window| window == prefix.as_bytes())
}

/// PATH with the linker's folder in front. The flags name the linker without its path, which would differ by machine.
fn search_path(linker: &Path) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(linker.to_owned()).chain(env::split_paths(&path));
    env::join_paths(folders).context("the target folder's path cannot be part of PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outer_cargo_does_not_leak_into_the_build() {
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
    fn strings_that_start_with_the_folder_are_paths() {
        assert!(holds(b"..\0/src/main.rs\0", Path::new("/src")));
        assert!(!holds(b"..\0observer/src/main.rs\0", Path::new("/src")));
        assert!(!holds(b"..\0/srcs/main.rs\0", Path::new("/src")));
        assert!(!holds(b"", Path::new("/src")));
    }
}
