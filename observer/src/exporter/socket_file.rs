//! The socket file of `--metrics unix:PATH`: replaces a stale one, leaves everything else alone, and is removed at the
//! end.

use std::{
    os::unix::{ffi::OsStrExt as _, net::UnixListener},
    path::Path,
};

use anyhow::{Context as _, bail};
use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat, unlinkat},
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with},
    process::umask,
};

use crate::helper::Remover;

/// Read and write for the owner and the group. To connect takes the right to write (unix(7)).
const MODE: Mode = Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP).union(Mode::WGRP);

/// Listens at the path. The file is removed once the remover is dropped or this process has ended.
///
/// Must be called before other threads are started, because the umask belongs to the process, and before privileges are
/// dropped.
pub(super) fn bind(path: &Path) -> anyhow::Result<(UnixListener, Remover)> {
    let name = path.file_name().context("the path has no file name")?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let directory = openat(CWD, directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .context("cannot open its directory")?;
    match statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => {}
        Err(error) => bail!(error),
        Ok(stat) => {
            let kind = FileType::from_raw_mode(stat.st_mode);
            if kind != FileType::Socket {
                bail!("there is {} already", in_words(kind));
            }
            check_stale(path)?;
            unlinkat(&directory, name, AtFlags::empty()).context("cannot remove the stale socket")?;
        }
    }
    // bind(2) creates the file. It does not follow a symbolic link (net/unix/af_unix.c, `unix_bind_bsd()`).
    let umask_before = umask(MODE.complement() & Mode::RWXU.union(Mode::RWXG).union(Mode::RWXO));
    let listener = UnixListener::bind(path);
    umask(umask_before);
    let listener = listener?;
    match Remover::start(&directory, name) {
        Ok(remover) => Ok((listener, remover)),
        Err(error) => {
            let _ = unlinkat(&directory, name, AtFlags::empty());
            Err(error)
        }
    }
}

/// Fails unless nobody listens at this socket any more.
fn check_stale(path: &Path) -> anyhow::Result<()> {
    let address = SocketAddrUnix::new(path.as_os_str().as_bytes())?;
    // Non-blocking: a full queue of connections must not block the start.
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match connect(&socket, &address) {
        Err(Errno::CONNREFUSED) => Ok(()),
        // PROTOTYPE: it is a socket of another type.
        Ok(()) | Err(Errno::AGAIN | Errno::PROTOTYPE) => bail!("the socket is in use by another process"),
        Err(error) => Err(error).context("cannot tell whether the socket there is in use"),
    }
}

fn in_words(kind: FileType) -> &'static str {
    match kind {
        FileType::Symlink => "a symbolic link",
        FileType::Directory => "a directory",
        FileType::RegularFile => "a file",
        _ => "a special file",
    }
}
