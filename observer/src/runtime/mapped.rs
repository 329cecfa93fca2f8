//! Which libraries with a runtime in them a process has mapped, by /proc/PID/maps.

use super::Runtime;

/// A library that tells something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Library {
    Node,
    Jvm,
    Coreclr,
    Python,
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
pub(crate) struct Libraries(u16);

impl Libraries {
    /// Takes in a line of /proc/PID/maps. Only what may be executed counts: a library that is mapped to be looked at
    /// makes no runtime.
    pub(crate) fn look_at(&mut self, line: &[u8]) {
        let mut fields = line.splitn(3, |byte| *byte == b' ');
        let is_code = fields.nth(1).is_some_and(|permissions| permissions.get(2) == Some(&b'x'));
        let Some(slash) = line.iter().rposition(|byte| *byte == b'/') else { return };
        if is_code && let Some(library) = called(&line[slash + 1..]) {
            self.0 |= 1 << library as u16;
        }
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

    /// The language of scripts that a process runs within itself. Editors load several, to run plugins in: whose the
    /// connections are is then unknown. Programs in Python are bundled under names of their own. The others' libraries
    /// are also loaded by what only has a plugin in that language (snmpd, PostgreSQL), so they tell nothing but of a
    /// server that `runs_scripts`.
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
            (runtime, None) => (runs_scripts || runtime == Runtime::Python).then_some(runtime),
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
            ("/opt/python/lib/libpython3.13t.so.1.0", Library::Python),
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

    /// Lines as they are for `dotnet app.dll` of .NET 8 in Microsoft's container image, and for a program with an executable
    /// of its own that brings its runtime (`--self-contained`).
    #[test]
    fn dotnet_is_told_by_its_runtime() {
        for line in [
            "7f6b2a600000-7f6b2ab5d000 r-xp 0018f000 00:3c 794512    /usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.11/libcoreclr.so",
            "7f13dc8d1000-7f13dce2e000 r-xp 0018f000 fe:00 1839120   /srv/orders/libcoreclr.so",
        ] {
            let mut libraries = Libraries::default();
            libraries.look_at(line.as_bytes());
            assert_eq!(libraries.virtual_machine(), Some(Runtime::DotNet), "{line}");
        }
        // Whoever only asks which versions are installed loads this one.
        assert_eq!(found("/usr/share/dotnet/host/fxr/8.0.11/libhostfxr.so").virtual_machine(), None);
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
        let python = found("/usr/lib/libpython3.11.so.1.0");
        assert_eq!(python.interpreter(false), Some(Runtime::Python));
        let editor = Libraries(perl.0 | python.0);
        assert_eq!(
            (editor.interpreter(false), editor.interpreter(true)),
            (Some(Runtime::Unknown), Some(Runtime::Unknown))
        );
    }
}
