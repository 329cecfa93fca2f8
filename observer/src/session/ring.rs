//! Reading the ring buffer.

use std::io;

use aya::maps::{MapData, RingBuf};
use tokio::{
    io::unix::{AsyncFd, AsyncFdReadyMutGuard},
    time::{Instant, sleep_until},
};

/// Records taken from the ring buffer before signals and ticks get their turn.
const BATCH: usize = 1024;

/// Waits for records, but not before `when`.
pub(super) async fn readable(
    ring: &mut AsyncFd<RingBuf<MapData>>,
    when: Instant,
) -> io::Result<AsyncFdReadyMutGuard<'_, RingBuf<MapData>>> {
    sleep_until(when).await;
    ring.readable_mut().await
}

/// Passes up to [`BATCH`] records to `take`. Returns true once the ring buffer is empty.
pub(super) fn drain(ring: &mut RingBuf<MapData>, mut take: impl FnMut(&[u8])) -> bool {
    for _ in 0..BATCH {
        match ring.next() {
            Some(record) => take(&record),
            None => return true,
        }
    }
    false
}
