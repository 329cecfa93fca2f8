//! Which libraries with a runtime in them a process has mapped, by /proc/PID/maps.

use super::Runtime;

/// A library that tells something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Library {
    Node,
    Jvm,
    Coreclr,
    Python,
    /// The same, and not in a folder of the system: a program has brought it along.
    BundledPython,
    Pycurl,
    Php,
    Ruby,
    Perl,
    Curl,
}

/// Each library: how the file's name begins, and what may stand between that and `.so`.
const FILES: [(Library, &[u8], Middle); 9] = [
    (Library::Node, b"libnode", Middle::Nothing),
    (Library::Jvm, b"libjvm", Middle::Nothing),
    (Library::Coreclr, b"libcoreclr", Middle::Nothing),
    // libpython3.11.so.1.0, libpython3.13t.so
    (Library::Python, b"libpython", Middle::Version),
    // pycurl.cpython-311-x86_64-linux-gnu.so
    (Library::Pycurl, b"pycurl", Middle::Part(b'.')),
    // libphp.so, libphp8.2.so
    (Library::Php, b"libphp", Middle::Version),
    // libruby-3.1.so.3.1.2
    (Library::Ruby, b"libruby", Middle::Version),
    (Library::Perl, b"libperl", Middle::Nothing),
    // libcurl-gnutls.so.4
    (Library::Curl, b"libcurl", Middle::Part(b'-')),
];

/// Where distributions keep libraries that any program may load.
const SYSTEM_FOLDERS: [&[u8]; 5] = [b"/usr/lib/", b"/usr/lib64/", b"/usr/local/lib/", b"/lib/", b"/lib64/"];

#[derive(Clone, Copy)]
enum Middle {
    Nothing,
    Version,
    /// Nothing, or anything behind this byte.
    Part(u8),
}

impl Middle {
    fn takes(self, middle: &[u8]) -> bool {
        middle.is_empty()
            || match self {
                Self::Nothing => false,
                Self::Version => middle.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'd' | b't')),
                Self::Part(first) => middle.first() == Some(&first),
            }
    }
}

/// The libraries that were found, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Libraries(u16);

impl Libraries {
    /// Takes in a line of /proc/PID/maps. Only what may be executed counts: a library that is mapped to be looked at
    /// makes no runtime.
    pub fn look_at(&mut self, line: &[u8]) {
        let mut fields = line.splitn(3, |byte| *byte == b' ');
        let is_code = fields.nth(1).is_some_and(|permissions| permissions.get(2) == Some(&b'x'));
        let Some(start) = line.iter().position(|byte| *byte == b'/') else { return };
        let path = &line[start..];
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let Some(library) = called(name).filter(|_| is_code) else { return };
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

    /// Runtimes that programs of any name load to run on.
    pub(super) fn virtual_machine(self) -> Option<Runtime> {
        let machines =
            [(Library::Node, Runtime::Node), (Library::Jvm, Runtime::Java), (Library::Coreclr, Runtime::DotNet)];
        machines.into_iter().find(|(library, _)| self.has(*library)).map(|(_, runtime)| runtime)
    }

    /// The language of scripts that a process runs within itself, if it is a server that `runs_scripts`. Others load these
    /// libraries too, for plugins (snmpd, unbound, gdb, PostgreSQL), and editors load several. Only programs in Python are
    /// bundled under names of their own, with the library.
    pub(super) fn interpreter(self, runs_scripts: bool) -> Option<Runtime> {
        let languages = [
            (Library::Python, Runtime::Python),
            (Library::Php, Runtime::Php),
            (Library::Ruby, Runtime::Ruby),
            (Library::Perl, Runtime::Perl),
        ];
        let mut loaded = languages.into_iter().filter(|(library, _)| self.has(*library)).map(|(_, runtime)| runtime);
        match (loaded.next()?, loaded.next()) {
            (_, Some(_)) => Some(Runtime::Unknown),
            (runtime, None) => (runs_scripts || self.has(Library::BundledPython)).then_some(runtime),
        }
    }
}

/// What the file of this name is.
fn called(name: &[u8]) -> Option<Library> {
    let is_called = |stem: &[u8], middle: Middle| {
        let Some(rest) = name.strip_prefix(stem) else { return false };
        rest.windows(3).position(|part| part == b".so").is_some_and(|so| middle.takes(&rest[..so]))
    };
    FILES.into_iter().find(|(_, stem, middle)| is_called(stem, *middle)).map(|(library, ..)| library)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str) -> Libraries {
        let mut libraries = Libraries::default();
        libraries.look_at(format!("7f0a1c000000-7f0a1c200000 r-xp 00028000 fe:00 1234    {name}").as_bytes());
        libraries
    }

    #[test]
    fn libraries_are_told_by_their_names() {
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
            assert_eq!(found(name), Libraries(1 << library as u16), "{name}");
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
            assert_eq!(found(other), Libraries::default(), "{other}");
        }
    }

    /// The lines are of `dotnet app.dll` with .NET Core 3.1.23.
    #[test]
    fn dotnet_is_told_by_its_runtime() {
        let of = |lines: &[&str]| {
            let mut libraries = Libraries::default();
            for line in lines {
                libraries.look_at(line.as_bytes());
            }
            libraries.virtual_machine()
        };
        let host = "7f8d68000000-7f8d6805a000 r-xp 00000000 fe:00 10628792                   /usr/share/dotnet/host/fxr/3.1.23/libhostfxr.so";
        let policy = "7f8d67c00000-7f8d67c4f000 r-xp 00000000 fe:00 10627507                   /usr/share/dotnet/shared/Microsoft.NETCore.App/3.1.23/libhostpolicy.so";
        let runtime = "7f8d6764f000-7f8d6793e000 r-xp 0024f000 fe:00 10629629                   /usr/share/dotnet/shared/Microsoft.NETCore.App/3.1.23/libcoreclr.so";
        assert_eq!(of(&[host, policy, runtime]), Some(Runtime::DotNet));
        assert_eq!(of(&[host, policy]), None, "it only asks which versions are installed");
        assert_eq!(found("/srv/orders/libcoreclr.so").virtual_machine(), Some(Runtime::DotNet), "brought along");
    }

    #[test]
    fn what_cannot_run_is_no_runtime() {
        let mut libraries = Libraries::default();
        libraries.look_at(b"7f0a1c000000-7f0a1c200000 r--p 00000000 fe:00 1234    /usr/lib/libjvm.so");
        libraries.look_at(b"");
        libraries.look_at(b" ");
        libraries.look_at(b"/libjvm.so");
        assert_eq!(libraries, Libraries::default());
    }

    #[test]
    fn a_library_with_a_plugin_in_it_makes_no_runtime() {
        let perl = found("/usr/lib/libperl.so.5.36");
        assert_eq!((perl.interpreter(false), perl.interpreter(true)), (None, Some(Runtime::Perl)));
        let python = found("/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0");
        assert_eq!((python.interpreter(false), python.interpreter(true)), (None, Some(Runtime::Python)));
        for bundled in ["/tmp/_MEIx4bR2c/libpython3.11.so.1.0", "/opt/orders/_internal/libpython3.13.so.1.0"] {
            assert_eq!(found(bundled).interpreter(false), Some(Runtime::Python), "{bundled}");
        }
        let editor = Libraries(perl.0 | python.0);
        assert_eq!(
            (editor.interpreter(false), editor.interpreter(true)),
            (Some(Runtime::Unknown), Some(Runtime::Unknown))
        );
    }
}
