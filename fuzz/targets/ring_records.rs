//! Records of the ring buffer, up to what is shown of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use observer_core::{
    Conclusion, TimeBase,
    decode::{activity, decode},
    model::WatchInfo,
    tracker::Tracker,
    views::{JsonView, LinesView, View as _},
};
use tcp_reuse_watch_ebpf::Connection;

/// The offset of the clocks on a machine that booted in 2027.
const TIME_BASE: TimeBase = TimeBase::new(1_800_000_000_000_000_000);

fuzz_target!(|bytes: &[u8]| {
    let mut tracker = Tracker::new(0, 4);
    for bytes in bytes.chunks(size_of::<Connection>()) {
        if let Ok(record) = bytemuck::try_pod_read_unaligned::<Connection>(bytes) {
            let _ = activity(&record, TIME_BASE);
        }
        let Ok(event) = decode(bytes, TIME_BASE) else { continue };
        let row = tracker.apply(event);
        let mut json = Vec::new();
        JsonView.row(&row, &mut json);
        serde_json::from_slice::<serde_json::Value>(&json).expect("a row is valid JSON");
        let mut line = Vec::new();
        LinesView.row(&row, &mut line);
        let line = String::from_utf8(line).expect("a row is valid UTF-8");
        assert!(!line.trim_end_matches('\n').contains(char::is_control), "{line:?}");
    }
    let snapshot = tracker.snapshot(i64::MAX / 2);
    let _ = LinesView.summary(&Conclusion::new(&WatchInfo::default(), &snapshot));
});
