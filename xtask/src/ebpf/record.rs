//! The BUILD file beside the BPF objects names the tools and the sources that they were built from. It consists of
//! plain `key = value` lines, which show changes well in a diff.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

const FILE: &str = "BUILD";
const HEAD: &str = "# Written by `cargo xtask ebpf`: what built the objects in this folder, and the sha256 of the sources and objects.\n";

/// The tools that decide an object's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Versions {
    /// Origin of rustc and its core library
    pub(super) toolchain: String,
    pub(super) rustc: String,
    /// Platform that rustc runs on; it enters the hashes in symbol names
    pub(super) host: String,
    /// LLVM that bpf-linker uses
    pub(super) llvm: String,
    pub(super) linker: String,
}

/// The content of the BUILD file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) versions: Versions,
    /// Digest of everything that the objects are built from
    pub(super) sources: String,
    /// Architecture and digest of each object
    pub(super) objects: Vec<(String, String)>,
}

impl Record {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("cannot parse {}", path.display()))
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        fs::write(&path, self.to_string()).with_context(|| format!("cannot write {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let pairs: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(" = ")).collect();
        let field = |name: &str| {
            let value = pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            value.with_context(|| format!("no line `{name} = …`"))
        };
        let object = |(key, value): &(&str, &str)| Some((key.strip_prefix("object.")?.to_owned(), (*value).to_owned()));
        Ok(Self {
            versions: Versions {
                toolchain: field("toolchain")?,
                rustc: field("rustc")?,
                host: field("host")?,
                llvm: field("llvm")?,
                linker: field("bpf-linker")?,
            },
            sources: field("sources")?,
            objects: pairs.iter().filter_map(object).collect(),
        })
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        write!(f, "{}", self.versions)?;
        writeln!(f, "sources = {}", self.sources)?;
        self.objects.iter().try_for_each(|(architecture, digest)| writeln!(f, "object.{architecture} = {digest}"))
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { toolchain, rustc, host, llvm, linker } = self;
        writeln!(f, "toolchain = {toolchain}\nrustc = {rustc}\nhost = {host}\nllvm = {llvm}\nbpf-linker = {linker}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let versions = Versions {
            toolchain: "Debian rustc-web 1.96.0+dfsg1-1~deb12u2".into(),
            rustc: "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)".into(),
            host: "x86_64-unknown-linux-gnu".into(),
            llvm: "22.1.8".into(),
            linker: "0.13.0".into(),
        };
        let objects = vec![("x86_64".into(), "aa".into()), ("aarch64".into(), "bb".into())];
        Record { versions, sources: "cc".into(), objects }
    }

    #[test]
    fn written_record_reads_back_unchanged() {
        assert_eq!(Record::parse(&record().to_string()).unwrap(), record());
    }

    #[test]
    fn missing_line_is_named_in_the_error() {
        let text = record().to_string().replace("llvm = ", "llvm: ");
        assert_eq!(Record::parse(&text).unwrap_err().to_string(), "no line `llvm = …`");
        assert!(Record::parse("").is_err());
    }
}
