//! The kernel's type information (BTF): what the kernel itself shows, or a file given by `--btf`.
//!
//! A file is checked before anything parses it: the parsers trust what the kernel has made, and follow an offset that
//! leads out of the file, or a type that contains itself, wherever it leads.

mod check;
#[cfg(test)]
mod fixture;
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

/// Where a kernel built with `CONFIG_DEBUG_INFO_BTF` shows it.
pub(crate) const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// What no kernel's type information comes near to (they are 4 to 8 MB).
const MAX_BYTES: u64 = 64 << 20;

/// Type information as bytes, and where they are from.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    /// Not what the running kernel shows, but a file that was given.
    pub(crate) is_given: bool,
}

impl Source {
    /// Reads the file, if one is given, else what the kernel shows.
    ///
    /// Fails with [`NotPermitted`] where the kernel shows none; a file that is not what it should be is an ordinary
    /// error.
    pub(crate) fn read(given: Option<&Path>) -> anyhow::Result<Self> {
        match given {
            Some(path) => Self::read_file(path),
            None => Self::read_kernel().map_err(Into::into),
        }
    }

    fn read_kernel() -> Result<Self, NotPermitted> {
        let bytes = fs::read(KERNEL_BTF).map_err(|error| {
            NotPermitted(format!(
                "not supported: this kernel shows no type information ({KERNEL_BTF}: {error}); it has to be built with \
                 CONFIG_DEBUG_INFO_BTF, as those of Debian 11, Ubuntu 20.10, Fedora 31 and later are; if it only keeps \
                 it elsewhere, give that by --btf FILE"
            ))
        })?;
        Ok(Self { path: KERNEL_BTF.into(), bytes, is_given: false })
    }

    fn read_file(path: &Path) -> anyhow::Result<Self> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
            .with_context(|| format!("cannot read the type information in {} (--btf)", path.display()))?;
        // A vmlinux with debug information is larger too, and deserves to be told what it is.
        let fault = if bytes.len() as u64 > MAX_BYTES && !bytes.starts_with(b"\x7fELF") {
            Err("it is larger than any kernel's".to_string())
        } else {
            check::check(&bytes)
        };
        if let Err(fault) = fault {
            bail!("{} (--btf) holds no usable type information: {fault}", path.display());
        }
        Ok(Self { path: path.into(), bytes, is_given: true })
    }

    /// Whether it is not what the running kernel shows of itself; None if it shows nothing.
    pub(crate) fn differs_from_the_kernels(&self) -> Option<bool> {
        Some(self.is_given && fs::read(KERNEL_BTF).ok()? != self.bytes)
    }

    /// How messages name it.
    pub(crate) fn name(&self) -> String {
        if self.is_given {
            format!("the type information in {}", self.path.display())
        } else {
            "this kernel's type information".into()
        }
    }
}
