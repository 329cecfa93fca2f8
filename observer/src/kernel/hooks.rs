//! Which programs hang where, how they are attached and taken out, and what their being skipped means.

use std::{
    any::Any,
    collections::HashMap,
    fmt, fs,
    os::fd::{AsFd as _, AsRawFd as _},
    panic::resume_unwind,
    path::Path,
    thread,
};

use anyhow::{Context as _, anyhow};
use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, CgroupAttachMode, FEntry, KProbe, Program, SockOps},
};

use super::btf::{Kind, Named};
use crate::host::cgroup::CgroupRoot;
use observer_core::model::ProgramSample;

/// Where the handlers hang. Receives, resets, changes of state and the end of a socket are seen by tracepoints in every
/// set; this is what comes beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set: one for each member")]
pub(crate) struct HookSet {
    /// Connects and changes of state, exactly.
    pub(crate) sockops: bool,
    /// Connects, closes and sends, by the functions that do them.
    pub(crate) fentry: bool,
    pub(crate) kprobe: bool,
    /// Sends, by their tracepoint.
    pub(crate) tracepoint: bool,
}

impl HookSet {
    pub(crate) fn names(self) -> Vec<&'static str> {
        [(self.sockops, "sockops"), (self.fentry, "fentry"), (self.kprobe, "kprobe"), (self.tracepoint, "tracepoint")]
            .into_iter()
            .filter_map(|(taken, name)| taken.then_some(name))
            .collect()
    }
}

impl fmt::Display for HookSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(","))
    }
}

/// What a program hangs on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Tracepoint(&'static str),
    Fentry(&'static str),
    Kprobe(&'static str),
    CgroupRoot,
}

/// What makes a skipped run of a program good.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recovery {
    /// Another hook, always; or nothing is counted from it.
    Always,
    /// sock_ops, if it is attached: it sees the same and is never skipped.
    BySockops,
    /// The next send, if sends are seen.
    BySends,
}

/// A program of the BPF object.
struct Hook {
    program: &'static str,
    place: Place,
    recovery: Recovery,
}

const fn hook(program: &'static str, place: Place, recovery: Recovery) -> Hook {
    Hook { program, place, recovery }
}

/// The tracepoint that sees the first bytes of a send, where there is one (6.16).
pub(super) const SEND_TRACEPOINT: &str = "tcp_sendmsg_locked";

/// In every set. Those that create entries come last: what has an entry is seen by all the others.
const BASE: [Hook; 4] = [
    hook("destroy", Place::Tracepoint("tcp_destroy_sock"), Recovery::BySockops),
    hook("peer_reset", Place::Tracepoint("tcp_receive_reset"), Recovery::Always),
    hook("receive", Place::Tracepoint("tcp_rcv_space_adjust"), Recovery::BySends),
    hook("state", Place::Tracepoint("inet_sock_set_state"), Recovery::BySockops),
];

// A send of a TLS handshake that was not seen marks its connection as not exact; a connect is seen by its change of
// state too, and from a close nothing is counted.
const TRACEPOINT: [Hook; 1] = [hook("send", Place::Tracepoint(SEND_TRACEPOINT), Recovery::Always)];
const FENTRY: [Hook; 4] = [
    hook("fentry_send", Place::Fentry("tcp_sendmsg_locked"), Recovery::Always),
    hook("fentry_pages", Place::Fentry(PAGES), Recovery::Always),
    hook("fentry_close", Place::Fentry(CLOSE), Recovery::Always),
    hook("fentry_connect", Place::Fentry("tcp_connect"), Recovery::Always),
];
const KPROBE: [Hook; 4] = [
    hook("kprobe_send", Place::Kprobe("tcp_sendmsg_locked"), Recovery::Always),
    hook("kprobe_pages", Place::Kprobe(PAGES), Recovery::Always),
    hook("kprobe_close", Place::Kprobe(CLOSE), Recovery::Always),
    hook("kprobe_connect", Place::Kprobe("tcp_connect"), Recovery::Always),
];
const SOCKOPS: [Hook; 1] = [hook("lifecycle", Place::CgroupRoot, Recovery::Always)];

/// Where a program gives a connection up.
const CLOSE: &str = "tcp_close";

/// Where sendfile and splice go, until 6.4.
pub(super) const PAGES: &str = "do_tcp_sendpages";

/// The kernel's own account of a kind of probe; it is there if and only if the kernel was built with it.
const KPROBE_PMU: &str = "/sys/bus/event_source/devices/kprobe";

/// What keeps the programs attached. Dropping it takes them out; they stay loaded, and their counters readable.
pub(super) struct Links(#[expect(dead_code, reason = "held to be dropped")] Vec<Box<dyn Any>>);

/// What the running kernel has of what hooks hang on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub(super) send_tracepoint: bool,
    pub(super) pages: bool,
}

/// The programs of a set, in the order in which they are attached.
fn hooks_of(set: HookSet, places: Places) -> impl Iterator<Item = &'static Hook> {
    let taken = |taken: bool, hooks: &'static [Hook]| if taken { hooks } else { &[] };
    taken(set.tracepoint && places.send_tracepoint, &TRACEPOINT)
        .iter()
        .chain(taken(set.fentry, &FENTRY))
        .chain(taken(set.kprobe, &KPROBE))
        .filter(move |hook| places.pages || !matches!(hook.place, Place::Fentry(PAGES) | Place::Kprobe(PAGES)))
        .chain(&BASE)
        .chain(taken(set.sockops, &SOCKOPS))
}

/// The function by which the kernel knows iterators over TCP's sockets.
const ITERATOR: &str = "bpf_iter_tcp";

/// Everything that programs hang on and that the kernel knows by name.
pub(super) fn places() -> impl Iterator<Item = Named<'static>> {
    let hooks = KINDS.into_iter().flat_map(|(_, hooks)| hooks).filter_map(|hook| match hook.place {
        Place::Tracepoint(name) => Some((Kind::Tracepoint, name)),
        Place::Fentry(name) => Some((Kind::Function, name)),
        Place::Kprobe(_) | Place::CgroupRoot => None,
    });
    hooks.chain([(Kind::Function, ITERATOR)])
}

/// Whether a hook of the set sees the first bytes of what is sent.
pub(super) fn sees_sends(set: HookSet, places: Places) -> bool {
    set.fentry || set.kprobe || (set.tracepoint && places.send_tracepoint)
}

/// Loads every program of the set that a set which was refused has not left.
///
/// Each has a thread of its own. Verifying them is most of what a start takes, and the kernel does it on all processors
/// at once (`bpf_check()`, kernel/bpf/verifier.c: `bpf_verifier_lock` is for those without privileges).
pub(super) fn load(ebpf: &mut Ebpf, btf: &Btf, set: HookSet, places: Places) -> anyhow::Result<()> {
    let mut programs: HashMap<&str, &mut Program> = ebpf.programs_mut().collect();
    let taken: Vec<_> = hooks_of(set, places)
        .map(|hook| Ok((hook, programs.remove(hook.program).ok_or_else(|| no_program(hook.program))?)))
        .collect::<anyhow::Result<_>>()?;
    let missing = taken.into_iter().filter(|(_, program)| program.fd().is_err());
    // The smallest of its kind goes first: what refuses one refuses all of them.
    let (first, others): (Vec<_>, Vec<_>) =
        missing.partition(|(hook, _)| matches!(hook.place, Place::Fentry(CLOSE) | Place::Kprobe(CLOSE)));
    for (hook, program) in first {
        load_one(program, btf, hook)?;
    }
    thread::scope(|scope| {
        let threads: Vec<_> =
            others.into_iter().map(|(hook, program)| scope.spawn(move || load_one(program, btf, hook))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// A program of the BPF object.
pub(super) fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> anyhow::Result<&'a mut Program> {
    ebpf.program_mut(name).ok_or_else(|| no_program(name))
}

fn no_program(name: &str) -> anyhow::Error {
    anyhow!("the BPF object has no program {name}")
}

fn load_one(program: &mut Program, btf: &Btf, hook: &Hook) -> anyhow::Result<()> {
    match hook.place {
        Place::Tracepoint(name) => {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(name, btf).with_context(|| format!("tracepoint {name} refused"))
        }
        Place::Fentry(function) => {
            let program: &mut FEntry = program.try_into()?;
            program.load(function, btf).with_context(|| format!("fentry of {function} refused"))
        }
        Place::Kprobe(function) => {
            anyhow::ensure!(Path::new(KPROBE_PMU).exists(), "this kernel is built without kprobes (CONFIG_KPROBES)");
            let program: &mut KProbe = program.try_into()?;
            program.load().with_context(|| format!("kprobe of {function} refused"))
        }
        Place::CgroupRoot => {
            let program: &mut SockOps = program.try_into()?;
            program.load().context("sockops refused")
        }
    }
}

/// Attaches every program of the set; they are loaded. `root`: the root of cgroup v2, for sock_ops.
pub(super) fn attach(
    ebpf: &mut Ebpf,
    set: HookSet,
    places: Places,
    root: Option<&CgroupRoot>,
) -> anyhow::Result<Links> {
    let mut links = Vec::new();
    for hook in hooks_of(set, places) {
        links.push(attach_one(program(ebpf, hook.program)?, hook, root)?);
    }
    Ok(Links(links))
}

fn attach_one(program: &mut Program, hook: &Hook, root: Option<&CgroupRoot>) -> anyhow::Result<Box<dyn Any>> {
    match hook.place {
        Place::Tracepoint(name) => {
            let program: &mut BtfTracePoint = program.try_into()?;
            let link = program.attach().with_context(|| format!("cannot attach to tracepoint {name}"))?;
            Ok(Box::new(program.take_link(link)?))
        }
        Place::Fentry(function) => {
            let program: &mut FEntry = program.try_into()?;
            let link = program.attach().with_context(|| format!("cannot attach fentry to {function}"))?;
            Ok(Box::new(program.take_link(link)?))
        }
        Place::Kprobe(function) => {
            let program: &mut KProbe = program.try_into()?;
            let link = program.attach(function, 0).with_context(|| format!("cannot attach a kprobe to {function}"))?;
            Ok(Box::new(program.take_link(link)?))
        }
        Place::CgroupRoot => {
            let root = root.context("sockops without the root of cgroup v2")?;
            let program: &mut SockOps = program.try_into()?;
            let link = program
                .attach(root, CgroupAttachMode::Single)
                .context("cannot attach sockops to the root of cgroup v2")?;
            Ok(Box::new(program.take_link(link)?))
        }
    }
}

/// What [`try_each`] calls the tracepoints of every set.
pub(crate) const BASE_KIND: &str = "base-tracepoints";

const KINDS: [(&str, &[Hook]); 5] =
    [(BASE_KIND, &BASE), ("sockops", &SOCKOPS), ("fentry", &FENTRY), ("kprobe", &KPROBE), ("tracepoint", &TRACEPOINT)];

/// Loads each program of every set that this kernel has a place for, and attaches it for an instant. Gives the set, the
/// place, and what came of it.
pub(super) fn try_each(
    ebpf: &mut Ebpf,
    btf: &Btf,
    places: Places,
    root: Option<&CgroupRoot>,
) -> Vec<(&'static str, &'static str, anyhow::Result<()>)> {
    let mut tried = Vec::new();
    for (kind, hooks) in KINDS {
        for hook in hooks {
            let place = match hook.place {
                Place::Fentry(PAGES) | Place::Kprobe(PAGES) if !places.pages => continue,
                Place::Tracepoint(SEND_TRACEPOINT) if !places.send_tracepoint => continue,
                Place::Tracepoint(name) | Place::Fentry(name) | Place::Kprobe(name) => name,
                Place::CgroupRoot => "the root of cgroup v2",
            };
            let outcome = program(ebpf, hook.program).and_then(|program| {
                load_one(program, btf, hook)?;
                attach_one(program, hook, root).map(drop)
            });
            tried.push((kind, place, outcome));
        }
    }
    tried
}

/// What the kernel says of each program of the set, and said `before`.
pub(super) fn programs(ebpf: &Ebpf, set: HookSet, places: Places, before: &[ProgramSample]) -> Vec<ProgramSample> {
    let sample = |hook: &Hook| sample(hook.program, ebpf.program(hook.program).and_then(fdinfo).as_deref(), before);
    hooks_of(set, places).map(sample).collect()
}

/// As it was before where fdinfo cannot be read (no file descriptor may be left): counters do not go down.
fn sample(name: &'static str, fdinfo: Option<&str>, before: &[ProgramSample]) -> ProgramSample {
    let Some(fdinfo) = fdinfo else {
        let before = before.iter().find(|program| program.name == name);
        return before.copied().unwrap_or(ProgramSample { name, ..ProgramSample::default() });
    };
    let number = |field| number_in(fdinfo, field).unwrap_or(0);
    ProgramSample { name, skips: number("recursion_misses"), runs: number("run_cnt"), run_ns: number("run_time_ns") }
}

/// How often the kernel skipped one of the programs, and how often nothing else made it good. Lower bounds: the kernel
/// counts on a best effort.
pub(super) fn skips(programs: &[ProgramSample], set: HookSet, places: Places) -> (u64, u64) {
    let mut all = 0;
    let mut unrecovered = 0;
    for hook in hooks_of(set, places) {
        let skips = programs.iter().find(|program| program.name == hook.program).map_or(0, |program| program.skips);
        all += skips;
        let is_recovered = match hook.recovery {
            Recovery::Always => true,
            Recovery::BySockops => set.sockops,
            Recovery::BySends => sees_sends(set, places),
        };
        if !is_recovered {
            unrecovered += skips;
        }
    }
    (all, unrecovered)
}

/// What the kernel shows of a program in /proc (`bpf_prog_show_fdinfo()`, `recursion_misses` since 5.12).
fn fdinfo(program: &Program) -> Option<String> {
    let fd = program.fd().ok()?;
    fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd())).ok()
}

fn number_in(fdinfo: &str, field: &str) -> Option<u64> {
    fdinfo.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_fdinfo() {
        let fdinfo = "pos:\t0\nflags:\t02000002\nprog_type:\t26\nrun_cnt:\t3\nrecursion_misses:\t17\n";
        assert_eq!((number_in(fdinfo, "recursion_misses"), number_in(fdinfo, "run_cnt")), (Some(17), Some(3)));
        assert_eq!((number_in("pos:\t0\n", "recursion_misses"), number_in(fdinfo, "run")), (None, None));
    }

    #[test]
    fn what_cannot_be_read_is_as_it_was() {
        let before = [sample("send", Some("recursion_misses:\t17\nrun_cnt:\t3\nrun_time_ns:\t9\n"), &[])];
        assert_eq!(before[0], ProgramSample { name: "send", skips: 17, runs: 3, run_ns: 9 });
        assert_eq!(sample("send", None, &before), before[0]);
        assert_eq!(sample("state", None, &before), ProgramSample { name: "state", ..ProgramSample::default() });
    }

    #[test]
    fn the_hooks_are_named_as_they_are_chosen() {
        let set = HookSet { sockops: true, fentry: true, ..HookSet::default() };
        assert_eq!(set.to_string(), "sockops,fentry");
    }

    #[test]
    fn what_creates_entries_is_attached_last() {
        let set = HookSet { sockops: true, fentry: true, kprobe: true, tracepoint: true };
        let places = Places { send_tracepoint: true, pages: false };
        let programs: Vec<_> = hooks_of(set, places).map(|hook| hook.program).collect();
        assert_eq!(programs[programs.len() - 2..], ["state", "lifecycle"]);
        assert!(!programs.contains(&"fentry_pages"));
    }
}
