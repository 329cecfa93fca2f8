//! What came of trying the maps and the hooks.

use std::fmt::Write as _;

use super::check::{Check, Status};
use crate::kernel::{
    BASE_KIND, HookSet,
    load::{ITERATOR_KIND, MapsRefused, Trial, TriedHook},
};

const MAPS: &str = "maps";
const RING: &str = "ring-buffer";

/// The map that is the ring buffer.
const RING_MAP: &str = "EVENTS";

/// The sets, and where those are that have them.
const KINDS: [(&str, &str); 6] = [
    (BASE_KIND, "use a kernel that has these tracepoints (Linux 5.10 or later, with CONFIG_BPF_EVENTS)"),
    (ITERATOR_KIND, "use a kernel that has it (Linux 5.10 or later, with CONFIG_BPF_SYSCALL and CONFIG_PROC_FS)"),
    ("sockops", "see CAP_NET_ADMIN, container and cgroup-v2"),
    ("fentry", "most distributions' kernels have it (CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS)"),
    ("kprobe", "most distributions' kernels have it (CONFIG_KPROBES, CONFIG_KPROBE_EVENTS)"),
    ("tracepoint", "Linux 6.16 and later have it"),
];

pub(super) fn checks(trial: Option<&Trial>) -> Vec<Check> {
    let Some(trial) = trial else {
        let names = [MAPS, RING].into_iter().chain(KINDS.map(|(name, _)| name));
        return names.map(|name| Check::unknown(name, "not tried, for what is missing above")).collect();
    };
    let mut checks = maps(&trial.maps);
    if trial.maps.is_err() {
        checks.extend(KINDS.map(|(name, _)| Check::unknown(name, "not tried, without the maps")));
    } else {
        checks.extend(KINDS.map(|(name, remedy)| {
            let hooks: Vec<_> = trial.hooks.iter().filter(|hook| hook.kind == name).collect();
            kind(name, &hooks, remedy)
        }));
    }
    checks
}

fn maps(outcome: &Result<(), MapsRefused>) -> Vec<Check> {
    let refused = |name, reason: &str| Check::missing(name, reason, "see kernel, lockdown and memory-lock");
    match outcome {
        Ok(()) => vec![Check::ok(MAPS, "created"), Check::ok(RING, "created")],
        Err(MapsRefused { map: Some(map), reason }) if map == RING_MAP => {
            vec![Check::unknown(MAPS, "not all tried"), refused(RING, reason)]
        }
        Err(MapsRefused { reason, .. }) => vec![refused(MAPS, reason), Check::unknown(RING, "not tried")],
    }
}

/// A set of hooks.
fn kind(name: &'static str, hooks: &[&TriedHook], remedy: &str) -> Check {
    if hooks.is_empty() {
        return Check::missing(name, "this kernel has no tracepoint for sends", remedy);
    }
    match refusals(hooks) {
        refusals if refusals.is_empty() => {
            Check::ok(name, hooks.iter().map(|hook| hook.place).collect::<Vec<_>>().join(", "))
        }
        refusals => Check::missing(name, refusals, remedy),
    }
}

/// What was refused, and why; a reason that is that of the one before it is not repeated.
fn refusals(hooks: &[&TriedHook]) -> String {
    let mut text = String::new();
    let mut last = None;
    for hook in hooks {
        let Err(reason) = &hook.outcome else { continue };
        let general = reason.replace(hook.place, "");
        if last.as_ref() == Some(&general) {
            // Some reasons name no place: they hold for all.
            if general == *reason {
                continue;
            }
            let _ = write!(text, ", {} likewise", hook.place);
        } else {
            text += if text.is_empty() { "" } else { "; " };
            text += reason;
        }
        last = Some(general);
    }
    text
}

/// What is missing matters less once a watch has started without it: then it says what is lost.
pub(super) fn put_into_perspective(check: &mut Check, taken: Option<HookSet>) {
    let Some(set) = taken.filter(|_| check.status == Status::Missing) else { return };
    let meaning = match check.name {
        "CAP_NET_ADMIN" | "cgroup-v2" if !set.sockops => "not needed: only sockops is not possible without it",
        "sockops" => {
            "not needed: tracepoints see the same, but the kernel may skip them (`complete` says whether it did)"
        }
        "fentry" | "kprobe" | "tracepoint" if set.fentry => "not needed: fentry sees the same",
        "fentry" | "kprobe" | "tracepoint" if set.kprobe => "not needed: kprobe sees the same",
        "fentry" | "kprobe" => "not needed: tracepoint sees the same",
        "tracepoint" => {
            "not needed: without fentry and kprobe too, TLS cannot be told, and its counts are marked as not exact"
        }
        _ => "not needed: the watch runs all the same",
    };
    check.detail = format!("{meaning}; {}", check.detail);
}
