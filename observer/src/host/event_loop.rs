//! The single-threaded event loop of a command or a thread.

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};

pub(crate) fn event_loop() -> anyhow::Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot start the event loop")
}
