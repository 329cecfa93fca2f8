//! The kernel's type information (BTF): the kernel's own, or a file given by `--btf`.
//!
//! A file is validated before anything else parses it, because it may be truncated, damaged or no BTF at all.

mod check;
#[cfg(test)]
mod fixture;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod records;
mod types;

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use crate::exit::NotPermitted;
pub(super) use types::{Kind, Named, Types};

/// Where a kernel built with `CONFIG_DEBUG_INFO_BTF` exposes its type information.
pub(crate) const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Far beyond the type information of any kernel, which is 4 to 8 MB.
const MAX_BYTES: u64 = 64 << 20;

pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    /// Whether `--btf` named it.
    pub(crate) is_given: bool,
}

impl Source {
    /// Reads the given file, or else the kernel's own type information.
    ///
    /// Fails with [`NotPermitted`] if the kernel has none. A file that is not valid BTF is an ordinary error.
    pub(crate) fn read(given: Option<&Path>) -> anyhow::Result<Self> {
        match given {
            Some(path) => Self::read_file(path),
            None => Self::read_kernel().map_err(Into::into),
        }
    }

    fn read_kernel() -> Result<Self, NotPermitted> {
        let bytes = fs::read(KERNEL_BTF).map_err(|error| {
            NotPermitted(format!(
                "not supported: cannot read this kernel's type information ({KERNEL_BTF}: {error}); use a kernel built \
                 with CONFIG_DEBUG_INFO_BTF, such as those of Debian 11, Ubuntu 20.10, Fedora 31 and later, or give \
                 the file by --btf FILE"
            ))
        })?;
        Ok(Self { path: KERNEL_BTF.into(), bytes, is_given: false })
    }

    fn read_file(path: &Path) -> anyhow::Result<Self> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
            .with_context(|| format!("cannot read the type information in {} (--btf)", path.display()))?;
        // A vmlinux with debug information is larger too, and gets the more helpful error of the check.
        let fault = if bytes.len() as u64 > MAX_BYTES && !bytes.starts_with(b"\x7fELF") {
            Err(format!("it is larger than {} MiB, and no kernel's is", MAX_BYTES >> 20))
        } else {
            check::check(&bytes)
        };
        if let Err(fault) = fault {
            bail!("{} (--btf) is not usable type information: {fault}", path.display());
        }
        Ok(Self { path: path.into(), bytes, is_given: true })
    }

    /// Whether it differs from the running kernel's own. None if the kernel exposes none.
    pub(crate) fn differs_from_the_kernels(&self) -> Option<bool> {
        Some(self.is_given && fs::read(KERNEL_BTF).ok()? != self.bytes)
    }

    /// Its name in messages.
    pub(crate) fn name(&self) -> String {
        if self.is_given {
            format!("the type information in {}", self.path.display())
        } else {
            "this kernel's type information".into()
        }
    }
}
