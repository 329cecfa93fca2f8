//! The kernels to test on: those of Debian's releases, in the cloud packages, which are small.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::architecture::Architecture;
use super::debian::Debian;

/// A kernel to test on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel {
    /// Version; a minimum in sid
    pub(crate) name: &'static str,
    /// Debian release
    suite: &'static str,
    /// Start of the version in package names
    package: &'static str,
}

/// From the oldest supported kernel to the newest one.
pub(super) const ALL: [Kernel; 4] = [
    Kernel { name: "5.10", suite: "bullseye", package: "5.10." },
    Kernel { name: "6.1", suite: "bookworm", package: "6.1." },
    Kernel { name: "6.12", suite: "trixie", package: "6.12." },
    // The newest there is.
    Kernel { name: "7.2", suite: "sid", package: "" },
];

/// Finds a kernel by its name.
pub(crate) fn find(name: &str) -> Result<Kernel, String> {
    let names = || ALL.map(|kernel| kernel.name).join(", ");
    ALL.into_iter().find(|kernel| kernel.name == name).ok_or_else(|| format!("the kernels are {}", names()))
}

impl Kernel {
    /// Returns the path of the image, and downloads it first if it is missing.
    pub(crate) fn fetch(&self, folder: &Path, architecture: &Architecture) -> Result<PathBuf> {
        let folder = folder.join("kernels").join(self.name);
        let image = folder.join("vmlinuz");
        if !image.exists() {
            println!("downloading Linux {} for {} from Debian {}", self.name, architecture.name, self.suite);
            self.fetch_into(&folder, architecture.debian, &image)
                .with_context(|| format!("cannot download Linux {}", self.name))?;
        }
        Ok(image)
    }

    fn fetch_into(&self, folder: &Path, architecture: &'static str, image: &Path) -> Result<()> {
        // Left over from an earlier attempt.
        let unpacked = folder.join("unpacked");
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(&unpacked).with_context(|| format!("cannot create {}", folder.display()))?;
        let debian = Debian::open(folder, architecture, &[format!("debian {}", self.suite)])?;
        let version = self.package.replace('.', "[.]");
        let pattern = format!("^linux-(image|binary)-{version}[0-9].*-cloud-{architecture}$");
        let packages = debian.search(&pattern)?;
        let package = newest(&packages).with_context(|| format!("Debian {} has no package {pattern}", self.suite))?;
        debian.unpack(package, &unpacked)?;
        let found = find_image(&unpacked)?.with_context(|| format!("{package} contains no kernel"))?;
        fs::rename(found, image).context("cannot keep the kernel")?;
        fs::remove_dir_all(unpacked).context("cannot remove what was unpacked")?;
        debian.close()
    }

    /// Whether fentry cannot attach, although its programs load. On 64-bit ARM, a function can be redirected to a
    /// program since Linux 6.4 (`CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS`).
    pub(super) fn refuses_fentry(&self, architecture: &Architecture) -> bool {
        architecture.debian == "arm64" && ["5.10", "6.1"].contains(&self.name)
    }
}

/// The newest package in the output of `apt-cache search`. If a version has two packages, the image is in linux-binary.
fn newest(listing: &str) -> Option<&str> {
    let names = listing.lines().filter_map(|line| line.split_whitespace().next());
    names.max_by_key(|name| (numbers(name), name.starts_with("linux-binary")))
}

fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// The kernel in an unpacked package: in /boot, or since 7.0 in the folder of its modules.
fn find_image(folder: &Path) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            if let Some(found) = find_image(&path)? {
                return Ok(Some(found));
            }
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz")) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_package_is_found_by_number() {
        let listing = "\
linux-image-6.1.0-9-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)
linux-image-6.1.0-50-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)
linux-image-6.1.0-32-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)
";
        assert_eq!(newest(listing), Some("linux-image-6.1.0-50-cloud-amd64"));
        assert_eq!(newest(""), None);
    }

    #[test]
    fn binary_package_has_the_image() {
        let listing = "linux-binary-7.2.13+deb14-cloud-amd64 - x\nlinux-image-7.2.13+deb14-cloud-amd64 - y\n";
        assert_eq!(newest(listing), Some("linux-binary-7.2.13+deb14-cloud-amd64"));
    }

    #[test]
    fn unknown_kernel_is_rejected_with_the_list() {
        assert_eq!(find("6.1").unwrap().suite, "bookworm");
        assert_eq!(find("4.19").unwrap_err(), "the kernels are 5.10, 6.1, 6.12, 7.2");
    }
}
