//! The parsers of files in /proc, for the fuzzer.

use super::{cgroup, local_ports, processes};

/// Reads the text as each of these files.
pub fn parse_proc_file(text: &str) {
    let _ = processes::parse_stat(text);
    for point in cgroup::mount_points(text) {
        assert!(point.len() <= text.len());
    }
    let (range, reserved) = text.split_once('\n').unwrap_or((text, ""));
    assert!(local_ports::count(range, reserved) <= u64::from(u16::MAX) + 1);
}
