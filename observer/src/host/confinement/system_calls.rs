//! The system calls that a process may still make, by seccomp. Any other fails with EPERM.
//!
//! A list of what is needed, because what is not can do harm: sockets, programs, other processes' memory, new files.

mod helping;
mod running;
#[cfg(test)]
mod tests;
mod watching;

use std::{collections::BTreeMap, io};

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction,
    SeccompCmpArgLen::{Dword, Qword},
    SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, apply_filter,
};

use super::Purpose;

/// The conditions on the arguments of each call, of which one must hold. None: the call is allowed.
type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// Why no filter can be installed: the kernel lacks seccomp, or a container forbids it. None if one can.
pub(super) fn why_unavailable() -> Option<io::Error> {
    let nothing: *const libc::sock_fprog = std::ptr::null();
    // SAFETY: the kernel reads the program before it does anything else (`seccomp_set_mode_filter()`, kernel/seccomp.c),
    // and there is none to read.
    unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, nothing) };
    Some(io::Error::last_os_error()).filter(|error| error.raw_os_error() != Some(libc::EFAULT))
}

pub(super) fn restrict(purpose: Purpose) -> anyhow::Result<()> {
    let rules = match purpose {
        Purpose::Watching => watching::rules()?,
        Purpose::Demonstrating => watching::rules_of_demo()?,
        Purpose::Helping => helping::rules_of_helper()?,
        Purpose::Inspecting => helping::rules_of_inspection()?,
        Purpose::Removing => helping::rules_of_remover(),
        Purpose::Running(command) => running::rules(command)?,
    };
    let architecture = std::env::consts::ARCH.try_into()?;
    let refuse = |errno: i32| SeccompAction::Errno(errno.cast_unsigned());
    let mut filters = Vec::new();
    if rules.contains_key(&libc::SYS_clone3) {
        // The flags of clone3(2) are in memory, which a filter cannot read. glibc falls back to clone(2) if it does not
        // exist. Where two filters disagree, the kernel takes the refusal.
        let clone3 = unconditional(&[&[libc::SYS_clone3]]);
        filters.push(SeccompFilter::new(clone3, SeccompAction::Allow, refuse(libc::ENOSYS), architecture)?);
    }
    filters.push(SeccompFilter::new(rules, refuse(libc::EPERM), SeccompAction::Allow, architecture)?);
    // All are compiled before the first one applies.
    let programs = filters.into_iter().map(BpfProgram::try_from).collect::<Result<Vec<_>, _>>()?;
    programs.iter().try_for_each(|program| Ok(apply_filter(program)?))
}

fn unconditional(lists: &[&[c_long]]) -> Rules {
    lists.concat().into_iter().map(|call| (call, Vec::new())).collect()
}

/// The argument is one of these values.
fn one_of(argument: u8, values: &[u64]) -> anyhow::Result<Vec<SeccompRule>> {
    let rule = |value: &u64| -> anyhow::Result<SeccompRule> {
        Ok(SeccompRule::new(vec![SeccompCondition::new(argument, Dword, SeccompCmpOp::Eq, *value)?])?)
    };
    values.iter().map(rule).collect()
}

/// The argument has none of these bits.
fn without(argument: u8, bits: u64) -> anyhow::Result<Vec<SeccompRule>> {
    Ok(vec![SeccompRule::new(vec![SeccompCondition::new(argument, Qword, SeccompCmpOp::MaskedEq(bits), 0)?])?])
}
