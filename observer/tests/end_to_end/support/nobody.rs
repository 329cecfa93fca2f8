//! Commands that run as an unprivileged user.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
    process::Command,
};

use tempfile::{TempDir, tempdir};

use super::{
    programs::{output_of, program},
    tool::PROGRAM,
};

/// The uid of `nobody`, for servers that refuse to run as root.
pub(crate) const NOBODY: u32 = 65534;

pub(crate) fn chown_to_nobody(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).expect("cannot change the owner");
}

/// A world-readable directory with a copy of the tool: other users may not have access to cargo's target directory.
pub(crate) fn world_executable_tool() -> (TempDir, String) {
    let folder = tempdir().expect("cannot create a directory");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("cannot set the permissions");
    let copy = folder.path().join("tcp-reuse-watch");
    fs::copy(PROGRAM, &copy).expect("cannot copy the program");
    let path = copy.to_str().expect("the path is UTF-8").to_owned();
    (folder, path)
}

pub(crate) fn as_nobody(tool: &str, arguments: &str) -> Command {
    let mut command = program("setpriv", "util-linux");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", tool]).args(arguments.split_whitespace());
    command.current_dir("/");
    command
}

/// Changes the soft limit of a watch that has become nobody. Another user, even root, needs CAP_SYS_RESOURCE for that.
pub(crate) fn limit_open_files(pid: u32, files: u64) {
    output_of(&mut as_nobody("prlimit", &format!("--pid {pid} --nofile={files}:")));
}
