//! Waiting for the kernel: the ring buffer and the log of the programs become readable when they hold something.

use std::os::fd::AsRawFd;

use anyhow::Context as _;
use tokio::io::{Interest, unix::AsyncFd};

pub(super) fn readable<T: AsRawFd>(inner: T) -> anyhow::Result<AsyncFd<T>> {
    // SAFETY: `inner` owns its file descriptor, which stays open and unchanged as long as `inner` lives.
    unsafe { AsyncFd::register_with_interest(inner, Interest::READABLE) }
        .map_err(|error| error.into_parts().1)
        .context("cannot wait for events from the kernel")
}
