//! BPF objects that a process holds: its programs and maps, as /proc and the kernel's own lists show them.

use std::fs;

#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) programs: Vec<Program>,
    /// Map ids.
    pub(crate) maps: Vec<u32>,
}

/// `run_ns` and `runs` are 0 while the kernel collects no statistics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    pub(crate) id: u32,
    pub(crate) run_ns: u64,
    pub(crate) runs: u64,
}

/// Lists the programs and maps of a process (`bpf_prog_show_fdinfo()` and `bpf_map_show_fdinfo()`,
/// kernel/bpf/syscall.c).
pub(crate) fn loaded_by(pid: u32) -> Loaded {
    let mut loaded = Loaded::default();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("the process is running") {
        // The descriptor may be closed already.
        let Ok(info) = entry.and_then(|entry| fs::read_to_string(entry.path())) else { continue };
        let number = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        // A link also shows the id of its program, but no program type.
        if let (Some(_), Some(id)) = (number("prog_type:"), number("prog_id:")) {
            loaded.programs.push(Program {
                id: id.try_into().expect("an id has 32 bits"),
                run_ns: number("run_time_ns:").unwrap_or(0),
                runs: number("run_cnt:").unwrap_or(0),
            });
        } else if let Some(id) = number("map_id:") {
            loaded.maps.push(id.try_into().expect("an id has 32 bits"));
        }
    }
    loaded
}

impl Loaded {
    /// Those of these programs and maps that still exist in the kernel.
    pub(crate) fn left(&self) -> Self {
        let programs: Vec<u32> =
            aya::programs::loaded_programs().filter_map(|program| Some(program.ok()?.id())).collect();
        let maps: Vec<u32> = aya::maps::loaded_maps().filter_map(|map| Some(map.ok()?.id())).collect();
        Self {
            programs: self.programs.iter().filter(|program| programs.contains(&program.id)).copied().collect(),
            maps: self.maps.iter().filter(|id| maps.contains(id)).copied().collect(),
        }
    }
}
