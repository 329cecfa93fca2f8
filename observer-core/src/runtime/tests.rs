//! Detects the runtime of processes with given names, executables and libraries.

use super::{
    fixture::{AMD64, FakeFile},
    *,
};

/// The libraries of a process that has mapped these files.
fn loaded(files: &[&str]) -> LoadedLibraries {
    let mut libraries = LoadedLibraries::default();
    for file in files {
        let folder = if file.starts_with('/') { "" } else { "/usr/lib/" };
        libraries.add_mapping(format!("0-1 r-xp 0 00:00 0 {folder}{file}").as_bytes());
    }
    libraries
}

/// The runtime of a process whose executable contains no evidence.
fn plain(name: &str, files: &[&str]) -> Option<Runtime> {
    with_contents(name, b"#!", files)
}

fn with_contents(name: &str, contents: &[u8], files: &[&str]) -> Option<Runtime> {
    Runtime::detect(name.as_bytes(), Some(&mut FakeFile::new(contents)), || Some(loaded(files)))
}

fn unreadable(name: &str, files: &[&str]) -> Option<Runtime> {
    Runtime::detect(name.as_bytes(), None::<&mut FakeFile>, || Some(loaded(files)))
}

fn go() -> Vec<u8> {
    AMD64.executable(b".go.buildinfo", b"\xff Go buildinf:\x08\x02", Some(0))
}

fn rust() -> Vec<u8> {
    AMD64.executable(b".rodata", b"assertion failed: signal(libc::SIGPIPE, handler)", Some(0))
}

fn dotnet() -> Vec<u8> {
    AMD64.executable(b".dynstr", b"\0DotNetRuntimeInfo\0", Some(0))
}

const ALL: [&str; 9] = [
    "libnode.so.108",
    "libjvm.so",
    "libcoreclr.so",
    "libpython3.11.so.1.0",
    "libphp8.2.so",
    "libruby-3.1.so.3.1",
    "libperl.so.5.36",
    "libcurl.so.4",
    "pycurl.so",
];

#[test]
fn more_reliable_evidence_decides() {
    assert_eq!(with_contents("python3", &go(), &ALL), Some(Runtime::Go(None)), "an executable that Go built");
    assert_eq!(plain("ruby3.1", &ALL), Some(Runtime::Ruby), "the name decides");
    assert_eq!(plain("server", &ALL), Some(Runtime::Node));
    assert_eq!(plain("server", &ALL[1..]), Some(Runtime::Java));
    assert_eq!(plain("pwsh", &ALL[2..]), Some(Runtime::DotNet));
    let embedded = "/opt/server/libpython3.11.so.1.0";
    assert_eq!(with_contents("server", &rust(), &[embedded]), Some(Runtime::Python), "embedded in a Rust program");
}

#[test]
fn executable_decides_if_no_library_does() {
    assert_eq!(with_contents("server", &rust(), &[]), Some(Runtime::Rust));
    assert_eq!(with_contents("server", &dotnet(), &[]), Some(Runtime::DotNet));
    assert_eq!(with_contents("server", &rust(), &["libcurl.so.4"]), Some(Runtime::Libcurl), "the curl crate");
    assert_eq!(plain("server", &[]), Some(Runtime::Unknown));
}

#[test]
fn python_that_has_loaded_pycurl_is_a_runtime_of_its_own() {
    let pycurl = "pycurl.cpython-311-x86_64-linux-gnu.so";
    assert_eq!(plain("python3.11", &["libcurl-gnutls.so.4", pycurl]), Some(Runtime::Pycurl));
    assert_eq!(plain("uwsgi-core", &["libpython3.11.so", pycurl]), Some(Runtime::Pycurl));
    assert_eq!(plain("python3.11", &["libcurl-gnutls.so.4"]), Some(Runtime::Python), "another library uses libcurl");
    assert_eq!(plain("ruby3.1", &["libcurl.so.4", pycurl]), Some(Runtime::Ruby));
}

#[test]
fn interpreter_loaded_for_plugins_is_ignored() {
    assert_eq!(plain("snmpd", &["libperl.so.5.36"]), Some(Runtime::Unknown));
    assert_eq!(plain("unbound", &["libpython3.11.so.1.0"]), Some(Runtime::Unknown));
    assert_eq!(
        plain("gdb", &["libpython3.11.so.1.0", "libcurl.so.4"]),
        Some(Runtime::Libcurl),
        "it queries debuginfod with libcurl"
    );
    assert_eq!(
        plain("vim.nox", &["libpython3.11.so", "libruby-3.1.so.3.1", "libperl.so.5.36"]),
        Some(Runtime::Unknown)
    );
    assert_eq!(plain("apache2", &["libphp8.2.so"]), Some(Runtime::Php));
    assert_eq!(plain("apache2", &["libphp8.2.so", "libperl.so.5.36"]), Some(Runtime::Unknown));
    assert_eq!(plain("git-remote-http", &["libcurl-gnutls.so.4"]), Some(Runtime::Libcurl));
}

#[test]
fn program_in_two_languages_is_unknown() {
    assert_eq!(with_contents("deno", &rust(), &[]), Some(Runtime::Unknown));
    assert_eq!(with_contents("frankenphp", &go(), &["libphp.so"]), Some(Runtime::Unknown));
}

#[test]
fn unreadable_executable_yields_only_certain_answers() {
    assert_eq!(unreadable("python3", &[]), Some(Runtime::Python));
    assert_eq!(unreadable("server", &["libjvm.so"]), Some(Runtime::Java));
    assert_eq!(unreadable("server", &["libcurl.so.4"]), None, "it may be Go");
    assert_eq!(unreadable("server", &[]), None);
}

#[test]
fn display_names_round_trip() {
    for (runtime, name) in Runtime::ALL {
        assert_eq!((runtime.to_string().as_str(), Runtime::from_name(name)), (name, runtime));
    }
    let version = Runtime::Go(Some(GoVersion { major: 1, minor: 19, patch: Some(8) }));
    assert_eq!((version.to_string().as_str(), Runtime::from_name("Go 1.19.8")), ("Go 1.19.8", version));
    assert_eq!((Runtime::from_name("Cobol"), Runtime::from_name("Go of old")), (Runtime::Unknown, Runtime::Go(None)));
}
