//! How often memory is asked for while a watch goes on: for a row never, from the ring to standard output.

use allocation_counter::measure;

use crate::{
    clock::Clock,
    decode::decode,
    steady,
    tracker::Tracker,
    view::{JsonView, View as _},
};

#[test]
fn a_row_in_the_steady_state() {
    let (records, clock) = (steady::records(10), Clock::new());
    let mut tracker = Tracker::new(0, 1_000);
    let mut waiting = Vec::new();
    let mut take = || {
        waiting.clear();
        for record in &records {
            JsonView.row(&tracker.apply(decode(record, clock).unwrap()), &mut waiting);
        }
    };
    // Until every map and every list has the room that it needs. All rows are of one second.
    (0..100).for_each(|_| take());
    let taken = measure(take);
    assert_eq!(taken.count_total, 0, "{taken:?} for {} rows", records.len());
}
