//! The digest of everything that the BPF objects are built from: the sources and the manifest of observer-ebpf, and the
//! packages that it depends on according to Cargo.lock.
//!
//! The version of the package and the dependencies of its build scripts count too, because cargo hashes them into the
//! symbol names of an object.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};

const PACKAGE: &str = "tcp-reuse-watch-ebpf";
const FOLDER: &str = "observer-ebpf";

/// The digest of the sources below the workspace's root, in hexadecimal.
pub(super) fn digest(root: &Path) -> Result<String> {
    let mut files = vec![PathBuf::from(FOLDER).join("Cargo.toml")];
    list(root, &Path::new(FOLDER).join("src"), &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let content = fs::read(root.join(&file)).with_context(|| format!("cannot read {}", file.display()))?;
        // The length is hashed too, so bytes that move from one file to the next change the digest.
        hash.update(format!("{} {}\n", file.display(), content.len()));
        hash.update(&content);
    }
    let lock = fs::read_to_string(root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    for package in reachable(&lock)? {
        hash.update(package);
    }
    Ok(hex(&hash.finalize()))
}

/// The digest of some bytes, in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// All files below `folder`, as paths from `root`.
fn list(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let cannot = || format!("cannot list {}", folder.display());
    for entry in fs::read_dir(root.join(folder)).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let path = folder.join(entry.file_name());
        if entry.file_type().with_context(cannot)?.is_dir() {
            list(root, &path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    checksum: String,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// Sorted lines with name, version and checksum of the BPF package and of all its dependencies.
fn reachable(lock: &str) -> Result<BTreeSet<String>> {
    let lock: Lock = toml::from_str(lock).context("cannot parse Cargo.lock")?;
    let mut found = BTreeSet::new();
    let mut open = vec![PACKAGE];
    while let Some(wanted) = open.pop() {
        let package = lock.package.iter().find(|package| is_named_by(package, wanted));
        let package = package.with_context(|| format!("Cargo.lock has no package `{wanted}`"))?;
        if found.insert(format!("{} {} {}\n", package.name, package.version, package.checksum)) {
            open.extend(package.dependencies.iter().map(String::as_str));
        }
    }
    Ok(found)
}

/// Whether a dependency entry names this package: `NAME`, or `NAME VERSION` if there are several versions.
fn is_named_by(package: &Package, wanted: &str) -> bool {
    let mut words = wanted.split(' ');
    words.next() == Some(&package.name) && words.next().is_none_or(|version| version == package.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 4
[[package]]
name = "aya-ebpf"
version = "0.2.1"
checksum = "aa"
dependencies = ["aya-ebpf-macros", "syn 2.0.1"]
[[package]]
name = "aya-ebpf-macros"
version = "0.2.0"
checksum = "bb"
dependencies = ["aya-ebpf"]
[[package]]
name = "serde"
version = "1.0.0"
[[package]]
name = "syn"
version = "1.0.1"
[[package]]
name = "syn"
version = "2.0.1"
checksum = "dd"
[[package]]
name = "tcp-reuse-watch-ebpf"
version = "0.1.0"
dependencies = ["aya-ebpf"]
"#;

    #[test]
    fn only_dependencies_of_the_object_count() {
        let lines: Vec<_> = reachable(LOCK).unwrap().into_iter().collect();
        let expected =
            ["aya-ebpf 0.2.1 aa\n", "aya-ebpf-macros 0.2.0 bb\n", "syn 2.0.1 dd\n", "tcp-reuse-watch-ebpf 0.1.0 \n"];
        assert_eq!(lines, expected);
    }

    #[test]
    fn lock_file_without_the_package_is_an_error() {
        assert!(reachable("package = []").is_err());
    }

    #[test]
    fn every_change_of_the_sources_changes_the_digest() {
        let root = std::env::temp_dir().join(format!("xtask-sources-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            digest(&root)
        };
        write("Cargo.lock", LOCK).unwrap_err();
        write("observer-ebpf/Cargo.toml", "[package]").unwrap_err();
        let first = write("observer-ebpf/src/main.rs", "fn main() {}").unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(write("observer/src/main.rs", "elsewhere").unwrap(), first);
        assert_eq!(write("Cargo.lock", &LOCK.replace("1.0.0", "1.0.9")).unwrap(), first);
        let changes = [
            write("observer-ebpf/src/maps/one.rs", ""),
            write("observer-ebpf/src/main.rs", "fn main() { }"),
            write("observer-ebpf/Cargo.toml", "[package]\n"),
            write("Cargo.lock", &LOCK.replace("dd", "ee")),
        ];
        let distinct: BTreeSet<_> = changes.into_iter().map(Result::unwrap).chain([first]).collect();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(distinct.len(), 5);
    }

    #[test]
    fn digest_is_sha256() {
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
