//! Detects runtimes by the libraries that a process has mapped, according to /proc/PID/maps.

use super::kind::Runtime;

/// A library that identifies a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Library {
    Node,
    Jvm,
    Coreclr,
    Python,
    /// `Python` outside of the system's library folders, so bundled with a program. It is set in addition to `Python`.
    BundledPython,
    Pycurl,
    Php,
    Ruby,
    Perl,
    Curl,
}

/// Each library with the beginning of its file name and the text allowed between that and `.so`.
const FILES: [(Library, &[u8], Infix); 9] = [
    (Library::Node, b"libnode", Infix::Empty),
    (Library::Jvm, b"libjvm", Infix::Empty),
    (Library::Coreclr, b"libcoreclr", Infix::Empty),
    // libpython3.11.so.1.0, libpython3.13t.so
    (Library::Python, b"libpython", Infix::Version),
    // pycurl.cpython-311-x86_64-linux-gnu.so
    (Library::Pycurl, b"pycurl", Infix::StartsWith(b'.')),
    // libphp.so, libphp8.2.so
    (Library::Php, b"libphp", Infix::Version),
    // libruby-3.1.so.3.1.2
    (Library::Ruby, b"libruby", Infix::Version),
    (Library::Perl, b"libperl", Infix::Empty),
    // libcurl-gnutls.so.4
    (Library::Curl, b"libcurl", Infix::StartsWith(b'-')),
];

/// Folders of the libraries that distributions install for all programs.
const SYSTEM_FOLDERS: [&[u8]; 5] = [b"/usr/lib/", b"/usr/lib64/", b"/usr/local/lib/", b"/lib/", b"/lib64/"];

/// The text between the beginning of a library's file name and `.so`. It may always be empty.
#[derive(Clone, Copy)]
enum Infix {
    Empty,
    Version,
    /// Any text that starts with this byte.
    StartsWith(u8),
}

impl Infix {
    fn accepts(self, infix: &[u8]) -> bool {
        infix.is_empty()
            || match self {
                Self::Empty => false,
                Self::Version => infix.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'd' | b't')),
                Self::StartsWith(first) => infix.first() == Some(&first),
            }
    }
}

/// A set of [`Library`] values, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadedLibraries(u16);

impl LoadedLibraries {
    /// Adds the library of a line of /proc/PID/maps. Only executable mappings count, because a program may also map a
    /// library just to inspect it.
    pub fn add_mapping(&mut self, line: &[u8]) {
        let mut fields = line.splitn(3, |byte| *byte == b' ');
        let is_executable = fields.nth(1).is_some_and(|permissions| permissions.get(2) == Some(&b'x'));
        let Some(start) = line.iter().position(|byte| *byte == b'/') else { return };
        let path = &line[start..];
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let Some(library) = library_named(name).filter(|_| is_executable) else { return };
        self.add(library);
        if library == Library::Python && !SYSTEM_FOLDERS.iter().any(|folder| path.starts_with(folder)) {
            self.add(Library::BundledPython);
        }
    }

    fn add(&mut self, library: Library) {
        self.0 |= 1 << library as u16;
    }

    pub(super) fn has(self, library: Library) -> bool {
        self.0 & 1 << library as u16 != 0
    }

    /// The virtual machine that the program runs on, no matter what its executable is called.
    pub(super) fn virtual_machine(self) -> Option<Runtime> {
        let machines =
            [(Library::Node, Runtime::Node), (Library::Jvm, Runtime::Java), (Library::Coreclr, Runtime::DotNet)];
        machines.into_iter().find(|(library, _)| self.has(*library)).map(|(_, runtime)| runtime)
    }

    /// The interpreter of the scripts that a process runs, if the process is a server that runs scripts
    /// (`is_script_server`). Other programs load these libraries for plugins (snmpd, unbound, gdb, PostgreSQL), and
    /// editors load several of them. Python is the exception: a bundled library belongs to a Python program that is
    /// packaged as an executable of its own. Several interpreters yield `Unknown`.
    pub(super) fn embedded_interpreter(self, is_script_server: bool) -> Option<Runtime> {
        let languages = [
            (Library::Python, Runtime::Python),
            (Library::Php, Runtime::Php),
            (Library::Ruby, Runtime::Ruby),
            (Library::Perl, Runtime::Perl),
        ];
        let mut loaded = languages.into_iter().filter(|(library, _)| self.has(*library)).map(|(_, runtime)| runtime);
        match (loaded.next()?, loaded.next()) {
            (_, Some(_)) => Some(Runtime::Unknown),
            (runtime, None) => (is_script_server || self.has(Library::BundledPython)).then_some(runtime),
        }
    }
}

/// The library with this file name.
fn library_named(name: &[u8]) -> Option<Library> {
    let matches = |stem: &[u8], infix: Infix| {
        let Some(rest) = name.strip_prefix(stem) else { return false };
        rest.windows(3).position(|part| part == b".so").is_some_and(|so| infix.accepts(&rest[..so]))
    };
    FILES.into_iter().find(|(_, stem, infix)| matches(stem, *infix)).map(|(library, ..)| library)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str) -> LoadedLibraries {
        let mut libraries = LoadedLibraries::default();
        libraries.add_mapping(format!("7f0a1c000000-7f0a1c200000 r-xp 00028000 fe:00 1234    {name}").as_bytes());
        libraries
    }

    #[test]
    fn libraries_are_detected_by_file_name() {
        for (name, library) in [
            ("/usr/lib/libnode.so.108", Library::Node),
            ("/usr/lib/jvm/java 17/lib/server/libjvm.so", Library::Jvm),
            ("/usr/lib/libpython3.11.so.1.0 (deleted)", Library::Python),
            ("/usr/local/lib/libpython3.13t.so.1.0", Library::Python),
            ("/usr/lib/python3/dist-packages/pycurl.cpython-311-x86_64-linux-gnu.so", Library::Pycurl),
            ("/usr/lib/libphp8.2.so", Library::Php),
            ("/usr/lib/apache2/modules/libphp.so", Library::Php),
            ("/usr/lib/x86_64-linux-gnu/libruby-3.1.so.3.1.2", Library::Ruby),
            ("/usr/local/lib/libruby.so.3.4.1", Library::Ruby),
            ("/usr/lib/x86_64-linux-gnu/libperl.so.5.36.0", Library::Perl),
            ("/usr/lib/libcurl.so.4.8.0", Library::Curl),
            ("/usr/lib/libcurl-gnutls.so.4", Library::Curl),
        ] {
            assert_eq!(found(name), LoadedLibraries(1 << library as u16), "{name}");
        }
        for other in [
            "/usr/lib/libcurlpp.so.1",
            "/usr/lib/libjvmti.so",
            "/tmp/libpython.txt",
            "/usr/lib/libPythonQt.so",
            "/usr/lib/libpythonqt.so",
            "/usr/lib/libphpcpp.so.2",
            "/usr/lib/pycurling.so",
            "/usr/lib/libperl++.so",
            "/libjvm.so/x",
            "[vdso]",
        ] {
            assert_eq!(found(other), LoadedLibraries::default(), "{other}");
        }
    }

    /// Mappings of `dotnet app.dll` with .NET Core 3.1.23.
    #[test]
    fn dotnet_is_detected_by_its_runtime_library() {
        let of = |lines: &[&str]| {
            let mut libraries = LoadedLibraries::default();
            for line in lines {
                libraries.add_mapping(line.as_bytes());
            }
            libraries.virtual_machine()
        };
        let host = "7f8d68000000-7f8d6805a000 r-xp 00000000 fe:00 10628792                   /usr/share/dotnet/host/fxr/3.1.23/libhostfxr.so";
        let policy = "7f8d67c00000-7f8d67c4f000 r-xp 00000000 fe:00 10627507                   /usr/share/dotnet/shared/Microsoft.NETCore.App/3.1.23/libhostpolicy.so";
        let runtime = "7f8d6764f000-7f8d6793e000 r-xp 0024f000 fe:00 10629629                   /usr/share/dotnet/shared/Microsoft.NETCore.App/3.1.23/libcoreclr.so";
        assert_eq!(of(&[host, policy, runtime]), Some(Runtime::DotNet));
        assert_eq!(of(&[host, policy]), None, "the program only looks up the installed versions");
        assert_eq!(found("/srv/orders/libcoreclr.so").virtual_machine(), Some(Runtime::DotNet), "bundled");
    }

    #[test]
    fn mapping_that_is_not_executable_is_ignored() {
        let mut libraries = LoadedLibraries::default();
        libraries.add_mapping(b"7f0a1c000000-7f0a1c200000 r--p 00000000 fe:00 1234    /usr/lib/libjvm.so");
        libraries.add_mapping(b"");
        libraries.add_mapping(b" ");
        libraries.add_mapping(b"/libjvm.so");
        assert_eq!(libraries, LoadedLibraries::default());
    }

    #[test]
    fn interpreter_library_counts_only_in_script_servers_or_bundles() {
        let perl = found("/usr/lib/libperl.so.5.36");
        assert_eq!((perl.embedded_interpreter(false), perl.embedded_interpreter(true)), (None, Some(Runtime::Perl)));
        let python = found("/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0");
        assert_eq!(
            (python.embedded_interpreter(false), python.embedded_interpreter(true)),
            (None, Some(Runtime::Python))
        );
        for bundled in ["/tmp/_MEIx4bR2c/libpython3.11.so.1.0", "/opt/orders/_internal/libpython3.13.so.1.0"] {
            assert_eq!(found(bundled).embedded_interpreter(false), Some(Runtime::Python), "{bundled}");
        }
        let editor = LoadedLibraries(perl.0 | python.0);
        assert_eq!(
            (editor.embedded_interpreter(false), editor.embedded_interpreter(true)),
            (Some(Runtime::Unknown), Some(Runtime::Unknown))
        );
    }
}
