//! Files in /proc: maps, cgroup, stat, mountinfo and the ranges of ports.
#![no_main]

use libfuzzer_sys::fuzz_target;
use observer_core::{
    cgroup_name,
    runtime::{LoadedLibraries, ReadAt, Runtime},
};

/// An executable that cannot be read, so the libraries decide.
struct Unreadable;

impl ReadAt for Unreadable {
    fn read_at(&mut self, _: u64, _: usize) -> Vec<u8> {
        Vec::new()
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut libraries = LoadedLibraries::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        libraries.add_mapping(line);
    }
    let name = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    assert!(Runtime::detect(name, Some(&mut Unreadable), || Some(libraries)).is_some());
    let text = String::from_utf8_lossy(bytes);
    for name in [cgroup_name::from_proc_cgroup(&text), cgroup_name::from_path(&text)].into_iter().flatten() {
        // A path without a leading slash gets one.
        assert!(!name.is_empty() && name.len() <= text.len() + 1);
    }
    assert!(cgroup_name::v2_path(&text).is_none_or(|path| !path.contains('\n')));
    tcp_reuse_watch::fuzz::parse_proc_file(&text);
});
