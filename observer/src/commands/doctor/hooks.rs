//! Checks of the maps and the hooks, each of which is tried.

use std::fmt::Write as _;

use super::check::{Check, Status};
use crate::kernel::{
    BASE_KIND, HookSet,
    hook_test::{HookTest, HookTests, ITERATOR_KIND, MapsRefused},
};

const MAPS: &str = "maps";
const RING: &str = "ring-buffer";

/// The name of the ring buffer's map.
const RING_MAP: &str = "EVENTS";

/// The kinds of hooks, and the remedy if one is missing.
const KINDS: [(&str, &str); 6] = [
    (BASE_KIND, "use Linux 5.10 or later with CONFIG_BPF_EVENTS"),
    (ITERATOR_KIND, "use Linux 5.10 or later with CONFIG_BPF_SYSCALL and CONFIG_PROC_FS"),
    ("sockops", "see CAP_NET_ADMIN, container and cgroup-v2"),
    (
        "fentry",
        "most distributions' kernels have it (CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS; on 64-bit ARM since Linux 6.4)",
    ),
    ("kprobe", "most distributions' kernels have it (CONFIG_KPROBES, CONFIG_KPROBE_EVENTS)"),
    ("tracepoint", "Linux 6.16 and later have it"),
];

pub(super) fn checks(tests: Option<&HookTests>) -> Vec<Check> {
    let Some(tests) = tests else {
        let names = [MAPS, RING].into_iter().chain(KINDS.map(|(name, _)| name));
        return names.map(|name| Check::unknown(name, "not tried, because of what is missing above")).collect();
    };
    let mut checks = maps(&tests.maps);
    if tests.maps.is_err() {
        checks.extend(KINDS.map(|(name, _)| Check::unknown(name, "not tried, because it needs the maps")));
    } else {
        checks.extend(KINDS.map(|(name, remedy)| {
            let hooks: Vec<_> = tests.hooks.iter().filter(|hook| hook.kind == name).collect();
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

/// Checks all hooks of one kind.
fn kind(name: &'static str, hooks: &[&HookTest], remedy: &str) -> Check {
    if hooks.is_empty() {
        return Check::missing(name, "this kernel has no tracepoint in sends", remedy);
    }
    match refusals(hooks) {
        refusals if refusals.is_empty() => {
            Check::ok(name, hooks.iter().map(|hook| hook.attach_point).collect::<Vec<_>>().join(", "))
        }
        refusals => Check::missing(name, refusals, remedy),
    }
}

/// Lists the refused hooks with their reasons. A reason equal to the previous one is not repeated.
fn refusals(hooks: &[&HookTest]) -> String {
    let mut text = String::new();
    let mut last = None;
    let mut is_repeat = false;
    for hook in hooks {
        let Err(reason) = &hook.outcome else { continue };
        let general = reason.replace(hook.attach_point, "");
        if last.as_ref() == Some(&general) {
            // A reason that names no attach point applies to all hooks of the kind.
            if general == *reason {
                continue;
            }
            let _ = write!(text, "{} {}", if is_repeat { "," } else { "; the same for" }, hook.attach_point);
            is_repeat = true;
        } else {
            text += if text.is_empty() { "" } else { "; " };
            text += reason;
            is_repeat = false;
        }
        last = Some(general);
    }
    text
}

/// If the watch attached although this requirement is missing, says what the watch loses without it.
pub(super) fn explain_if_not_needed(check: &mut Check, attached: Option<HookSet>) {
    let Some(set) = attached.filter(|_| check.status == Status::Missing) else { return };
    let meaning = match check.name {
        "CAP_NET_ADMIN" | "cgroup-v2" if !set.sockops => "not needed: only sockops depends on it",
        "sockops" => {
            "not needed: tracepoints see the same, but the kernel may skip them ('complete' says whether it did)"
        }
        "fentry" | "kprobe" | "tracepoint" if set.fentry => "not needed: fentry sees the same",
        "fentry" | "kprobe" | "tracepoint" if set.kprobe => "not needed: kprobe sees the same",
        "fentry" | "kprobe" => "not needed: tracepoint sees the same",
        "tracepoint" => {
            "not needed, but without fentry and kprobe too, TLS is not recognised and its counts are not exact"
        }
        _ => "not needed: the watch runs without it",
    };
    check.detail = format!("{meaning}; {}", check.detail);
}
