//! The privileges that a watch needs: checked before anything is attached, and dropped afterwards.

use std::{env, ffi::OsStr, fs, io, os::unix::ffi::OsStrExt as _};

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs};

use super::namespaces::Namespace;
use crate::exit::NotPermitted;

const NEEDED: [(CapabilitySet, &str); 3] = [
    (CapabilitySet::BPF, "CAP_BPF"),
    (CapabilitySet::PERFMON, "CAP_PERFMON"),
    (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"),
];

/// Whether this process has a capability, or one that includes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CapabilityState {
    Held,
    /// CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON (include/linux/capability.h, `bpf_capable()` and
    /// `perfmon_capable()`, since 5.8).
    BySysAdmin,
    Missing,
}

/// The capabilities that programs and maps need.
pub(crate) fn capability_states() -> anyhow::Result<[(&'static str, CapabilityState); 3]> {
    let effective = capabilities(None)?.effective;
    let is_admin = effective.contains(CapabilitySet::SYS_ADMIN);
    Ok(NEEDED.map(|(capability, name)| {
        let state = if effective.contains(capability) {
            CapabilityState::Held
        } else if is_admin && capability != CapabilitySet::NET_ADMIN {
            CapabilityState::BySysAdmin
        } else {
            CapabilityState::Missing
        };
        (name, state)
    }))
}

/// The missing capabilities. CAP_NET_ADMIN is only needed `for_sockops`.
fn missing(for_sockops: bool) -> anyhow::Result<Vec<&'static str>> {
    let is_needed = |name: &str| for_sockops || name != "CAP_NET_ADMIN";
    let is_missing = |(name, state): &(&str, CapabilityState)| *state == CapabilityState::Missing && is_needed(name);
    let missing = capability_states()?.into_iter().filter(is_missing);
    Ok(missing.map(|(name, _)| name).collect())
}

/// Fails with [`NotPermitted`] if this process cannot load programs. `for_sockops`: they include sock_ops.
pub(crate) fn check(for_sockops: bool) -> anyhow::Result<()> {
    if missing(for_sockops)?.is_empty() {
        // The kernel checks for capabilities in the initial user namespace (`bpf_capable()` and `perfmon_capable()` call
        // `capable()`). An unreadable namespace is not a reason to refuse.
        if Namespace::User.is_initial().unwrap_or(true) {
            return Ok(());
        }
        return Err(NotPermitted(
            "not permitted: the kernel ignores capabilities that were granted in a user namespace; run it outside the \
             rootless container or unshare"
                .into(),
        )
        .into());
    }
    Err(NotPermitted(format!(
        "not permitted: watching the kernel needs {}; run: {}",
        missing(true)?.join(", "),
        command_with_sudo()
    ))
    .into())
}

/// Whether this process may load sock_ops programs.
pub(crate) fn has_net_admin() -> bool {
    missing(true).is_ok_and(|without| !without.contains(&"CAP_NET_ADMIN"))
}

/// Drops every privilege for good. Open files, maps and programs stay usable.
///
/// Keeps CAP_BPF if `can_read_maps` fails without it: until 5.19, every bpf() call needs it if
/// `unprivileged_bpf_disabled` is set (kernel/bpf/syscall.c, `__sys_bpf`).
///
/// Capabilities belong to threads, and new threads inherit them. So this must run before any longer-lived thread is
/// started.
pub(crate) fn drop_all(can_read_maps: impl FnOnce() -> bool) -> anyhow::Result<()> {
    let none = CapabilitySet::empty();
    let permitted = capabilities(None)?.permitted & CapabilitySet::BPF;
    set_capabilities(None, CapabilitySets { effective: none, permitted, inheritable: none })?;
    let is_needed = !can_read_maps();
    if is_needed {
        log::info!("keeping CAP_BPF: this kernel requires it for every map access");
    }
    Ok(keep_only(if is_needed { permitted } else { none })?)
}

/// Drops every capability but these for good. No program that this process could run gives it any.
pub(crate) fn keep_only(kept: CapabilitySet) -> io::Result<()> {
    set_no_new_privs(true)?;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    Ok(set_capabilities(None, sets)?)
}

/// This command line, run by sudo.
pub(crate) fn command_with_sudo() -> String {
    let mut words = vec!["sudo".to_string()];
    let mut arguments = env::args_os();
    let program = arguments.next().map_or_else(|| env!("CARGO_PKG_NAME").into(), |program| quote(&program));
    // sudo uses its own PATH, so a program outside it needs its full path.
    words.push(if program.contains('/') { program } else { full_path().unwrap_or(program) });
    words.extend(arguments.map(|argument| quote(&argument)));
    words.join(" ")
}

fn full_path() -> Option<String> {
    let path = fs::read_link("/proc/self/exe").ok()?.into_os_string().into_string().ok()?;
    let in_path_of_sudo = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .any(|directory| path.strip_prefix(directory).is_some_and(|name| name.rfind('/') == Some(0)));
    (!in_path_of_sudo).then_some(path)
}

/// Quotes an argument for a shell. Bytes that are not UTF-8 are escaped, as bash and zsh read them.
fn quote(argument: &OsStr) -> String {
    let Some(argument) = argument.to_str() else {
        return format!("$'{}'", argument.as_bytes().escape_ascii());
    };
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
        let quoted = |argument: &[u8]| quote(OsStr::from_bytes(argument));
        assert_eq!(quoted(b"--port=8080,90-91"), "--port=8080,90-91");
        assert_eq!(quoted(b"my server"), "'my server'");
        assert_eq!(quoted(b"it's"), r"'it'\''s'");
        assert_eq!(quoted(b""), "''");
        assert_eq!(quoted(b"\xff'\n"), r"$'\xff\'\n'");
    }
}
