//! Which libraries with a runtime in them a process has mapped, by /proc/PID/maps.

/// The libraries that were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is there or not, in any combination")]
pub(crate) struct Libraries {
    pub(crate) node: bool,
    pub(crate) python: bool,
    pub(crate) jvm: bool,
    pub(crate) curl: bool,
}

impl Libraries {
    /// Takes in a line of /proc/PID/maps. Only what may be executed counts: a library that is mapped to be looked at
    /// makes no runtime.
    pub(crate) fn look_at(&mut self, line: &[u8]) {
        let mut fields = line.splitn(3, |byte| *byte == b' ');
        let is_code = fields.nth(1).is_some_and(|permissions| permissions.get(2) == Some(&b'x'));
        let Some(slash) = line.iter().rposition(|byte| *byte == b'/') else { return };
        if !is_code {
            return;
        }
        let name = &line[slash + 1..];
        self.node |= is_library(name, b"libnode");
        self.jvm |= is_library(name, b"libjvm");
        // libpython3.11.so.1.0, libcurl-gnutls.so.4
        self.python |= name.starts_with(b"libpython") && has_so(name);
        self.curl |= (is_library(name, b"libcurl") || name.starts_with(b"libcurl-")) && has_so(name);
    }
}

fn is_library(name: &[u8], library: &[u8]) -> bool {
    name.strip_prefix(library).is_some_and(|rest| rest.starts_with(b".so"))
}

fn has_so(name: &[u8]) -> bool {
    name.windows(3).any(|part| part == b".so")
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
        let none = Libraries::default();
        assert_eq!(found("/usr/lib/libnode.so.108"), Libraries { node: true, ..none });
        assert_eq!(found("/usr/lib/jvm/java 17/lib/server/libjvm.so"), Libraries { jvm: true, ..none });
        assert_eq!(found("/usr/lib/libpython3.11.so.1.0 (deleted)"), Libraries { python: true, ..none });
        assert_eq!(found("/usr/lib/libcurl.so.4.8.0"), Libraries { curl: true, ..none });
        assert_eq!(found("/usr/lib/libcurl-gnutls.so.4"), Libraries { curl: true, ..none });
        for other in ["/usr/lib/libcurlpp.so.1", "/usr/lib/libjvmti.so", "/tmp/libpython.txt", "/libjvm.so/x", "[vdso]"]
        {
            assert_eq!(found(other), none, "{other}");
        }
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
}
