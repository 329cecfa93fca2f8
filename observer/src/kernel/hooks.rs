//! Which programs attach where, and what compensates when the kernel skips one.

use std::fmt;

use super::btf::{Kind, Named};

/// The optional hooks. Every set also has the tracepoints for receives, resets, state changes and the end of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set, with a flag for each member")]
pub(crate) struct HookSet {
    /// Sees connects and state changes, and is never skipped.
    pub(crate) sockops: bool,
    /// Sees connects, closes and sends in the kernel functions that perform them.
    pub(crate) fentry: bool,
    /// Sees the same as fentry.
    pub(crate) kprobe: bool,
    /// Sees sends in their tracepoint.
    pub(crate) tracepoint: bool,
}

impl HookSet {
    pub(crate) fn names(self) -> Vec<&'static str> {
        [(self.sockops, "sockops"), (self.fentry, "fentry"), (self.kprobe, "kprobe"), (self.tracepoint, "tracepoint")]
            .into_iter()
            .filter_map(|(is_member, name)| is_member.then_some(name))
            .collect()
    }
}

impl fmt::Display for HookSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(","))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AttachPoint {
    Tracepoint(&'static str),
    Fentry(&'static str),
    Kprobe(&'static str),
    CgroupRoot,
}

/// What compensates for a skipped run of a program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Another hook that is always attached, or nothing because the program counts nothing.
    Always,
    /// sock_ops, if attached: it sees the same and is never skipped.
    BySockops,
    /// The next send, if a hook sees sends.
    BySends,
}

/// A program of the BPF object and its attach point.
pub(super) struct Hook {
    pub(super) program: &'static str,
    pub(super) point: AttachPoint,
    pub(super) recovery: Recovery,
}

const fn hook(program: &'static str, point: AttachPoint, recovery: Recovery) -> Hook {
    Hook { program, point, recovery }
}

/// The tracepoint that sees the first bytes of a send (Linux 6.16 and later).
pub(super) const SEND_TRACEPOINT: &str = "tcp_sendmsg_locked";

/// Where processes are followed. Attached before the processes that run already are listed.
const FORK: [&str; 2] = ["task_newtask", "sched_process_fork"];
const EXIT: &str = "sched_process_exit";

/// The tracepoints of every set. Those that create entries come last, so the others are attached before any connection
/// gets its entry. Those of forks are made good by each other, and at the next fork or connect of the child. An exit that
/// is missed leaves a process id, which counts together with the time when its process started.
const BASE: [Hook; 7] = [
    hook("task_created", AttachPoint::Tracepoint(FORK[0]), Recovery::Always),
    hook("process_forked", AttachPoint::Tracepoint(FORK[1]), Recovery::Always),
    hook("process_exited", AttachPoint::Tracepoint(EXIT), Recovery::Always),
    hook("destroy", AttachPoint::Tracepoint("tcp_destroy_sock"), Recovery::BySockops),
    hook("peer_reset", AttachPoint::Tracepoint("tcp_receive_reset"), Recovery::Always),
    hook("receive", AttachPoint::Tracepoint("tcp_rcv_space_adjust"), Recovery::BySends),
    hook("state", AttachPoint::Tracepoint("inet_sock_set_state"), Recovery::BySockops),
];

// All of these recover: a connection with an unseen send in its TLS handshake is marked as not exact, a connect also
// shows in its state change, and closes count nothing.
const TRACEPOINT: [Hook; 1] = [hook("send", AttachPoint::Tracepoint(SEND_TRACEPOINT), Recovery::Always)];
const FENTRY: [Hook; 3] = [
    hook("fentry_send", AttachPoint::Fentry("tcp_sendmsg_locked"), Recovery::Always),
    hook("fentry_pages", AttachPoint::Fentry(SENDPAGE), Recovery::Always),
    hook("fentry_connect", AttachPoint::Fentry(CONNECT), Recovery::Always),
];
const KPROBE: [Hook; 3] = [
    hook("kprobe_send", AttachPoint::Kprobe("tcp_sendmsg_locked"), Recovery::Always),
    hook("kprobe_pages", AttachPoint::Kprobe(SENDPAGE), Recovery::Always),
    hook("kprobe_connect", AttachPoint::Kprobe(CONNECT), Recovery::Always),
];
const SOCKOPS: [Hook; 1] = [hook("lifecycle", AttachPoint::CgroupRoot, Recovery::Always)];

/// The kernel function that sends a SYN.
pub(super) const CONNECT: &str = "tcp_connect";

/// The kernel function behind sendfile and splice until 6.4.
pub(super) const SENDPAGE: &str = "do_tcp_sendpages";

/// How doctor names the tracepoints of every set.
pub(crate) const BASE_KIND: &str = "base-tracepoints";

/// All hooks, by the name of their kind.
pub(super) const KINDS: [(&str, &[Hook]); 5] =
    [(BASE_KIND, &BASE), ("sockops", &SOCKOPS), ("fentry", &FENTRY), ("kprobe", &KPROBE), ("tracepoint", &TRACEPOINT)];

/// Which of the attach points are used that only some kernels have, or only some watches need.
#[derive(Clone, Copy, Debug)]
pub(super) struct OptionalPoints {
    pub(super) send_tracepoint: bool,
    pub(super) sendpage: bool,
    /// Those that follow the descendants of processes.
    pub(super) lineage: bool,
}

impl OptionalPoints {
    /// Whether the attach point is used.
    pub(super) fn include(self, point: AttachPoint) -> bool {
        match point {
            AttachPoint::Fentry(SENDPAGE) | AttachPoint::Kprobe(SENDPAGE) => self.sendpage,
            AttachPoint::Tracepoint(SEND_TRACEPOINT) => self.send_tracepoint,
            AttachPoint::Tracepoint(name) if name == EXIT || FORK.contains(&name) => self.lineage,
            _ => true,
        }
    }
}

/// The hooks of a set that the kernel has attach points for, in the order in which they are attached.
pub(super) fn hooks_of(set: HookSet, points: OptionalPoints) -> impl Iterator<Item = &'static Hook> {
    let members = |is_member: bool, hooks: &'static [Hook]| if is_member { hooks } else { &[] };
    members(set.tracepoint, &TRACEPOINT)
        .iter()
        .chain(members(set.fentry, &FENTRY))
        .chain(members(set.kprobe, &KPROBE))
        .chain(&BASE)
        .chain(members(set.sockops, &SOCKOPS))
        .filter(move |hook| points.include(hook.point))
}

/// The kernel functions that register iterators over TCP sockets and over tasks.
const ITERATORS: [&str; 2] = ["bpf_iter_tcp", "bpf_iter_task"];

/// The attach points that the kernel identifies by a name in its type information.
pub(super) fn btf_names() -> impl Iterator<Item = Named<'static>> {
    let hooks = KINDS.into_iter().flat_map(|(_, hooks)| hooks).filter_map(|hook| match hook.point {
        AttachPoint::Tracepoint(name) => Some((Kind::Tracepoint, name)),
        AttachPoint::Fentry(name) => Some((Kind::Function, name)),
        AttachPoint::Kprobe(_) | AttachPoint::CgroupRoot => None,
    });
    hooks.chain(ITERATORS.map(|name| (Kind::Function, name)))
}

/// Whether a hook of the set sees the first bytes of a send.
pub(super) fn sees_sends(set: HookSet, points: OptionalPoints) -> bool {
    set.fentry || set.kprobe || (set.tracepoint && points.send_tracepoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_is_displayed_in_the_syntax_of_the_option() {
        let set = HookSet { sockops: true, fentry: true, ..HookSet::default() };
        assert_eq!(set.to_string(), "sockops,fentry");
    }

    #[test]
    fn hooks_that_create_entries_are_attached_last() {
        let set = HookSet { sockops: true, fentry: true, kprobe: true, tracepoint: true };
        let points = OptionalPoints { send_tracepoint: true, sendpage: false, lineage: false };
        let programs: Vec<_> = hooks_of(set, points).map(|hook| hook.program).collect();
        assert_eq!(programs[programs.len() - 2..], ["state", "lifecycle"]);
        assert!(!programs.contains(&"fentry_pages") && !programs.contains(&"process_forked"));
        let followed: Vec<_> = hooks_of(set, OptionalPoints { lineage: true, ..points }).collect();
        assert_eq!(followed.len(), programs.len() + 3);
    }
}
