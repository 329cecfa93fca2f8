//! `--metrics`: serves the series of a watch to Prometheus. A scrape gets the last sample, which is usually less than a
//! second old. The cost of a scrape depends on the number of series, not on traffic.

#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod negotiate;
mod page;
mod respond;
mod server;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    thread,
};

use anyhow::Context as _;
use rustix::io::Errno;
use tokio::{sync::watch, task::LocalSet};

use crate::{cli, host::event_loop::event_loop};
use observer_core::{
    model::{ProgramSample, Sample, WatchInfo},
    series::{Losses, Series, SeriesConfig},
};
use page::Page;

/// The bound port. It is bound before anything is attached, so a port in use is reported first.
pub(crate) struct Endpoint {
    listener: TcpListener,
    address: SocketAddr,
    config: SeriesConfig,
}

impl Endpoint {
    /// None without `--metrics`.
    pub(crate) fn bind(options: &cli::Metrics) -> anyhow::Result<Option<Self>> {
        let Some(address) = options.address else { return Ok(None) };
        let listener = listen(address)
            .with_context(|| format!("cannot serve metrics at {address}; use another --metrics [HOST:]PORT"))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let config = SeriesConfig {
            labels: options.labels.iter().copied().map(Into::into).collect(),
            max_label_sets: options.series as usize,
            expiry: options.expiry,
        };
        Ok(Some(Self { listener, address, config }))
    }

    /// Starts serving in a thread. Must be called after the privileges are dropped, because the thread inherits them.
    pub(crate) fn serve(self, about: &WatchInfo) -> anyhow::Result<Exporter> {
        let Self { listener, address, config } = self;
        let exporter = Exporter::new(about, config, address);
        let pages = exporter.pages.subscribe();
        let runtime = event_loop()?;
        let serve = move || {
            LocalSet::new().block_on(&runtime, async {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => server::serve(listener, pages).await,
                    Err(error) => log::error!("cannot serve metrics: {error}"),
                }
            });
        };
        thread::Builder::new().name("metrics".into()).spawn(serve).context("cannot start a thread for metrics")?;
        Ok(exporter)
    }
}

/// Binds the address. Every interface (`[::]`) means IPv4 only on a kernel without IPv6.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let without_ipv6 = |error: &io::Error| {
        let errno = Errno::from_io_error(error);
        address.ip().is_unspecified() && matches!(errno, Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
    };
    match TcpListener::bind(address) {
        Err(error) if without_ipv6(&error) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())),
        bound => bound,
    }
}

/// Turns samples into pages for the server.
pub(crate) struct Exporter {
    about: Arc<WatchInfo>,
    series: Series,
    pages: watch::Sender<Arc<Page>>,
    address: SocketAddr,
}

impl Exporter {
    fn new(about: &WatchInfo, config: SeriesConfig, address: SocketAddr) -> Self {
        let about = Arc::new(about.clone());
        let series = Series::new(config);
        let first = Page::new(Arc::clone(&about), series.scrape(Losses::default(), Vec::new()));
        Self { about, series, pages: watch::Sender::new(Arc::new(first)), address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    pub(crate) fn sample(&mut self, unix_ns: i64, sample: &Sample, losses: Losses, programs: Vec<ProgramSample>) {
        self.series.sample(unix_ns, sample);
        let page = Page::new(Arc::clone(&self.about), self.series.scrape(losses, programs));
        self.pages.send_replace(Arc::new(page));
    }
}
