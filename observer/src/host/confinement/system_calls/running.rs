//! What the process needs that runs a command: to wait for it, to pass signals on to it, and to report its end.

use libc::c_long;
use rustix::process::Pid;

use super::{Rules, one_of, unconditional};

const RUNNING: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_close,
    libc::SYS_exit_group,
    libc::SYS_getrusage,
    libc::SYS_munmap,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_recvfrom,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigreturn,
    libc::SYS_sendto,
    libc::SYS_wait4,
    libc::SYS_write,
];

/// What only older architectures have.
#[cfg(target_arch = "x86_64")]
const RUNNING_OF_OLD: &[c_long] = &[libc::SYS_poll];
#[cfg(not(target_arch = "x86_64"))]
const RUNNING_OF_OLD: &[c_long] = &[];

pub(super) fn rules(command: Pid) -> anyhow::Result<Rules> {
    let mut rules = unconditional(&[RUNNING, RUNNING_OF_OLD]);
    // Nobody but the command is signalled.
    rules.insert(libc::SYS_kill, one_of(0, &[u64::try_from(command.as_raw_nonzero().get())?])?);
    Ok(rules)
}
