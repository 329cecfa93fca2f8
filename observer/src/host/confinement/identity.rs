//! The user and groups that a watch runs as once it is attached: those of the user who called sudo, else nobody.

use std::env;

use rustix::{
    io,
    process::{Gid, Uid, geteuid},
    thread::{CapabilitySet, CapabilitySets, capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

/// The user and the group for nobody in particular (`overflowuid` and `overflowgid`, kernel/sys.c).
const NOBODY: u32 = 65_534;

/// Leaves root's user id, group id and supplementary groups. Another user keeps its own. Without CAP_SETUID and CAP_SETGID,
/// as in many containers, root's user id stays, without any capability.
pub(super) fn give_up_root() -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let Some((uid, gid)) = next()? else {
        log::info!("keeping user id 0: CAP_SETUID or CAP_SETGID is missing");
        return Ok(());
    };
    // This process has a single thread: these calls change the identity of the calling one only.
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)
}

/// Lets the watch signal this process after it has given up root's user id, and the kernel in its place when it dies
/// (`kill_ok_by_cred()`, kernel/signal.c): gives this process the same real and saved user id. It goes on reading files as
/// root.
pub(crate) fn let_watch_signal() -> io::Result<()> {
    match next()? {
        Some((uid, _)) if geteuid().is_root() => set_thread_res_uid(uid, None, uid),
        _ => Ok(()),
    }
}

/// The identity that root takes. None: it lacks the capabilities for that.
fn next() -> io::Result<Option<(Uid, Gid)>> {
    let CapabilitySets { effective, .. } = capabilities(None)?;
    let (uid, gid) = unprivileged(|name| env::var(name).ok());
    Ok(effective
        .contains(CapabilitySet::SETUID | CapabilitySet::SETGID)
        .then(|| (Uid::from_raw(uid), Gid::from_raw(gid))))
}

/// The user and the group of sudo's caller, in an environment that has them. Root is nobody.
fn unprivileged(variable: impl Fn(&str) -> Option<String>) -> (u32, u32) {
    let id = |name| variable(name)?.parse().ok().filter(|id| *id != 0 && *id != u32::MAX);
    match id("SUDO_UID") {
        Some(uid) => (uid, id("SUDO_GID").unwrap_or(NOBODY)),
        None => (NOBODY, NOBODY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caller_of_sudo_is_found_and_root_is_nobody() {
        let of = |uid: Option<&str>, gid: Option<&str>| {
            let (uid, gid) = (uid.map(str::to_owned), gid.map(str::to_owned));
            unprivileged(|name| if name == "SUDO_UID" { uid.clone() } else { gid.clone() })
        };
        assert_eq!(of(Some("1000"), Some("100")), (1000, 100));
        assert_eq!(of(Some("1000"), None), (1000, NOBODY));
        for uid in [None, Some("0"), Some("-1"), Some("4294967295"), Some("root")] {
            assert_eq!(of(uid, Some("100")), (NOBODY, NOBODY), "{uid:?}");
        }
        assert_eq!(of(Some("1000"), Some("0")), (1000, NOBODY));
    }
}
