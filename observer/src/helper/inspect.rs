//! What /proc shows of a process, read in bounded pieces: its executable, and what it has mapped.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    os::unix::{ffi::OsStrExt as _, fs::FileExt as _},
    path::{Path, PathBuf},
};

use crate::{host::processes::comm_of, host::processes::start_ticks_of};
use observer_core::runtime::{Image, Libraries, Process, Runtime};

/// How much of /proc/PID/maps is read: a JVM under load has some hundred kilobytes.
const MOST_OF_MAPS: u64 = 8 << 20;

/// Which runtime a process is; None if that cannot be told, or if it is gone, or has become another program meanwhile.
pub(super) fn runtime_of(process: Process) -> Option<Runtime> {
    let executable = executable_of(process)?;
    let runtime = told_by(process.pid, &executable)?;
    (executable_of(process)? == executable).then_some(runtime)
}

/// Whether it still runs, under its name.
pub(super) fn is_there(process: Process) -> bool {
    start_ticks_of(process.pid) == Some(process.start_ticks) && comm_of(process.pid) == Some(process.comm)
}

/// The path of its executable, as it says itself.
fn executable_of(process: Process) -> Option<PathBuf> {
    if !is_there(process) {
        return None;
    }
    fs::read_link(format!("/proc/{}/exe", process.pid)).ok()
}

fn told_by(pid: u32, executable: &Path) -> Option<Runtime> {
    // The right to look into processes is none to read files: of an executable that only its owner may read, nothing
    // is told but what is mapped.
    let mut file = File::open(format!("/proc/{pid}/exe")).ok().map(Executable);
    let path = executable.as_os_str().as_bytes();
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    Runtime::of(name, file.as_mut(), || libraries_of(pid))
}

/// None if not all of it was seen.
fn libraries_of(pid: u32) -> Option<Libraries> {
    let mut maps = BufReader::new(File::open(format!("/proc/{pid}/maps")).ok()?).take(MOST_OF_MAPS);
    let (mut libraries, mut line) = (Libraries::default(), Vec::new());
    while maps.read_until(b'\n', &mut line).ok()? > 0 {
        libraries.look_at(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
    (maps.limit() > 0).then_some(libraries)
}

struct Executable(File);

impl Image for Executable {
    fn read(&mut self, offset: u64, len: usize) -> Vec<u8> {
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
    fn this_process_is_told_and_another_of_its_number_is_not_there() {
        let pid = std::process::id();
        let start_ticks = start_ticks_of(pid).unwrap();
        let me = Process { pid, start_ticks, comm: comm_of(pid).unwrap() };
        assert_eq!(runtime_of(me), Some(Runtime::Rust));
        assert_eq!(runtime_of(Process { start_ticks: start_ticks + 1, ..me }), None);
        assert_eq!(runtime_of(Process { comm: *b"another program\0", ..me }), None);
    }
}
