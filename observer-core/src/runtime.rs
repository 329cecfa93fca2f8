//! What a program is written for, as far as advice has to know: plain data, and how it is told from what /proc shows.
//! Nothing here reads anything; `helper` does.

mod dotnet;
mod elf;
mod go;
mod mapped;
mod names;
mod rust;

use std::fmt;

pub use elf::Image;
pub use go::GoVersion;
pub use mapped::Libraries;
use mapped::Library;

/// A process, and no later one with its number, under the name that it had: another program that has taken it over
/// has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
    /// As the kernel keeps it: 15 bytes and a NUL.
    pub comm: [u8; 16],
}

/// Whose APIs advice may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// With its version, if the executable tells it.
    Go(Option<GoVersion>),
    Node,
    Python,
    /// Python that has loaded pycurl. It may make its requests by that, or by another of its clients.
    Pycurl,
    Java,
    Ruby,
    Php,
    DotNet,
    Rust,
    Erlang,
    Perl,
    /// None of the above, with libcurl in it.
    Libcurl,
    /// None of these: advice names no API.
    Unknown,
}

impl Runtime {
    /// Each of them, Go without a version, and its name as it is displayed.
    pub const ALL: [(Self, &str); 13] = [
        (Self::Go(None), "Go"),
        (Self::Node, "Node"),
        (Self::Python, "Python"),
        (Self::Pycurl, "Python with pycurl"),
        (Self::Java, "Java"),
        (Self::Ruby, "Ruby"),
        (Self::Php, "PHP"),
        (Self::DotNet, ".NET"),
        (Self::Rust, "Rust"),
        (Self::Erlang, "Erlang"),
        (Self::Perl, "Perl"),
        (Self::Libcurl, "libcurl"),
        (Self::Unknown, "unknown"),
    ];

    /// By its name, as it is displayed; unknown, if it is none.
    pub fn named(name: &str) -> Self {
        if let Some(version) = name.strip_prefix("Go ") {
            return Self::Go(GoVersion::named(version));
        }
        Self::ALL.into_iter().find(|(_, other)| *other == name).map_or(Self::Unknown, |(runtime, _)| runtime)
    }

    /// Of a process, by its executable's name, without the folder, by what that file holds, if it may be read, and by
    /// what the process has mapped. None if that cannot be told.
    ///
    /// The surest sign comes first: an executable that Go built is Go, whatever it has loaded.
    pub fn of(
        executable: &[u8],
        mut image: Option<&mut impl Image>,
        libraries: impl FnOnce() -> Option<Libraries>,
    ) -> Option<Self> {
        if names::is_of_several(executable) {
            return Some(Self::Unknown);
        }
        if let Some(go) = image.as_deref_mut().and_then(go::built_by) {
            return Some(go);
        }
        let libraries = libraries()?;
        if let Some(runtime) = Self::of_process(executable, libraries) {
            return Some(runtime);
        }
        // The rest is certain only if the executable has shown that it is none of those that can be told by it.
        let image = image?;
        let has_curl = libraries.has(Library::Curl) || executable == b"curl";
        Some(match () {
            () if has_curl => Self::Libcurl,
            () if dotnet::is_within(image) => Self::DotNet,
            () if rust::has_built(image) => Self::Rust,
            () => Self::Unknown,
        })
    }

    /// By the executable's name and by what is mapped; Go has been ruled out.
    fn of_process(executable: &[u8], libraries: Libraries) -> Option<Self> {
        let runtime = names::interpreter(executable)
            .or_else(|| libraries.virtual_machine())
            .or_else(|| libraries.interpreter(names::runs_scripts(executable)))?;
        let has_pycurl = runtime == Self::Python && libraries.has(Library::Pycurl);
        Some(if has_pycurl { Self::Pycurl } else { runtime })
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Go(Some(version)) = self {
            return write!(f, "Go {version}");
        }
        let name = Self::ALL.into_iter().find(|(runtime, _)| runtime == self).map_or("unknown", |(_, name)| name);
        f.write_str(name)
    }
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
