//! Loads the programs of a set of hooks and attaches them.

use std::{any::Any, collections::HashMap, panic::resume_unwind, path::Path, thread};

use anyhow::{Context as _, anyhow};
use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, CgroupAttachMode, FEntry, KProbe, Program, ProgramError, SockOps},
    sys::SyscallError,
};

use super::hooks::{AttachPoint, CONNECT, Hook, HookSet, KINDS, OptionalPoints, hooks_of};
use crate::host::cgroup::CgroupRoot;

/// The kernel registers this PMU if and only if it is built with kprobes.
const KPROBE_PMU: &str = "/sys/bus/event_source/devices/kprobe";

/// An error number of the kernel's own, without a text in libc (include/linux/errno.h).
const ENOTSUPP: i32 = 524;

const NO_DIRECT_CALLS: &str = "this kernel cannot redirect functions to programs (it is built without \
    CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS, which 64-bit ARM has since Linux 6.4)";

/// Keeps the programs attached. Dropping it detaches them; they stay loaded, and their counters readable.
#[derive(Default)]
pub(super) struct Links(Vec<Box<dyn Any>>);

/// Loads every program of the set that an earlier, rejected set has not loaded.
///
/// Each program gets its own thread. Verification takes most of the start-up time, and the kernel verifies on all CPUs
/// at once (`bpf_check()`, kernel/bpf/verifier.c, takes `bpf_verifier_lock` only for unprivileged users).
pub(super) fn load(ebpf: &mut Ebpf, btf: &Btf, set: HookSet, points: OptionalPoints) -> anyhow::Result<()> {
    let mut programs: HashMap<&str, &mut Program> = ebpf.programs_mut().collect();
    let hooks: Vec<_> = hooks_of(set, points)
        .map(|hook| Ok((hook, programs.remove(hook.program).ok_or_else(|| no_program(hook.program))?)))
        .collect::<anyhow::Result<_>>()?;
    let missing = hooks.into_iter().filter(|(_, program)| program.fd().is_err());
    // The smallest program of its kind goes first: a kernel that rejects it rejects the whole kind.
    let (first, others): (Vec<_>, Vec<_>) = missing
        .partition(|(hook, _)| matches!(hook.point, AttachPoint::Fentry(CONNECT) | AttachPoint::Kprobe(CONNECT)));
    for (hook, program) in first {
        load_one(program, btf, hook)?;
    }
    thread::scope(|scope| {
        let threads: Vec<_> =
            others.into_iter().map(|(hook, program)| scope.spawn(move || load_one(program, btf, hook))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Looks up a program of the BPF object.
pub(super) fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> anyhow::Result<&'a mut Program> {
    ebpf.program_mut(name).ok_or_else(|| no_program(name))
}

fn no_program(name: &str) -> anyhow::Error {
    anyhow!("the BPF object has no program {name}")
}

fn load_one(program: &mut Program, btf: &Btf, hook: &Hook) -> anyhow::Result<()> {
    match hook.point {
        AttachPoint::Tracepoint(name) => {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(name, btf).with_context(|| format!("tracepoint {name} refused"))
        }
        AttachPoint::Fentry(function) => {
            let program: &mut FEntry = program.try_into()?;
            program.load(function, btf).with_context(|| format!("fentry of {function} refused"))
        }
        AttachPoint::Kprobe(function) => {
            anyhow::ensure!(Path::new(KPROBE_PMU).exists(), "this kernel is built without kprobes (CONFIG_KPROBES)");
            let program: &mut KProbe = program.try_into()?;
            program.load().with_context(|| format!("kprobe of {function} refused"))
        }
        AttachPoint::CgroupRoot => {
            let program: &mut SockOps = program.try_into()?;
            program.load().context("sockops refused")
        }
    }
}

impl Links {
    /// Attaches every program of the set, which must be loaded. sock_ops attaches to `root`, the root of cgroup v2.
    pub(super) fn attach(
        &mut self,
        ebpf: &mut Ebpf,
        set: HookSet,
        points: OptionalPoints,
        root: Option<&CgroupRoot>,
    ) -> anyhow::Result<()> {
        for hook in hooks_of(set, points) {
            self.0.push(attach_one(program(ebpf, hook.program)?, hook, root)?);
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn attach_one(program: &mut Program, hook: &Hook, root: Option<&CgroupRoot>) -> anyhow::Result<Box<dyn Any>> {
    match hook.point {
        AttachPoint::Tracepoint(name) => {
            let program: &mut BtfTracePoint = program.try_into()?;
            let link = program.attach().with_context(|| format!("cannot attach to tracepoint {name}"))?;
            Ok(Box::new(program.take_link(link)?))
        }
        AttachPoint::Fentry(function) => {
            let program: &mut FEntry = program.try_into()?;
            let link =
                program.attach().map_err(explain).with_context(|| format!("cannot attach fentry to {function}"))?;
            Ok(Box::new(program.take_link(link)?))
        }
        AttachPoint::Kprobe(function) => {
            let program: &mut KProbe = program.try_into()?;
            let link = program.attach(function, 0).with_context(|| format!("cannot attach a kprobe to {function}"))?;
            Ok(Box::new(program.take_link(link)?))
        }
        AttachPoint::CgroupRoot => {
            let root = root.context("cannot attach sockops without the root of cgroup v2")?;
            let program: &mut SockOps = program.try_into()?;
            let link = program
                .attach(root, CgroupAttachMode::Single)
                .context("cannot attach sockops to the root of cgroup v2")?;
            Ok(Box::new(program.take_link(link)?))
        }
    }
}

/// Says what the kernel lacks if it loads programs for fentry but cannot attach them (`register_ftrace_direct()`,
/// include/linux/ftrace.h).
fn explain(error: ProgramError) -> anyhow::Error {
    match &error {
        ProgramError::SyscallError(SyscallError { io_error, .. }) if io_error.raw_os_error() == Some(ENOTSUPP) => {
            anyhow!(NO_DIRECT_CALLS)
        }
        _ => error.into(),
    }
}

/// A hook's kind, its attach point, and the outcome of loading and attaching it.
pub(super) type Attempt = (&'static str, &'static str, anyhow::Result<()>);

/// Loads every program that this kernel has an attach point for, and attaches it for a moment.
pub(super) fn try_each(ebpf: &mut Ebpf, btf: &Btf, points: OptionalPoints, root: Option<&CgroupRoot>) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for (kind, hooks) in KINDS {
        for hook in hooks.iter().filter(|hook| points.include(hook.point)) {
            let point = match hook.point {
                AttachPoint::Tracepoint(name) | AttachPoint::Fentry(name) | AttachPoint::Kprobe(name) => name,
                AttachPoint::CgroupRoot => "the root of cgroup v2",
            };
            let outcome = program(ebpf, hook.program).and_then(|program| {
                load_one(program, btf, hook)?;
                attach_one(program, hook, root).map(drop)
            });
            attempts.push((kind, point, outcome));
        }
    }
    attempts
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn refused_with(errno: i32) -> String {
        let io_error = io::Error::from_raw_os_error(errno);
        explain(SyscallError { call: "bpf_raw_tracepoint_open", io_error }.into()).to_string()
    }

    #[test]
    fn kernel_without_direct_calls_is_named() {
        assert_eq!(refused_with(ENOTSUPP), NO_DIRECT_CALLS);
        assert!(refused_with(libc::EPERM).contains("bpf_raw_tracepoint_open"));
    }
}
