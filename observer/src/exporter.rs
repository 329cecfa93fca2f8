//! `--metrics`: serves the series of a watch to Prometheus. A scrape gets the last sample, which is usually less than a
//! second old. The cost of a scrape depends on the number of series, not on traffic.

mod clients;
mod listener;
mod negotiate;
mod page;
mod rebinding;
mod respond;
mod server;
mod socket_file;

use std::{sync::Arc, thread};

use anyhow::Context as _;
use tokio::{sync::watch, task::LocalSet};

use crate::{
    cli::{self, MetricsPlace},
    helper::Remover,
    host::event_loop::event_loop,
};
use listener::{Listener, bind_tcp};
use observer_core::{
    model::{ProgramSample, Sample, WatchInfo},
    series::{Losses, Series, SeriesConfig},
};
use page::Page;
use rebinding::Hosts;

/// The bound port or socket. It is bound before anything is attached, so a port in use is reported first.
pub(crate) struct Endpoint {
    listener: Listener,
    hosts: Hosts,
    /// Where it is, in words.
    place: String,
    /// Removes a socket file once it is dropped.
    remover: Option<Remover>,
    config: SeriesConfig,
}

impl Endpoint {
    /// None without `--metrics`. Must be called before other threads are started.
    pub(crate) fn bind(options: &cli::Metrics) -> anyhow::Result<Option<Self>> {
        let Some(place) = &options.place else { return Ok(None) };
        let config = SeriesConfig {
            labels: options.labels.iter().copied().map(Into::into).collect(),
            max_label_sets: options.series as usize,
            expiry: options.expiry,
        };
        Ok(Some(match place {
            MetricsPlace::Port(address) => {
                let listener = bind_tcp(*address)
                    .with_context(|| format!("cannot serve metrics at {address}; use another --metrics [HOST:]PORT"))?;
                let place = format!("http://{}/metrics", listener.local_addr()?);
                let hosts = if options.allow_remote { Hosts::Any } else { Hosts::Local };
                Self { listener: Listener::Tcp(listener), hosts, place, remover: None, config }
            }
            MetricsPlace::Socket(path) => {
                let (listener, remover) = socket_file::bind(path)
                    .with_context(|| format!("cannot serve metrics at {place}; use another --metrics unix:PATH"))?;
                let (listener, place) = (Listener::Unix(listener), place.to_string());
                Self { listener, hosts: Hosts::Any, place, remover: Some(remover), config }
            }
        }))
    }

    /// Starts serving in a thread. Must be called after the privileges are dropped, because the thread inherits them.
    pub(crate) fn serve(self, about: &WatchInfo) -> anyhow::Result<Exporter> {
        let Self { listener, hosts, place, remover, config } = self;
        let exporter = Exporter::new(about, config, place, remover);
        let pages = exporter.pages.subscribe();
        let runtime = event_loop()?;
        let serve = move || {
            LocalSet::new().block_on(&runtime, async {
                match listener.into_tokio() {
                    Ok(listener) => server::serve(listener, hosts, pages).await,
                    Err(error) => log::error!("cannot serve metrics: {error}"),
                }
            });
        };
        thread::Builder::new().name("metrics".into()).spawn(serve).context("cannot start a thread for metrics")?;
        Ok(exporter)
    }
}

/// Turns samples into pages for the server.
pub(crate) struct Exporter {
    about: Arc<WatchInfo>,
    series: Series,
    pages: watch::Sender<Arc<Page>>,
    /// Where they are served, in words.
    pub(crate) place: String,
    #[expect(dead_code, reason = "held for its drop")]
    remover: Option<Remover>,
}

impl Exporter {
    fn new(about: &WatchInfo, config: SeriesConfig, place: String, remover: Option<Remover>) -> Self {
        let about = Arc::new(about.clone());
        let series = Series::new(config);
        let first = Page::new(Arc::clone(&about), series.scrape(Losses::default(), Vec::new()));
        Self { about, series, pages: watch::Sender::new(Arc::new(first)), place, remover }
    }

    pub(crate) fn sample(&mut self, unix_ns: i64, sample: &Sample, losses: Losses, programs: Vec<ProgramSample>) {
        self.series.sample(unix_ns, sample);
        let page = Page::new(Arc::clone(&self.about), self.series.scrape(losses, programs));
        self.pages.send_replace(Arc::new(page));
    }
}
