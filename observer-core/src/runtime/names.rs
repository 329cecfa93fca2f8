//! What the name of an executable tells: an interpreter's file is called by its language, and often its version.

use super::Runtime;

/// What may follow `python`: `3.13t`, but not `-config`.
const VERSION: &[u8] = b"0123456789.";

/// Interpreters: whose, how the file's name begins, and the bytes that may follow.
const INTERPRETERS: &[(Runtime, &[u8], &[u8])] = &[
    (Runtime::Node, b"node", b""),
    (Runtime::Node, b"nodejs", b""),
    // python3.13t is free-threaded, python3.12d is built to be debugged.
    (Runtime::Python, b"python", b"0123456789.dt"),
    (Runtime::Python, b"pypy", VERSION),
    (Runtime::Ruby, b"ruby", VERSION),
    (Runtime::Php, b"php", VERSION),
    (Runtime::Php, b"php-cgi", VERSION),
    (Runtime::Php, b"php-fpm", VERSION),
    (Runtime::Php, b"lsphp", VERSION),
    (Runtime::Perl, b"perl", VERSION),
    (Runtime::DotNet, b"dotnet", b""),
    (Runtime::Erlang, b"beam", b""),
    (Runtime::Erlang, b"beam.smp", b""),
    (Runtime::Erlang, b"beam.debug.smp", b""),
];

/// Servers that run scripts within themselves, by a library that they load.
const SCRIPT_RUNNERS: &[&[u8]] = &[b"apache2", b"httpd", b"unitd"];

/// Programs of two languages, whose connections either may have made: Rust or Zig around JavaScript, Go around PHP.
const OF_SEVERAL: &[&[u8]] = &[b"deno", b"bun", b"frankenphp"];

pub(super) fn interpreter(executable: &[u8]) -> Option<Runtime> {
    let is_called = |stem: &[u8], follow: &[u8]| {
        executable.strip_prefix(stem).is_some_and(|rest| rest.iter().all(|byte| follow.contains(byte)))
    };
    let (runtime, ..) = INTERPRETERS.iter().find(|(_, stem, follow)| is_called(stem, follow))?;
    Some(*runtime)
}

/// Whether a process that has an interpreter's library runs scripts, and makes their connections.
pub(super) fn runs_scripts(executable: &[u8]) -> bool {
    // uwsgi-core, uwsgi_python39
    SCRIPT_RUNNERS.contains(&executable) || executable.starts_with(b"uwsgi")
}

pub(super) fn is_of_several(executable: &[u8]) -> bool {
    OF_SEVERAL.contains(&executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Debian, Fedora, Alpine and those who build them themselves call them.
    #[test]
    fn interpreters_are_told_by_their_names() {
        let files: [(Runtime, &[&str]); 7] = [
            (Runtime::Node, &["node", "nodejs"]),
            (Runtime::Python, &["python", "python3", "python3.11", "python3.13t", "python3.12d", "pypy3.10"]),
            (Runtime::Ruby, &["ruby", "ruby3.1"]),
            (Runtime::Php, &["php", "php8.2", "php83", "php-fpm", "php-fpm8.2", "php-fpm83", "php-cgi8.2", "lsphp"]),
            (Runtime::Perl, &["perl", "perl5.36.0"]),
            (Runtime::DotNet, &["dotnet"]),
            (Runtime::Erlang, &["beam", "beam.smp", "beam.debug.smp"]),
        ];
        for (runtime, names) in files {
            for name in names {
                assert_eq!(interpreter(name.as_bytes()), Some(runtime), "{name}");
            }
        }
    }

    #[test]
    fn other_programs_of_like_names_are_no_interpreters() {
        for name in [
            "python-config",
            "pythonista",
            "nodename",
            "rubyfmt",
            "phpunit",
            "php-fpm-exporter",
            "perldoc",
            "perlbal",
            "dotnet-trace",
            "beamer",
            "java",
            "bash",
            "",
        ] {
            assert_eq!(interpreter(name.as_bytes()), None, "{name}");
        }
    }
}
