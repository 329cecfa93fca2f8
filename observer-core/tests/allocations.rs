//! How often memory is asked for while a watch goes on: for a row never, from the ring to standard output.

use allocation_counter::measure;

use observer_core::{
    TimeBase,
    decode::decode,
    tracker::Tracker,
    views::{JsonView, View as _},
};

#[path = "../benches/micro/steady.rs"]
mod steady;

#[test]
fn a_row_in_the_steady_state() {
    let (records, base) = (steady::records(10), TimeBase::new(0));
    let mut tracker = Tracker::new(0, 1_000);
    let mut waiting = Vec::new();
    let mut take = || {
        waiting.clear();
        for record in &records {
            JsonView.row(&tracker.apply(decode(record, base).expect("the record is whole")), &mut waiting);
        }
    };
    // Until every map and every list has the room that it needs. All rows are of one second.
    (0..100).for_each(|_| take());
    let taken = measure(take);
    assert_eq!(taken.count_total, 0, "{taken:?} for {} rows", records.len());
}
