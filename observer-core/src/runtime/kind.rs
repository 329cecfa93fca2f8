//! The runtimes, and their names.

use std::fmt;

use super::go_version::GoVersion;

/// The runtime of a program, or the client library that advice has to address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// The version is None if the executable does not contain a readable one.
    Go(Option<GoVersion>),
    Node,
    Python,
    /// Python that has loaded pycurl. Its requests may come from pycurl or from another client library.
    Pycurl,
    Java,
    Ruby,
    Php,
    DotNet,
    Rust,
    Erlang,
    Perl,
    /// None of the runtimes above, but libcurl is loaded.
    Libcurl,
    /// None of the above: advice names no API.
    Unknown,
}

impl Runtime {
    /// Every runtime with its display name. Go is listed without a version.
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

    /// Parses a display name. An unrecognised name yields `Unknown`.
    pub fn from_name(name: &str) -> Self {
        if let Some(version) = name.strip_prefix("Go ") {
            return Self::Go(GoVersion::from_name(version));
        }
        Self::ALL.into_iter().find(|(_, other)| *other == name).map_or(Self::Unknown, |(runtime, _)| runtime)
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
