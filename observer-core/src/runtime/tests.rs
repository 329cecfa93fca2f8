//! Processes as they are known by name, executable and libraries.

use super::{
    fixture::{AMD64, Bytes},
    *,
};

/// With such files mapped.
fn mapped(files: &[&str]) -> Libraries {
    let mut libraries = Libraries::default();
    for file in files {
        let folder = if file.starts_with('/') { "" } else { "/usr/lib/" };
        libraries.look_at(format!("0-1 r-xp 0 00:00 0 {folder}{file}").as_bytes());
    }
    libraries
}

/// What a process is whose executable holds nothing that tells.
fn plain(name: &str, files: &[&str]) -> Option<Runtime> {
    built(name, b"#!", files)
}

fn built(name: &str, file: &[u8], files: &[&str]) -> Option<Runtime> {
    Runtime::of(name.as_bytes(), Some(&mut Bytes::of(file)), || Some(mapped(files)))
}

fn unreadable(name: &str, files: &[&str]) -> Option<Runtime> {
    Runtime::of(name.as_bytes(), None::<&mut Bytes>, || Some(mapped(files)))
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
fn the_surer_sign_decides() {
    assert_eq!(built("python3", &go(), &ALL), Some(Runtime::Go(None)), "an executable that Go built");
    assert_eq!(plain("ruby3.1", &ALL), Some(Runtime::Ruby), "by its name");
    assert_eq!(plain("server", &ALL), Some(Runtime::Node));
    assert_eq!(plain("server", &ALL[1..]), Some(Runtime::Java));
    assert_eq!(plain("pwsh", &ALL[2..]), Some(Runtime::DotNet));
    let embedded = "/opt/server/libpython3.11.so.1.0";
    assert_eq!(built("server", &rust(), &[embedded]), Some(Runtime::Python), "that Rust has embedded");
}

#[test]
fn an_executable_tells_where_nothing_is_mapped() {
    assert_eq!(built("server", &rust(), &[]), Some(Runtime::Rust));
    assert_eq!(built("server", &dotnet(), &[]), Some(Runtime::DotNet));
    assert_eq!(built("server", &rust(), &["libcurl.so.4"]), Some(Runtime::Libcurl), "by the curl crate");
    assert_eq!(plain("server", &[]), Some(Runtime::Unknown));
}

#[test]
fn python_with_pycurl_may_speak_by_either() {
    let pycurl = "pycurl.cpython-311-x86_64-linux-gnu.so";
    assert_eq!(plain("python3.11", &["libcurl-gnutls.so.4", pycurl]), Some(Runtime::Pycurl));
    assert_eq!(plain("uwsgi-core", &["libpython3.11.so", pycurl]), Some(Runtime::Pycurl));
    assert_eq!(plain("python3.11", &["libcurl-gnutls.so.4"]), Some(Runtime::Python), "another library brought it");
    assert_eq!(plain("ruby3.1", &["libcurl.so.4", pycurl]), Some(Runtime::Ruby));
}

#[test]
fn a_library_that_is_there_for_plugins_makes_no_runtime() {
    assert_eq!(plain("snmpd", &["libperl.so.5.36"]), Some(Runtime::Unknown));
    assert_eq!(plain("unbound", &["libpython3.11.so.1.0"]), Some(Runtime::Unknown));
    assert_eq!(
        plain("gdb", &["libpython3.11.so.1.0", "libcurl.so.4"]),
        Some(Runtime::Libcurl),
        "which it asks debuginfod by"
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
fn a_program_of_two_languages_is_none_of_them() {
    assert_eq!(built("deno", &rust(), &[]), Some(Runtime::Unknown));
    assert_eq!(built("frankenphp", &go(), &["libphp.so"]), Some(Runtime::Unknown));
}

#[test]
fn of_an_executable_that_cannot_be_read_only_what_is_sure_is_told() {
    assert_eq!(unreadable("python3", &[]), Some(Runtime::Python));
    assert_eq!(unreadable("server", &["libjvm.so"]), Some(Runtime::Java));
    assert_eq!(unreadable("server", &["libcurl.so.4"]), None, "it may be Go");
    assert_eq!(unreadable("server", &[]), None);
}

#[test]
fn each_name_is_read_back() {
    for (runtime, name) in Runtime::ALL {
        assert_eq!((runtime.to_string().as_str(), Runtime::named(name)), (name, runtime));
    }
    let version = Runtime::Go(Some(GoVersion { major: 1, minor: 19, patch: Some(8) }));
    assert_eq!((version.to_string().as_str(), Runtime::named("Go 1.19.8")), ("Go 1.19.8", version));
    assert_eq!((Runtime::named("Cobol"), Runtime::named("Go of old")), (Runtime::Unknown, Runtime::Go(None)));
}
