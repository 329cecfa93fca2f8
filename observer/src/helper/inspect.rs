//! Detects the runtime of a process from its executable and its mapped libraries in /proc. All reads are bounded.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    os::unix::{ffi::OsStrExt as _, fs::FileExt as _},
    path::{Path, PathBuf},
};

use super::queue::User;
use crate::host::processes::{comm_of, start_ticks_of};
use observer_core::runtime::{LoadedLibraries, Process, ReadAt, Runtime};

/// Limit on /proc/PID/maps. The file of a JVM under load has a few hundred kilobytes.
const MAX_MAPS_BYTES: u64 = 8 << 20;

/// The runtime of a process. None if it cannot be determined, or if the process has exited or executed another program
/// in the meantime.
pub(super) fn runtime_of(process: Process) -> Option<Runtime> {
    let executable = executable_of(process)?;
    let runtime = detect(process.pid, &executable)?;
    (executable_of(process)? == executable).then_some(runtime)
}

/// Whether the process still runs under the same name.
pub(super) fn is_running(process: Process) -> bool {
    start_ticks_of(process.pid) == Some(process.start_ticks) && comm_of(process.pid) == Some(process.comm)
}

/// The user who started it: the real user id, because a process can hide its effective one from the owner of its files in
/// /proc (`task_dump_owner()`, fs/proc/base.c). None if it has exited.
pub(super) fn user_of(process: Process) -> Option<User> {
    let status = fs::read(format!("/proc/{}/status", process.pid)).ok()?;
    // The name in it may not be UTF-8.
    let status = String::from_utf8_lossy(&status);
    status.lines().find_map(|line| line.strip_prefix("Uid:\t"))?.split('\t').next()?.parse().ok()
}

/// The path of the executable, if the process still runs.
fn executable_of(process: Process) -> Option<PathBuf> {
    if !is_running(process) {
        return None;
    }
    fs::read_link(format!("/proc/{}/exe", process.pid)).ok()
}

fn detect(pid: u32, executable: &Path) -> Option<Runtime> {
    // CAP_SYS_PTRACE does not allow reading files. If only the owner may read the executable, the mapped libraries have
    // to suffice.
    let mut file = File::open(format!("/proc/{pid}/exe")).ok().map(Executable);
    let path = executable.as_os_str().as_bytes();
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    Runtime::detect(name, file.as_mut(), || libraries_of(pid))
}

/// None if the maps exceed the limit or cannot be read.
fn libraries_of(pid: u32) -> Option<LoadedLibraries> {
    let mut maps = BufReader::new(File::open(format!("/proc/{pid}/maps")).ok()?).take(MAX_MAPS_BYTES);
    let (mut libraries, mut line) = (LoadedLibraries::default(), Vec::new());
    while maps.read_until(b'\n', &mut line).ok()? > 0 {
        libraries.add_mapping(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
    (maps.limit() > 0).then_some(libraries)
}

struct Executable(File);

impl ReadAt for Executable {
    fn read_at(&mut self, offset: u64, len: usize) -> Vec<u8> {
        let (mut bytes, mut filled) = (vec![0; len], 0);
        while let Ok(read @ 1..) = self.0.read_at(&mut bytes[filled..], offset.saturating_add(filled as u64)) {
            filled += read;
        }
        bytes.truncate(filled);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtime_is_detected_only_for_the_named_process() {
        let pid = std::process::id();
        let start_ticks = start_ticks_of(pid).unwrap();
        let me = Process { pid, start_ticks, comm: comm_of(pid).unwrap() };
        assert_eq!(runtime_of(me), Some(Runtime::Rust));
        assert_eq!(runtime_of(Process { start_ticks: start_ticks + 1, ..me }), None);
        assert_eq!(runtime_of(Process { comm: *b"another program\0", ..me }), None);
    }

    #[test]
    fn user_is_the_real_one() {
        let this = Process { pid: std::process::id(), start_ticks: 0, comm: [0; 16] };
        assert_eq!(user_of(this), Some(rustix::process::getuid().as_raw()));
        assert_eq!(user_of(Process { pid: u32::MAX, ..this }), None);
    }
}
