//! What a watch needs to be allowed, asked before anything is opened.

use std::{env, fs};

use rustix::thread::{CapabilitySet, capabilities};

use crate::exit::NotPermitted;

const NEEDED: [(CapabilitySet, &str); 3] = [
    (CapabilitySet::BPF, "CAP_BPF"),
    (CapabilitySet::PERFMON, "CAP_PERFMON"),
    (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"),
];

/// What is missing of what programs and maps need. CAP_SYS_ADMIN stands in for CAP_BPF and CAP_PERFMON
/// (include/linux/capability.h, `bpf_capable()` and `perfmon_capable()`, since 5.8).
fn missing(for_sockops: bool) -> anyhow::Result<Vec<&'static str>> {
    let effective = capabilities(None)?.effective;
    let is_admin = effective.contains(CapabilitySet::SYS_ADMIN);
    Ok(NEEDED
        .into_iter()
        .filter(|(capability, _)| {
            let is_net_admin = *capability == CapabilitySet::NET_ADMIN;
            !effective.contains(*capability) && if is_net_admin { for_sockops } else { !is_admin }
        })
        .map(|(_, name)| name)
        .collect())
}

/// Refuses where programs cannot be loaded; `for_sockops` when they have to include sock_ops.
pub(super) fn check(for_sockops: bool) -> anyhow::Result<()> {
    let without = missing(for_sockops)?;
    if without.is_empty() {
        return Ok(());
    }
    Err(NotPermitted(format!(
        "not permitted: watching the kernel needs {}, which this process does not have; run: {}",
        without.join(", "),
        command_with_sudo()
    ))
    .into())
}

/// Whether sock_ops may be loaded.
pub(super) fn has_net_admin() -> bool {
    missing(true).is_ok_and(|without| !without.contains(&"CAP_NET_ADMIN"))
}

/// This command, with sudo before it.
fn command_with_sudo() -> String {
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
