//! The kernel's statistics of each program: how often it ran, for how long, and how often the kernel skipped it.

use std::{
    fs::File,
    io::{Read as _, Seek as _},
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{Ebpf, programs::Program};
use observer_core::model::ProgramSample;

use super::hooks::{Hook, HookSet, OptionalPoints, Recovery, hooks_of, sees_sends};

/// What the kernel shows of each program in /proc (`bpf_prog_show_fdinfo()`; `recursion_misses` since 5.12). Opened before
/// privileges are given up, and read again at each sample: /proc/self belongs to root afterwards.
pub(super) struct ProgramStats(Vec<(&'static str, Option<File>)>);

impl ProgramStats {
    pub(super) fn open(ebpf: &Ebpf, set: HookSet, points: OptionalPoints) -> Self {
        let open = |hook: &Hook| (hook.program, ebpf.program(hook.program).and_then(fdinfo));
        Self(hooks_of(set, points).map(open).collect())
    }

    /// Reads the statistics of each program. `previous`: the last reading. Returns whether all could be read; if not, some
    /// keep their previous numbers, because counters must not fall.
    pub(super) fn read(&mut self, previous: &[ProgramSample]) -> (Vec<ProgramSample>, bool) {
        let mut are_all_read = true;
        let samples = self.0.iter_mut().map(|(program, file)| {
            let fdinfo = file.as_mut().and_then(read_again);
            are_all_read &= fdinfo.is_some();
            sample(program, fdinfo.as_deref(), previous)
        });
        (samples.collect(), are_all_read)
    }
}

fn sample(name: &'static str, fdinfo: Option<&str>, previous: &[ProgramSample]) -> ProgramSample {
    let Some(fdinfo) = fdinfo else {
        let previous = previous.iter().find(|program| program.name == name);
        return previous.copied().unwrap_or(ProgramSample { name, ..ProgramSample::default() });
    };
    let number = |field| number_in(fdinfo, field).unwrap_or(0);
    ProgramSample { name, skips: number("recursion_misses"), runs: number("run_cnt"), run_ns: number("run_time_ns") }
}

/// How often the kernel skipped a program, and how often no other hook compensated. Both are lower bounds, because the
/// kernel counts skips on a best-effort basis.
pub(super) fn skips(programs: &[ProgramSample], set: HookSet, points: OptionalPoints) -> (u64, u64) {
    let mut all = 0;
    let mut unrecovered = 0;
    for hook in hooks_of(set, points) {
        let skips = programs.iter().find(|program| program.name == hook.program).map_or(0, |program| program.skips);
        all += skips;
        let is_recovered = match hook.recovery {
            Recovery::Always => true,
            Recovery::BySockops => set.sockops,
            Recovery::BySends => sees_sends(set, points),
        };
        if !is_recovered {
            unrecovered += skips;
        }
    }
    (all, unrecovered)
}

fn fdinfo(program: &Program) -> Option<File> {
    let fd = program.fd().ok()?;
    File::open(format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd())).ok()
}

/// The kernel writes the text anew when it is read from the start.
fn read_again(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    Some(text)
}

fn number_in(fdinfo: &str, field: &str) -> Option<u64> {
    fdinfo.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_parsed_from_fdinfo() {
        let fdinfo = "pos:\t0\nflags:\t02000002\nprog_type:\t26\nrun_cnt:\t3\nrecursion_misses:\t17\n";
        assert_eq!((number_in(fdinfo, "recursion_misses"), number_in(fdinfo, "run_cnt")), (Some(17), Some(3)));
        assert_eq!((number_in("pos:\t0\n", "recursion_misses"), number_in(fdinfo, "run")), (None, None));
    }

    #[test]
    fn unreadable_fdinfo_keeps_the_previous_numbers() {
        let previous = [sample("send", Some("recursion_misses:\t17\nrun_cnt:\t3\nrun_time_ns:\t9\n"), &[])];
        assert_eq!(previous[0], ProgramSample { name: "send", skips: 17, runs: 3, run_ns: 9 });
        assert_eq!(sample("send", None, &previous), previous[0]);
        assert_eq!(sample("state", None, &previous), ProgramSample { name: "state", ..ProgramSample::default() });
    }
}
