//! The metrics of one sample. A page is encoded at the first request, and all clients share the result.

use std::{
    io::Write as _,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use hyper::body::Bytes;

use observer_core::{
    model::WatchInfo,
    series::Scrape,
    views::{Format, encode},
};

/// A watch that has not sampled for this long is unhealthy. It normally samples every second, or idles for 20 times as
/// long as a sample takes.
const STALE: Duration = Duration::from_mins(1);

pub(super) struct Page {
    about: Arc<WatchInfo>,
    scrape: Scrape,
    sampled: Instant,
    text: Encoded,
    openmetrics: Encoded,
}

#[derive(Default)]
struct Encoded {
    plain: OnceLock<Bytes>,
    gzip: OnceLock<Bytes>,
}

impl Page {
    pub(super) fn new(about: Arc<WatchInfo>, scrape: Scrape) -> Self {
        Self { about, scrape, sampled: Instant::now(), text: Encoded::default(), openmetrics: Encoded::default() }
    }

    pub(super) fn plain(&self, format: Format) -> Bytes {
        self.encoded(format).plain.get_or_init(|| encode(&self.about, &self.scrape, format).into()).clone()
    }

    /// The same page in a twentieth of the bytes.
    pub(super) fn gzip(&self, format: Format) -> Bytes {
        self.encoded(format).gzip.get_or_init(|| compress(&self.plain(format))).clone()
    }

    fn encoded(&self, format: Format) -> &Encoded {
        match format {
            Format::Text => &self.text,
            Format::OpenMetrics => &self.openmetrics,
        }
    }

    /// The age of the sample, if it is stale.
    pub(super) fn stale_age(&self) -> Option<Duration> {
        Some(self.sampled.elapsed()).filter(|age| *age > STALE)
    }
}

fn compress(text: &[u8]) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory cannot fail.
    let _ = gzip.write_all(text);
    gzip.finish().unwrap_or_default().into()
}

#[cfg(test)]
impl Page {
    pub(super) fn aged(self, age: Duration) -> Self {
        Self { sampled: self.sampled.checked_sub(age).unwrap(), ..self }
    }

    pub(super) fn encodings(&self) -> usize {
        [&self.text, &self.openmetrics].iter().filter(|encoded| encoded.plain.get().is_some()).count()
    }
}
