//! The cost of BPF programs, from the kernel's statistics.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use anyhow::{Context as _, Result};

use crate::support::bpf::{descriptor, descriptors_of, info_of};

// enum bpf_cmd, bpf_stats_type and bpf_prog_type of include/uapi/linux/bpf.h
const PROG_LOAD: i64 = 5;
const PROG_GET_FD_BY_ID: i64 = 13;
const RAW_TRACEPOINT_OPEN: i64 = 17;
const ENABLE_STATS: i64 = 32;
const STATS_RUN_TIME: u32 = 0;
const PROG_TYPE_RAW_TRACEPOINT: u32 = 17;

/// `r0 = 0; exit`
const EMPTY: [u64; 2] = [0xb7, 0x95];

/// Tracepoints at every send and every receive.
const SEND: &[u8] = b"tcp_sendmsg_locked\0";
const RECEIVE: &[u8] = b"tcp_rcv_space_adjust\0";

/// The kernel measures every run of a program until this is dropped.
pub(super) struct Statistics {
    _on: OwnedFd,
}

impl Statistics {
    pub(super) fn start() -> Result<Self> {
        let mut kind = STATS_RUN_TIME;
        Ok(Self {
            _on: descriptor(ENABLE_STATS, &mut kind)
                .context("cannot enable the kernel's statistics of BPF programs")?,
        })
    }
}

/// A program that does nothing, at every send and receive. Its apparent cost is the cost of measuring.
pub(super) struct Empty {
    program: OwnedFd,
    _links: [OwnedFd; 2],
}

impl Empty {
    pub(super) fn attach() -> Result<Self> {
        let program = load_empty().context("cannot load an empty BPF program")?;
        let links = [open(&program, SEND)?, open(&program, RECEIVE)?];
        Ok(Self { program, _links: links })
    }

    /// Its cost so far.
    pub(super) fn cost(&self) -> Cost {
        let path = format!("/proc/self/fdinfo/{}", self.program.as_raw_fd());
        Cost::read(&fs::read_to_string(path).unwrap_or_default()).map_or(Cost::default(), |(_, cost)| cost)
    }
}

fn load_empty() -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attributes {
        kind: u32,
        instructions: u32,
        code: u64,
        license: u64,
    }
    let license = b"GPL\0";
    let mut attributes = Attributes {
        kind: PROG_TYPE_RAW_TRACEPOINT,
        instructions: EMPTY.len() as u32,
        code: EMPTY.as_ptr() as u64,
        license: license.as_ptr() as u64,
    };
    descriptor(PROG_LOAD, &mut attributes)
}

fn open(program: &OwnedFd, tracepoint: &[u8]) -> Result<OwnedFd> {
    #[repr(C)]
    struct Attributes {
        name: u64,
        program: u32,
        reserved: u32,
    }
    let mut attributes =
        Attributes { name: tracepoint.as_ptr() as u64, program: program.as_raw_fd().cast_unsigned(), reserved: 0 };
    descriptor(RAW_TRACEPOINT_OPEN, &mut attributes)
        .with_context(|| format!("cannot attach to {}", String::from_utf8_lossy(tracepoint)))
}

/// Number of runs of a program, and their total time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) runs: u64,
    pub(super) run_ns: u64,
}

impl Cost {
    /// Parses id and cost of a program from the fdinfo of its descriptor (`bpf_prog_show_fdinfo()`,
    /// kernel/bpf/syscall.c).
    fn read(info: &str) -> Option<(u32, Self)> {
        let number = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        // The fdinfo of a link has the id of its program too, but no prog_type.
        number("prog_type:")?;
        let cost = Self { runs: number("run_cnt:")?, run_ns: number("run_time_ns:")? };
        Some((number("prog_id:")?.try_into().ok()?, cost))
    }

    pub(super) fn since(self, earlier: Self) -> Self {
        Self { runs: self.runs - earlier.runs, run_ns: self.run_ns - earlier.run_ns }
    }

    pub(super) fn ns_per_run(self) -> f64 {
        self.run_ns as f64 / self.runs as f64
    }

    /// Run time minus the cost of measuring.
    pub(super) fn net_ns(self, empty: Self) -> f64 {
        self.run_ns as f64 - if empty.runs > 0 { self.runs as f64 * empty.ns_per_run() } else { 0.0 }
    }
}

/// A BPF program that a process holds.
#[derive(Clone, Debug)]
pub(super) struct Program {
    id: u32,
    pub(super) name: String,
    pub(super) cost: Cost,
}

/// The programs that a process holds.
pub(super) fn programs_of(pid: u32) -> Vec<Program> {
    let mut programs: Vec<Program> = Vec::new();
    for info in descriptors_of(pid) {
        if let Some((id, cost)) = Cost::read(&info)
            && programs.iter().all(|program| program.id != id)
        {
            programs.push(Program { id, name: name_of(id).unwrap_or_else(|_| format!("program {id}")), cost });
        }
    }
    programs
}

/// The cost of each program since an earlier call of [`programs_of`].
pub(super) fn since(now: Vec<Program>, earlier: &[Program]) -> Vec<Program> {
    let before = |id: u32| earlier.iter().find(|program| program.id == id).map_or(Cost::default(), |known| known.cost);
    now.into_iter().map(|program| Program { cost: program.cost.since(before(program.id)), ..program }).collect()
}

/// Memory of the maps that a process holds, as the kernel accounts for it.
pub(super) fn map_bytes_of(pid: u32) -> u64 {
    let mut maps: Vec<(u64, u64)> = descriptors_of(pid)
        .iter()
        .filter_map(|info| {
            let number = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
            Some((number("map_id:")?, number("memlock:")?))
        })
        .collect();
    maps.sort_unstable();
    maps.dedup();
    maps.iter().map(|(_, bytes)| bytes).sum()
}

fn name_of(id: u32) -> io::Result<String> {
    /// The start of `struct bpf_prog_info`, up to its name.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        before_name: [u64; 8],
        name: [u8; 16],
    }
    let program = descriptor(PROG_GET_FD_BY_ID, &mut [id, 0, 0])?;
    let Info { name, .. } = info_of(&program)?;
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    Ok(String::from_utf8_lossy(&name[..end]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fdinfo_of_programs_is_parsed() {
        let program = "pos:\t0\nprog_type:\t26\nprog_id:\t7\nrun_time_ns:\t1000\nrun_cnt:\t10\n";
        let (id, cost) = Cost::read(program).unwrap();
        assert_eq!((id, cost.runs, cost.run_ns), (7, 10, 1000));
        assert!(Cost::read("link_type:\ttracing\nprog_id:\t7\n").is_none());
        let empty = Cost { runs: 5, run_ns: 300 };
        assert!((cost.net_ns(empty) - 400.0).abs() < 1e-9);
        assert!((cost.net_ns(Cost::default()) - 1000.0).abs() < 1e-9);
    }
}
