//! A recording, up to the summaries of its replay. What could be read is recorded again, and has to replay the same.
#![no_main]

use std::{io::Cursor, path::Path};

use libfuzzer_sys::fuzz_target;
use observer_core::{
    Conclusion,
    model::WatchInfo,
    recording::{Encoder, Record, Recording},
    tracker::Tracker,
    views::{JsonView, LinesView, View as _},
};

fuzz_target!(|bytes: &[u8]| {
    let Some(first) = replay(bytes.to_vec()) else { return };
    let second = replay(first.recording).expect("what was recorded can be read");
    assert_eq!(first.summary, second.summary);
});

struct Replay {
    summary: String,
    /// What was replayed, recorded again.
    recording: Vec<u8>,
}

fn replay(bytes: Vec<u8>) -> Option<Replay> {
    let mut recording = Recording::new(Path::new("recording"), Cursor::new(bytes)).ok()?;
    let about: WatchInfo = recording.about();
    let mut encoder = Encoder::default();
    let mut encoded = encoder.header(&about, recording.max_connections() as u32).ok()?;
    let mut tracker = Tracker::new(about.started_unix_ns, recording.max_connections());
    let mut now = about.started_unix_ns;
    while let Ok(record) = recording.read() {
        now = now.max(record.unix_ns());
        match record {
            Record::Event(event) => {
                let row = tracker.apply(event);
                let mut output = Vec::new();
                JsonView.row(&row, &mut output);
                LinesView.row(&row, &mut output);
                encoded.extend(encoder.event(&row).ok()?);
            }
            Record::Sample { unix_ns, sample } => {
                encoded.extend(encoder.sample(unix_ns, &sample).ok()?);
                tracker.sample(sample);
                let snapshot = tracker.snapshot(now);
                let _ = tracker.new_certainties(&snapshot);
            }
            Record::End { .. } => break,
        }
    }
    encoded.extend(encoder.end(now).ok()?);
    let snapshot = tracker.snapshot(now);
    let conclusion = Conclusion::new(&about, &snapshot);
    let _ = LinesView.summary(&conclusion);
    let summary = JsonView.summary(&conclusion);
    serde_json::from_str::<serde_json::Value>(&summary).expect("a summary is valid JSON");
    Some(Replay { summary, recording: encoded })
}
