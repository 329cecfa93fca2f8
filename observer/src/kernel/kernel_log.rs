//! Forwards the rare diagnostics of the BPF programs (aya-log) to the log of `-v`.

use anyhow::Context as _;
use aya::Ebpf;
use aya_log::EbpfLogger;
use tokio::io::unix::AsyncFd;

use crate::host::async_fd::readable;

pub(crate) struct KernelLog(AsyncFd<EbpfLogger<&'static dyn log::Log>>);

impl KernelLog {
    pub(super) fn new(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let logger = EbpfLogger::init(ebpf).context("cannot read the log of the BPF programs")?;
        Ok(Self(readable(logger)?))
    }

    /// Waits for messages and forwards them to the log. Cancel-safe.
    pub(crate) async fn forward(&mut self) {
        match self.0.readable_mut().await {
            Ok(mut ready) => {
                ready.get_inner_mut().flush();
                ready.clear_ready();
            }
            Err(error) => {
                log::warn!("cannot read the log of the BPF programs: {error}");
                std::future::pending::<()>().await;
            }
        }
    }
}
