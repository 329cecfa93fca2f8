//! In the steady state, a row takes no allocation on its way from the ring buffer to standard output.

use allocation_counter::measure;

use observer_core::{
    TimeBase,
    decode::decode,
    tracker::Tracker,
    views::{JsonView, View as _},
};

use crate::steady;

#[test]
fn rows_do_not_allocate_in_the_steady_state() {
    let (records, base) = (steady::records(10), TimeBase::new(0));
    let mut tracker = Tracker::new(0, 1_000);
    let mut buffer = Vec::new();
    let mut process_all = || {
        buffer.clear();
        for record in &records {
            JsonView.row(&tracker.apply(decode(record, base).expect("the record is well-formed")), &mut buffer);
        }
    };
    // Warm up until every map and list has its final capacity. All rows fall into the same second.
    (0..100).for_each(|_| process_all());
    let allocations = measure(process_all);
    assert_eq!(allocations.count_total, 0, "{allocations:?} for {} rows", records.len());
}
