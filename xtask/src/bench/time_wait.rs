//! Waits for the sockets in TIME_WAIT that earlier loads left. They last a minute. A watch reads each of them at its
//! start, and lists them with every sample.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

pub(super) fn wait_until_few() {
    let end = Instant::now() + Duration::from_secs(70);
    while sockets() > 1_000 && Instant::now() < end {
        sleep(Duration::from_secs(1));
    }
}

/// The number after `tw` in `TCP: inuse 5 orphan 0 tw 13546 alloc 9 mem 2`.
fn sockets() -> u64 {
    let sockets = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let mut words = sockets.split_whitespace().skip_while(|word| *word != "tw");
    words.nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}
