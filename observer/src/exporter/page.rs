//! What is served between two samples: encoded when somebody asks, once for all who ask.

use std::{
    io::Write as _,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use hyper::body::Bytes;

use observer_core::{
    model::About,
    series::Scrape,
    views::{Format, encode},
};

/// A watch samples every second, or rests twenty times as long as a sample has taken; one that has not sampled for so long
/// does not count any more.
const STALE: Duration = Duration::from_mins(1);

pub(super) struct Page {
    about: Arc<About>,
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
    pub(super) fn new(about: Arc<About>, scrape: Scrape) -> Self {
        Self { about, scrape, sampled: Instant::now(), text: Encoded::default(), openmetrics: Encoded::default() }
    }

    pub(super) fn plain(&self, format: Format) -> Bytes {
        self.kept(format).plain.get_or_init(|| encode(&self.about, &self.scrape, format).into()).clone()
    }

    /// A twentieth of the bytes, for a fleet.
    pub(super) fn gzip(&self, format: Format) -> Bytes {
        self.kept(format).gzip.get_or_init(|| compressed(&self.plain(format))).clone()
    }

    fn kept(&self, format: Format) -> &Encoded {
        match format {
            Format::Text => &self.text,
            Format::OpenMetrics => &self.openmetrics,
        }
    }

    /// How old it is, if it is too old.
    pub(super) fn stale(&self) -> Option<Duration> {
        Some(self.sampled.elapsed()).filter(|age| *age > STALE)
    }
}

fn compressed(text: &[u8]) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    // Memory takes everything.
    let _ = gzip.write_all(text);
    gzip.finish().unwrap_or_default().into()
}

#[cfg(test)]
impl Page {
    pub(super) fn aged(self, age: Duration) -> Self {
        Self { sampled: self.sampled.checked_sub(age).unwrap(), ..self }
    }

    pub(super) fn encodings(&self) -> usize {
        [&self.text, &self.openmetrics].iter().filter(|kept| kept.plain.get().is_some()).count()
    }
}
