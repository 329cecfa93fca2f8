//! How often memory is asked for while a watch goes on: a row costs what its name costs, and nothing grows.

use allocation_counter::measure;

use crate::{
    clock::Clock,
    decode::decode,
    steady,
    tracker::Tracker,
    view::{JsonView, View as _},
};

/// The budget is none. A row's event owns the name of its process.
const MOST_A_ROW: u64 = 1;

#[test]
fn a_row_in_the_steady_state() {
    let (records, clock) = (steady::records(10), Clock::new());
    let mut tracker = Tracker::new(0, 1_000);
    let mut take = || {
        for record in &records {
            tracker.apply(decode(record, clock).unwrap());
        }
    };
    // Until every map and every list has the room that it needs.
    (0..100).for_each(|_| take());
    let rows = records.len() as u64;
    let taken = measure(take);
    println!("{:.2} allocations a row", taken.count_total as f64 / rows as f64);
    assert!(taken.count_total <= MOST_A_ROW * rows, "{taken:?} for {rows} rows");
    assert_eq!(taken.count_current, 0, "what a row takes is given back: {taken:?}");
    let decoded = measure(|| records.iter().for_each(|record| drop(decode(record, clock))));
    println!("{:.2} of them for decoding", decoded.count_total as f64 / rows as f64);
    let shown: Vec<_> = records.iter().map(|record| tracker.apply(decode(record, clock).unwrap())).collect();
    let written = measure(|| shown.iter().for_each(|row| drop(JsonView.row(row))));
    println!("{:.2} to write it as JSON", written.count_total as f64 / rows as f64);
}
