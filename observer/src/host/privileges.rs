//! What a watch needs to be allowed, asked before anything is opened.

use std::{env, fs, io, os::unix::fs::MetadataExt as _};

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs};

use crate::exit::NotPermitted;

const NEEDED: [(CapabilitySet, &str); 3] = [
    (CapabilitySet::BPF, "CAP_BPF"),
    (CapabilitySet::PERFMON, "CAP_PERFMON"),
    (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"),
];

/// Whether this process has a capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holding {
    Held,
    /// CAP_SYS_ADMIN stands in for CAP_BPF and CAP_PERFMON (include/linux/capability.h, `bpf_capable()` and
    /// `perfmon_capable()`, since 5.8).
    BySysAdmin,
    Missing,
}

/// Each capability that programs and maps need, and whether it is there.
pub(crate) fn holdings() -> anyhow::Result<[(&'static str, Holding); 3]> {
    let effective = capabilities(None)?.effective;
    let is_admin = effective.contains(CapabilitySet::SYS_ADMIN);
    Ok(NEEDED.map(|(capability, name)| {
        let holding = if effective.contains(capability) {
            Holding::Held
        } else if is_admin && capability != CapabilitySet::NET_ADMIN {
            Holding::BySysAdmin
        } else {
            Holding::Missing
        };
        (name, holding)
    }))
}

/// What is missing of what programs and maps need; CAP_NET_ADMIN only counts `for_sockops`.
fn missing(for_sockops: bool) -> anyhow::Result<Vec<&'static str>> {
    let is_needed = |name: &str| for_sockops || name != "CAP_NET_ADMIN";
    let missing = holdings()?.into_iter().filter(|(name, holding)| *holding == Holding::Missing && is_needed(name));
    Ok(missing.map(|(name, _)| name).collect())
}

/// Inode of the initial user namespace (include/linux/proc_ns.h, `PROC_USER_INIT_INO`). The kernel asks for capabilities
/// in that one (`bpf_capable()` and `perfmon_capable()` are `capable()`).
const INITIAL_USER_NAMESPACE: u64 = 0xEFFF_FFFD;

/// Whether capabilities count here.
pub(crate) fn in_initial_user_namespace() -> io::Result<bool> {
    Ok(fs::metadata("/proc/self/ns/user")?.ino() == INITIAL_USER_NAMESPACE)
}

/// Refuses where programs cannot be loaded; `for_sockops` when they have to include sock_ops.
pub(crate) fn check(for_sockops: bool) -> anyhow::Result<()> {
    if missing(for_sockops)?.is_empty() {
        // An answer that cannot be had is no refusal.
        if in_initial_user_namespace().unwrap_or(true) {
            return Ok(());
        }
        return Err(NotPermitted(
            "not permitted: capabilities in a user namespace of one's own do not count for watching the kernel; run \
             it outside (of the rootless container, of unshare)"
                .into(),
        )
        .into());
    }
    Err(NotPermitted(format!(
        "not permitted: watching the kernel needs {}, which this process does not have; run: {}",
        missing(true)?.join(", "),
        command_with_sudo()
    ))
    .into())
}

/// Whether sock_ops may be loaded.
pub(crate) fn has_net_admin() -> bool {
    missing(true).is_ok_and(|without| !without.contains(&"CAP_NET_ADMIN"))
}

/// Gives up every privilege for good: what is open stays usable. On old kernels every bpf() call needs CAP_BPF (until
/// 5.19, kernel/bpf/syscall.c, `__sys_bpf`, where `unprivileged_bpf_disabled` is set): `works`, which makes one, tells,
/// and then that one is kept.
///
/// Capabilities are those of a thread, and new threads get them: this must come before any is started that stays.
pub(crate) fn give_up(works: impl FnOnce() -> bool) -> anyhow::Result<()> {
    set_no_new_privs(true)?;
    let none = CapabilitySet::empty();
    let permitted = capabilities(None)?.permitted & CapabilitySet::BPF;
    let set = |effective, permitted| set_capabilities(None, CapabilitySets { effective, permitted, inheritable: none });
    set(none, permitted)?;
    if works() {
        set(none, none)?;
    } else {
        log::info!("CAP_BPF is kept: this kernel asks for it at every access to a map");
        set(permitted, permitted)?;
    }
    Ok(())
}

/// This command, with sudo before it.
pub(crate) fn command_with_sudo() -> String {
    let mut words = vec!["sudo".to_string()];
    let mut arguments = env::args();
    let program = arguments.next().unwrap_or_else(|| env!("CARGO_PKG_NAME").into());
    // sudo has a PATH of its own: a bare name that it would not find is no help.
    words.push(if program.contains('/') { program } else { full_path().unwrap_or(program) });
    words.extend(arguments.map(|argument| quoted(&argument)));
    words.join(" ")
}

fn full_path() -> Option<String> {
    let path = fs::read_link("/proc/self/exe").ok()?.into_os_string().into_string().ok()?;
    let in_path_of_sudo = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .any(|folder| path.strip_prefix(folder).is_some_and(|name| name.rfind('/') == Some(0)));
    (!in_path_of_sudo).then_some(path)
}

/// An argument as a shell takes it.
fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        argument.into()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        assert_eq!(quoted("--port=8080,90-91"), "--port=8080,90-91");
        assert_eq!(quoted("my server"), "'my server'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
