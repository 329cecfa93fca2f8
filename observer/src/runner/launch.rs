//! Starts the command: forks it, lets it wait for the start of the watch, and executes it.

use std::{
    ffi::OsString,
    io::{self, Read as _, Write as _},
    os::unix::{net::UnixStream, process::CommandExt as _},
    process::{Child, Command, id},
};

use super::{Account, messages::GO};

/// Forks the command. Returns when it has been executed, or with the error for which it could not be. That is
/// [`io::ErrorKind::UnexpectedEof`] if the watch has ended before it began.
///
/// `ignores_children`: SIGCHLD was ignored when the tool was started, so the command ignores it too.
pub(super) fn launch(
    argv: &[OsString],
    account: Option<Account>,
    ignores_children: bool,
    watch: &UnixStream,
) -> io::Result<Child> {
    let (program, arguments) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(account) = &account {
        account.set_environment(&mut command);
    }
    let mut watch = watch.try_clone()?;
    let wait = move || {
        watch.write_all(&id().to_ne_bytes())?;
        let mut go = [0];
        watch.read_exact(&mut go)?;
        if go != [GO] {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if ignores_children {
            // SAFETY: SIG_IGN installs no handler.
            unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        }
        account.as_ref().map_or(Ok(()), Account::assume)
    };
    // SAFETY: this process has a single thread, so the child may do what its parent may, such as allocate memory.
    unsafe { command.pre_exec(wait) }.spawn()
}
