//! What a program is written for, as far as advice has to know: plain data, and how it is told from what /proc shows.
//! Nothing here reads anything; `helper` does.

mod elf;
mod go;
mod mapped;

use std::fmt;

pub(crate) use elf::Image;
pub(crate) use go::GoVersion;
pub(crate) use mapped::Libraries;

/// A process, and no later one with its number, under the name that it had: another program that has taken it over
/// has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// When it started, in clock ticks since boot.
    pub(crate) start_ticks: u64,
    /// As the kernel keeps it: 15 bytes and a NUL.
    pub(crate) comm: [u8; 16],
}

/// Whose APIs advice may name. The surest sign comes first: an executable that Go built is Go, whatever it has loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// With its version, if the executable tells it.
    Go(Option<GoVersion>),
    Node,
    Python,
    Java,
    /// Nothing of the above, with libcurl in it.
    Libcurl,
    /// None of these: advice names no API.
    Unknown,
}

impl Runtime {
    /// By its name, as it is displayed; unknown, if it is none.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "Go" => Self::Go(None),
            "Node" => Self::Node,
            "Python" => Self::Python,
            "Java" => Self::Java,
            "libcurl" => Self::Libcurl,
            _ => name.strip_prefix("Go ").map_or(Self::Unknown, |version| Self::Go(GoVersion::named(version))),
        }
    }

    /// By an executable that Go built.
    pub(crate) fn of_executable(image: &mut impl Image) -> Option<Self> {
        go::built_by(image)
    }

    /// By the executable's name, without its folder, and by what is mapped; Go has been ruled out.
    pub(crate) fn of_process(executable: &[u8], libraries: Libraries) -> Self {
        match () {
            () if matches!(executable, b"node" | b"nodejs") => Self::Node,
            () if is_python(executable) => Self::Python,
            () if libraries.node => Self::Node,
            () if libraries.jvm => Self::Java,
            () if libraries.python => Self::Python,
            () if libraries.curl || executable == b"curl" => Self::Libcurl,
            () => Self::Unknown,
        }
    }
}

/// `python`, `python3`, `python3.13t`, `pypy3.10`, but not `python-config`.
fn is_python(executable: &[u8]) -> bool {
    let version = executable.strip_prefix(b"python").or_else(|| executable.strip_prefix(b"pypy"));
    version.is_some_and(|version| version.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'd' | b't')))
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Go(Some(version)) => write!(f, "Go {version}"),
            Self::Go(None) => f.write_str("Go"),
            Self::Node => f.write_str("Node"),
            Self::Python => f.write_str("Python"),
            Self::Java => f.write_str("Java"),
            Self::Libcurl => f.write_str("libcurl"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Libraries = Libraries { node: false, python: false, jvm: false, curl: false };

    #[test]
    fn names_tell() {
        let of = |name: &str| Runtime::of_process(name.as_bytes(), NOTHING);
        for name in ["python", "python3", "python3.11", "python3.13t", "python3.12d", "pypy3.10"] {
            assert_eq!(of(name), Runtime::Python, "{name}");
        }
        assert_eq!((of("node"), of("nodejs"), of("curl")), (Runtime::Node, Runtime::Node, Runtime::Libcurl));
        for name in ["python-config", "pythonista", "nodename", "curlie", "java", "bash", ""] {
            assert_eq!(of(name), Runtime::Unknown, "{name}");
        }
    }

    #[test]
    fn the_surer_sign_decides() {
        let all = Libraries { node: true, python: true, jvm: true, curl: true };
        let of = |name: &str, libraries| Runtime::of_process(name.as_bytes(), libraries);
        assert_eq!(of("python3", all), Runtime::Python, "with a JVM in it, as JPype does");
        assert_eq!(of("server", all), Runtime::Node);
        assert_eq!(of("server", Libraries { node: false, ..all }), Runtime::Java);
        assert_eq!(of("uwsgi", Libraries { node: false, jvm: false, ..all }), Runtime::Python);
        assert_eq!(of("git-remote-http", Libraries { curl: true, ..NOTHING }), Runtime::Libcurl);
    }

    #[test]
    fn they_are_shown_by_name() {
        let version = GoVersion { major: 1, minor: 19, patch: Some(8) };
        assert_eq!(Runtime::Go(Some(version)).to_string(), "Go 1.19.8");
        assert_eq!(Runtime::Go(None).to_string(), "Go");
        assert_eq!(Runtime::Libcurl.to_string(), "libcurl");
    }
}
