//! Parses `rustc -vV`: the version of the compiler and of the LLVM that it was built on.

use anyhow::{Context, Result};

/// The version of a compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rustc {
    /// The first line of `rustc -vV`: version, commit and origin
    pub(super) name: String,
    /// Major and minor version
    pub(super) release: (u32, u32),
    /// Commit, which identifies the sources of the standard library; some builds do not know it
    pub(super) commit: Option<String>,
    pub(super) host: String,
    /// Major version of its LLVM
    pub(super) llvm: u32,
}

impl Rustc {
    /// Parses the output of `rustc -vV`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.with_context(|| format!("rustc -vV has no line `{name}`"))
        };
        let mut release = field("release")?.split('.').map(str::parse::<u32>);
        let mut number = || release.next().context("rustc's release is not MAJOR.MINOR")?.context("rustc's release");
        Ok(Self {
            name: text.lines().next().unwrap_or_default().to_owned(),
            release: (number()?, number()?),
            commit: field("commit-hash").ok().filter(|commit| *commit != "unknown").map(str::to_owned),
            host: field("host")?.to_owned(),
            llvm: field("LLVM version")?
                .split('.')
                .next()
                .unwrap_or_default()
                .parse()
                .context("rustc's LLVM version")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NIGHTLY: &str = "\
rustc 1.97.0-nightly (e50aa6fba 2026-05-19)
binary: rustc
commit-hash: e50aa6fba4e63ab34c72bf9acfd2c307c1155d1a
commit-date: 2026-05-19
host: aarch64-unknown-linux-gnu
release: 1.97.0-nightly
LLVM version: 22.1.4
";

    #[test]
    fn version_output_is_parsed() {
        let rustc = Rustc::parse(NIGHTLY).unwrap();
        assert_eq!(rustc.name, "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)");
        assert_eq!(rustc.release, (1, 97));
        assert_eq!(rustc.commit.as_deref(), Some("e50aa6fba4e63ab34c72bf9acfd2c307c1155d1a"));
        assert_eq!(rustc.host, "aarch64-unknown-linux-gnu");
        assert_eq!(rustc.llvm, 22);
    }

    #[test]
    fn unknown_commit_is_none() {
        let text = NIGHTLY.replace("e50aa6fba4e63ab34c72bf9acfd2c307c1155d1a", "unknown");
        assert_eq!(Rustc::parse(&text).unwrap().commit, None);
    }

    #[test]
    fn other_output_is_an_error() {
        assert!(Rustc::parse("").is_err());
        assert_eq!(
            Rustc::parse("release: 1.96.0\nhost: x\n").unwrap_err().to_string(),
            "rustc -vV has no line `LLVM version`"
        );
        assert!(Rustc::parse(&NIGHTLY.replace("1.97.0-nightly\n", "new\n")).is_err());
    }
}
