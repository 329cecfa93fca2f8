//! What SECURITY.md says about the tool, tried on running processes. `tests/claims.rs` has the test of each sentence.

mod identities;
mod openings;
mod payload;
mod privileges;
mod system_calls;
mod without_seccomp;

use std::{fs, process::Command};

use tempfile::{TempDir, tempdir};

use crate::support::{helper::children_of, machine::Machine, programs::program, watch::Watch};

/// A watch with all the processes that it may have.
struct Processes<'a> {
    watch: Watch<'a>,
    helper: u32,
    remover: u32,
    /// Of the metrics' socket.
    folder: TempDir,
}

impl<'a> Processes<'a> {
    fn start(machine: &'a Machine) -> Self {
        let folder = tempdir().expect("cannot create a directory");
        let socket = folder.path().join("metrics.sock");
        let watch = machine.watch(format!("-p 9 --metrics unix:{}", socket.display()));
        let named = |name: &str| {
            let name_of = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let child = children_of(watch.tool.id()).into_iter().find(|pid| name_of(pid).trim_end() == name);
            child.unwrap_or_else(|| panic!("no child has the name {name}"))
        };
        let (helper, remover) = (named("reuse-helper"), named("reuse-remover"));
        Self { watch, helper, remover, folder }
    }

    fn watch(&self) -> u32 {
        self.watch.tool.id()
    }
}

/// A command line of this user without capabilities.
fn as_user(uid: u32, words: &[&str]) -> Command {
    let mut setpriv = program("setpriv", "util-linux");
    setpriv.args([format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".into()]).args(words);
    setpriv.current_dir("/");
    setpriv
}
