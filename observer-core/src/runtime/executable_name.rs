//! Detects interpreters by the file name of the executable, which consists of the language and often a version.

use super::kind::Runtime;

/// Bytes of a version suffix.
const VERSION: &[u8] = b"0123456789.";

/// Interpreters: the runtime, the beginning of the file name, and the bytes that may follow it.
const INTERPRETERS: &[(Runtime, &[u8], &[u8])] = &[
    (Runtime::Node, b"node", b""),
    (Runtime::Node, b"nodejs", b""),
    // python3.13t is free-threaded, python3.12d is a debug build. python-config is no interpreter.
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

/// Servers that run scripts in an interpreter library that they load.
const SCRIPT_SERVERS: &[&[u8]] = &[b"apache2", b"httpd", b"unitd"];

/// Programs in two languages, either of which may open the connections: Rust or Zig with JavaScript, Go with PHP.
const MIXED_LANGUAGES: &[&[u8]] = &[b"deno", b"bun", b"frankenphp"];

/// The interpreter with this file name.
pub(super) fn interpreter(executable: &[u8]) -> Option<Runtime> {
    let matches = |stem: &[u8], suffix: &[u8]| {
        executable.strip_prefix(stem).is_some_and(|rest| rest.iter().all(|byte| suffix.contains(byte)))
    };
    let (runtime, ..) = INTERPRETERS.iter().find(|(_, stem, suffix)| matches(stem, suffix))?;
    Some(*runtime)
}

/// Whether this server runs scripts, and opens their connections, if it has loaded an interpreter library.
pub(super) fn embeds_interpreter(executable: &[u8]) -> bool {
    // uwsgi-core, uwsgi_python39
    SCRIPT_SERVERS.contains(&executable) || executable.starts_with(b"uwsgi")
}

pub(super) fn mixes_languages(executable: &[u8]) -> bool {
    MIXED_LANGUAGES.contains(&executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in Debian, Fedora, Alpine and upstream builds.
    #[test]
    fn interpreters_are_detected_by_name() {
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
    fn programs_with_similar_names_are_not_interpreters() {
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
