//! Which programs hang where, how they are attached and taken out, and what their being skipped means.

use std::{
    fmt, fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use anyhow::{Context as _, anyhow};
use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, CgroupAttachMode, Program, SockOps, sock_ops::SockOpsLink, tp_btf::BtfTracePointLink},
};

use super::CgroupRoot;

/// Where the handlers hang. Receives, resets and the end of a socket are seen by tracepoints in every set, and so are
/// changes of state, beside sock_ops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HookSet {
    /// Connects and changes of state, exactly.
    pub(crate) sockops: bool,
    /// Sends, by their tracepoint.
    pub(crate) tracepoint: bool,
}

impl HookSet {
    pub(crate) fn names(self) -> Vec<&'static str> {
        [(self.sockops, "sockops"), (self.tracepoint, "tracepoint")]
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

const SOCKOPS: &str = "lifecycle";

/// A program on a tracepoint. In the table those that create entries come last: what has an entry is seen by all the others.
struct Tracepoint {
    program: &'static str,
    name: &'static str,
    recovery: Recovery,
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

/// The tracepoint that sees the first bytes of a send, where there is one (6.16).
pub(super) const SEND_TRACEPOINT: &str = "tcp_sendmsg_locked";

const TRACEPOINTS: [Tracepoint; 6] = [
    Tracepoint { program: "destroy", name: "tcp_destroy_sock", recovery: Recovery::BySockops },
    Tracepoint { program: "peer_reset", name: "tcp_receive_reset", recovery: Recovery::Always },
    Tracepoint { program: "own_reset", name: "tcp_send_reset", recovery: Recovery::Always },
    Tracepoint { program: "receive", name: "tcp_rcv_space_adjust", recovery: Recovery::BySends },
    // A send of a TLS handshake that was not seen marks its connection as not exact.
    Tracepoint { program: "send", name: SEND_TRACEPOINT, recovery: Recovery::Always },
    Tracepoint { program: "state", name: "inet_sock_set_state", recovery: Recovery::BySockops },
];

/// What keeps the programs attached. Dropping it takes them out; they stay loaded, and their counters readable.
pub(super) struct Links {
    _tracepoints: Vec<BtfTracePointLink>,
    _sockops: Option<SockOpsLink>,
}

/// Attaches every program of the set.
pub(super) fn attach(ebpf: &mut Ebpf, btf: &Btf, sees_sends: bool, root: Option<&CgroupRoot>) -> anyhow::Result<Links> {
    let mut tracepoints = Vec::new();
    for Tracepoint { program, name, .. } in &TRACEPOINTS {
        if *name == SEND_TRACEPOINT && !sees_sends {
            continue;
        }
        let program: &mut BtfTracePoint =
            ebpf.program_mut(program).ok_or_else(|| anyhow!("the BPF object has no program {program}"))?.try_into()?;
        program.load(name, btf).with_context(|| format!("cannot load the program for tracepoint {name}"))?;
        let link = program.attach().with_context(|| format!("cannot attach to tracepoint {name}"))?;
        tracepoints.push(program.take_link(link)?);
    }
    let mut sockops = None;
    if let Some(root) = root {
        let program: &mut SockOps =
            ebpf.program_mut(SOCKOPS).ok_or_else(|| anyhow!("the BPF object has no program {SOCKOPS}"))?.try_into()?;
        program.load().context("cannot load the sock_ops program")?;
        let link = program
            .attach(root, CgroupAttachMode::Single)
            .context("cannot attach sock_ops to the root of cgroup v2")?;
        sockops = Some(program.take_link(link)?);
    }
    Ok(Links { _tracepoints: tracepoints, _sockops: sockops })
}

/// How often the kernel skipped one of the programs, and how often nothing else made it good. Lower bounds: the kernel
/// counts on a best effort.
pub(super) fn skips(ebpf: &Ebpf, sees_sends: bool, has_sockops: bool) -> (u64, u64) {
    let mut all = 0;
    let mut unrecovered = 0;
    for Tracepoint { program, recovery, .. } in &TRACEPOINTS {
        let Some(Program::BtfTracePoint(program)) = ebpf.program(program) else { continue };
        let Ok(fd) = program.fd() else { continue };
        let misses = recursion_misses(fd.as_fd().as_raw_fd());
        all += misses;
        let is_recovered = match recovery {
            Recovery::Always => true,
            Recovery::BySockops => has_sockops,
            Recovery::BySends => sees_sends,
        };
        if !is_recovered {
            unrecovered += misses;
        }
    }
    (all, unrecovered)
}

/// What the kernel shows of a program in /proc (`bpf_prog_show_fdinfo()`, `recursion_misses` since 5.12).
fn recursion_misses(fd: i32) -> u64 {
    fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok().as_deref().and_then(parse_misses).unwrap_or(0)
}

fn parse_misses(fdinfo: &str) -> Option<u64> {
    fdinfo.lines().find_map(|line| line.strip_prefix("recursion_misses:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_are_read_from_fdinfo() {
        let fdinfo = "pos:\t0\nflags:\t02000002\nprog_type:\t26\nrun_cnt:\t0\nrecursion_misses:\t17\n";
        assert_eq!(parse_misses(fdinfo), Some(17));
        assert_eq!(parse_misses("pos:\t0\n"), None);
    }

    #[test]
    fn the_hooks_are_named_as_they_are_chosen() {
        assert_eq!(HookSet { sockops: true, tracepoint: true }.to_string(), "sockops,tracepoint");
    }
}
