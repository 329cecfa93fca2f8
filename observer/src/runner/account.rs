//! The account that a command runs as: that of `--run-as`, or under sudo that of the caller. Otherwise the command keeps
//! the credentials of this process.

use std::{env, ffi::CString, io, path::PathBuf, process::Command};

use nix::unistd::{Gid, Uid, User, getgrouplist};
use rustix::{
    process::geteuid,
    thread::{CapabilitySet, capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

/// What sudo says of its caller, which is not true of the command.
const OF_SUDO: [&str; 5] = ["SUDO_COMMAND", "SUDO_GID", "SUDO_UID", "SUDO_USER", "MAIL"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    name: String,
    home: PathBuf,
    shell: PathBuf,
}

impl Account {
    /// The account with this name or user id.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let user = match name.parse() {
            Ok(uid) => User::from_uid(Uid::from_raw(uid)),
            Err(_) => User::from_name(name),
        };
        match user {
            Ok(Some(user)) => Self::of(user).map_err(|error| format!("cannot find the groups of '{name}': {error}")),
            Ok(None) => Err(format!("no user '{name}'; `getent passwd` lists them")),
            Err(error) => Err(format!("cannot look up the user '{name}': {error}")),
        }
    }

    /// The account of the user who called sudo. None if there is no sudo, or if that was root.
    pub(crate) fn of_caller() -> io::Result<Option<Self>> {
        let variable = |name: &str| env::var(name).ok();
        let id = |name: &str| variable(name)?.parse::<u32>().ok().filter(|id| *id != u32::MAX);
        let Some(uid) = id("SUDO_UID").filter(|uid| *uid != 0 && geteuid().is_root()) else { return Ok(None) };
        if let Some(user) = User::from_uid(Uid::from_raw(uid))? {
            return Self::of(user).map(Some);
        }
        // An account of another machine, as in some containers.
        let gid = Gid::from_raw(id("SUDO_GID").unwrap_or(uid));
        let name = variable("SUDO_USER").unwrap_or_else(|| uid.to_string());
        let (home, shell) = (PathBuf::from("/"), PathBuf::from("/bin/sh"));
        Ok(Some(Self { uid: Uid::from_raw(uid), gid, groups: vec![gid], name, home, shell }))
    }

    fn of(user: User) -> io::Result<Self> {
        let User { uid, gid, name, dir: home, shell, .. } = user;
        let groups = getgrouplist(&CString::new(name.as_bytes())?, gid)?;
        Ok(Self { uid, gid, groups, name, home, shell })
    }

    /// Whether this process may become it.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let needed = CapabilitySet::SETUID | CapabilitySet::SETGID;
        anyhow::ensure!(
            capabilities(None)?.effective.contains(needed),
            "cannot run the command as {}: CAP_SETUID and CAP_SETGID are missing",
            self.name
        );
        Ok(())
    }

    /// Sets the variables that name it.
    pub(super) fn set_environment(&self, command: &mut Command) {
        for name in OF_SUDO {
            command.env_remove(name);
        }
        command.env("HOME", &self.home).env("SHELL", &self.shell).env("USER", &self.name).env("LOGNAME", &self.name);
    }

    /// Makes this process run as it, for good.
    pub(super) fn assume(&self) -> io::Result<()> {
        let gid = rustix::process::Gid::from_raw(self.gid.as_raw());
        let uid = rustix::process::Uid::from_raw(self.uid.as_raw());
        let groups: Vec<_> = self.groups.iter().map(|group| rustix::process::Gid::from_raw(group.as_raw())).collect();
        // This process has a single thread: these calls change the identity of the calling one only.
        set_thread_groups(&groups)?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name_and_id() {
        let root = Account::named("root").unwrap();
        assert_eq!((root.uid.as_raw(), root.home.to_str()), (0, Some("/root")));
        assert_eq!(Account::named("0").unwrap(), root);
        assert!(Account::named("no-such-user").unwrap_err().contains("no-such-user"));
    }
}
