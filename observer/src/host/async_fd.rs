//! Waiting until a file becomes readable: the ring buffer, the log of the programs, the socket of the runner.

use std::os::fd::AsRawFd;

use anyhow::Context as _;
use tokio::io::{Interest, unix::AsyncFd};

pub(crate) fn readable<T: AsRawFd>(inner: T) -> anyhow::Result<AsyncFd<T>> {
    // SAFETY: `inner` owns its file descriptor, which stays open and unchanged as long as `inner` lives.
    unsafe { AsyncFd::register_with_interest(inner, Interest::READABLE) }
        .map_err(|error| error.into_parts().1)
        .context("cannot wait for a file to become readable")
}
