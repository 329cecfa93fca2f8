//! Packages of any Debian release, for any architecture: downloaded and unpacked, not installed, with package lists of
//! their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::support::workspace::{output, run};

const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const MIRROR: &str = "http://deb.debian.org";

/// apt with its own sources and folders. Of the system's apt, it uses only the keys and the proxies.
pub(super) struct Debian {
    folder: PathBuf,
    architecture: &'static str,
}

impl Debian {
    /// Downloads the package lists of some suites, each with its archive, such as `debian bookworm`.
    pub(super) fn open(folder: &Path, architecture: &'static str, suites: &[String]) -> Result<Self> {
        let debian = Self { folder: folder.join("apt"), architecture };
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(debian.folder.join(part)).context("cannot make folders for apt")?;
        }
        let source = |suite: &String| format!("deb [arch={architecture} signed-by={KEYS}] {MIRROR}/{suite} main\n");
        let sources: String = suites.iter().map(source).collect();
        fs::write(debian.folder.join("sources.list"), sources).context("cannot write the sources for apt")?;
        fs::write(debian.folder.join("status"), "").context("cannot write a status for apt")?;
        run(debian.apt("apt-get").args(["-qq", "update"]))?;
        Ok(debian)
    }

    /// Lists the packages whose name matches a pattern, with a description each.
    pub(super) fn search(&self, pattern: &str) -> Result<String> {
        output(self.apt("apt-cache").args(["search", "--names-only", pattern]))
    }

    /// Downloads a package, `NAME` or `NAME=VERSION`, and unpacks it into a folder.
    pub(super) fn unpack(&self, package: &str, into: &Path) -> Result<()> {
        let download = self.folder.join("download");
        fs::create_dir_all(&download).context("cannot make a folder for a package")?;
        run(self.apt("apt-get").args(["-qq", "download", package]).current_dir(&download))?;
        run(Command::new("dpkg-deb").arg("--extract").arg(only_entry(&download)?).arg(into))?;
        fs::remove_dir_all(download).context("cannot remove what was downloaded")
    }

    /// Removes the package lists, which are large.
    pub(super) fn close(self) -> Result<()> {
        fs::remove_dir_all(self.folder).context("cannot remove apt's lists")
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let folders = [
            ("Dir::Etc::sourcelist", "sources.list"),
            ("Dir::State::Lists", "lists"),
            ("Dir::Cache", "cache"),
            ("Dir::State::status", "status"),
        ];
        for (option, path) in folders {
            command.arg("-o").arg(format!("{option}={}", self.folder.join(path).display()));
        }
        for option in ["APT::Architecture", "APT::Architectures"] {
            command.arg("-o").arg(format!("{option}={}", self.architecture));
        }
        // The last option keeps apt from changing to a user that cannot write here.
        command.args(["-o", "Dir::Etc::sourceparts=-", "-o", "Acquire::Languages=none"]);
        command.args(["-o", "APT::Sandbox::User=root"]);
        command
    }
}

fn only_entry(folder: &Path) -> Result<PathBuf> {
    let entry = fs::read_dir(folder).context("cannot read the folder of packages")?.next();
    Ok(entry.context("apt-get downloaded no package")??.path())
}
