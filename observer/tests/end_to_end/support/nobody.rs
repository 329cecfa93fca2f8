//! What is run by somebody without any privileges.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
    process::Command,
};

use tempfile::{TempDir, tempdir};

use super::{programs::program, tool::PROGRAM};

/// `nobody`, for servers that refuse to be root.
pub(crate) const USER: u32 = 65534;

pub(crate) fn give_away(path: &Path) {
    chown(path, Some(USER), Some(USER)).expect("it can be given away");
}

/// A folder with the tool that everybody may run. Where cargo builds, they perhaps may not.
pub(crate) fn for_everybody() -> (TempDir, String) {
    let folder = tempdir().expect("a folder can be made");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("a folder can be opened to all");
    let copy = folder.path().join("tcp-reuse-watch");
    fs::copy(PROGRAM, &copy).expect("the program can be copied");
    let path = copy.to_str().expect("the path is plain").to_owned();
    (folder, path)
}

pub(crate) fn as_nobody(tool: &str, arguments: &str) -> Command {
    let mut command = program("setpriv", "util-linux");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", tool]).args(arguments.split_whitespace());
    command.current_dir("/");
    command
}
