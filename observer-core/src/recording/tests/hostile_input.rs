//! Malformed, truncated and corrupted recordings.

use super::*;
use crate::{
    Conclusion,
    recording::read::{MAX_COUNT, MAX_LIFETIME_US},
    time_base::MAX_UNIX_NS,
    tracker::Tracker,
    views::{JsonView, LinesView, View as _},
};

#[test]
fn errors_state_the_line_and_the_reason() {
    const HEADER: &str = "{\"recording\":1}\n";
    let counters = |counters: &str| {
        format!("{HEADER}{{\"sample\":{{\"unix_ns\":1,\"groups\":[{{\"key\":{{}},\"counters\":{{{counters}}}}}]}}}}\n")
    };
    for (content, expected) in [
        (String::new(), "line 1: no recording of tcp-reuse-watch: it has to begin with a header, and is empty"),
        ("\n".into(), "line 1: no recording"),
        ("{}\n".into(), "line 1: no recording"),
        ("{\"type\":\"start\",\"schema\":1}\n".into(), "line 1: no recording"),
        ("{\"end\":{\"unix_ns\":1}}\n".into(), "line 1: no recording"),
        ("\u{7f}ELF\u{0}\u{1}".into(), "line 1: no recording"),
        (
            "{\"recording\":2,\"version\":\"9.9\\u001b\"}\n".into(),
            "line 1: a recording of version 2, made by tcp-reuse-watch 9.9\\u{1b};",
        ),
        ("{\"recording\":0}\n".into(), "line 1: a recording of version 0"),
        ("{\"recording\":1,\"ports\":7}\n".into(), "line 1: not what a recording holds, at column 24: invalid type"),
        ("{\"recording\":1,\"started_unix_ns\":-1}\n".into(), "line 1: its time is out of range"),
        (HEADER.into(), "line 1: cut off: the recording goes on no further"),
        (format!("{HEADER}{{\"eve"), "line 2: cut off in the middle of the line"),
        (format!("{HEADER}{{\"eve\n"), "line 2: not what a recording holds, at column"),
        (format!("{HEADER}\n"), "line 2: not what a recording holds"),
        (format!("{HEADER}\u{0}\u{0}"), "line 2: not what a recording holds, at column 1: expected value"),
        (
            format!("{HEADER}{{\"x\\u001b[2J\":1}}\n"),
            "line 2: not what a recording holds, at column 13: unknown variant `x\\u{1b}[2J`",
        ),
        (format!("{HEADER}{HEADER}"), "line 2: not what a recording holds"),
        (format!("{HEADER}{{\"end\":{{\"unix_ns\":-1}}}}\n"), "line 2: its time is out of range"),
        (format!("{HEADER}{{\"end\":{{\"unix_ns\":9223372036854775807}}}}\n"), "line 2: its time is out of range"),
        (format!("{HEADER}{{\"end\":{{\"unix_ns\":1}}}}\n{HEADER}"), "line 3: something follows the end"),
        (counters("\"new\":18446744073709551615"), "line 2: a group's counters are out of range"),
        (counters("\"new\":-1"), "line 2: not what a recording holds"),
        (
            counters("\"failures\":[1,1,1,1,1,1,1,1,1]"),
            "line 2: not what a recording holds, at column 86: 9 counters where 8",
        ),
        (counters("\"comm\":\"seventeen letters\""), "line 2: not what a recording holds, at column"),
        (
            format!(
                "{HEADER}{{\"event\":{{\"unix_ns\":1,\"kind\":\"close\",\"id\":1,\"connection\":{{\"remote\":\"1.2.3.4:80\",\"idle_us\":18446744073709551615}}}}}}\n"
            ),
            "line 2: a number of the connection is out of range",
        ),
        (
            format!("{HEADER}{{\"sample\":{{\"unix_ns\":1,\"loss\":{{\"rows\":18446744073709551615}}}}}}\n"),
            "line 2: a count",
        ),
        (format!("{HEADER}{}", "[".repeat(100_000)), "line 2: not what a recording holds, at column"),
    ] {
        let (records, end) = read(&content);
        assert_eq!(records.len(), 0);
        let error = end.expect_err(&content);
        assert!(error.starts_with(expected), "{error}\n{expected}");
        assert!(!error.chars().any(char::is_control), "{error:?}");
    }
}

#[test]
fn truncated_recording_yields_all_records_before_the_cut() {
    let rows = [row(1, RowKind::Open), row(1, RowKind::Close)];
    let text = encoded(&[sample(vec![group(1, 1)])], &rows).join("\n");
    for end in 0..text.len() {
        let complete_lines = text[..end].matches('\n').count();
        let (records, result) = read(&text[..end]);
        let error = result.expect_err("truncated");
        // A line that lacks only its line feed is complete as well.
        let is_complete = text.as_bytes()[end] == b'\n';
        assert_eq!(
            records.len(),
            (complete_lines + usize::from(is_complete)).saturating_sub(1),
            "cut at {end}: {error}"
        );
        let at_start = end > 0 && text.as_bytes()[end - 1] == b'\n';
        let line = if at_start { complete_lines } else { complete_lines + 1 };
        assert!(error.starts_with(&format!("line {line}: ")), "cut at {end}: {error}");
    }
    assert!(read(&text).1.is_ok());
}

#[test]
fn corrupt_bytes_do_no_harm() {
    let text = encoded(&[sample(vec![group(1, 1)])], &[row(1, RowKind::Close)]).join("\n");
    for at in 0..text.len() {
        for byte in [0, b'9', b'"', b'}', b'\n', 0xff] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = byte;
            let (records, _) = read(bytes);
            assert!(records.len() <= 2);
        }
    }
}

/// Every accepted number, in every combination of the extremes: nothing overflows, which tests would panic about.
#[test]
fn extreme_numbers_do_not_overflow_anything_behind_the_reader() {
    let [count, bytes, us] = [MAX_COUNT, u64::MAX, MAX_LIFETIME_US];
    let extremes = |max: u64| [0, 1, max];
    let causes = crate::model::CAUSES.map(crate::model::cause_name);
    for (exchanges, cause) in extremes(count).into_iter().flat_map(|n| causes.map(|cause| (n, cause))) {
        let mut lines = vec![r#"{"recording":1}"#.to_owned()];
        for id in 0..40_u64 {
            let at = [0, 1, MAX_UNIX_NS][id as usize % 3];
            let [lifetime_us, idle_us] = [extremes(us)[id as usize / 3 % 3], extremes(us)[id as usize / 9 % 3]];
            let connection = format!(
                r#"{{"remote":"1.2.3.4:80","cause":"{cause}","exchanges":{exchanges},"lifetime_us":{lifetime_us},"idle_us":{idle_us},"unread_bytes":{},"sent_bytes":{bytes},"received_bytes":{bytes},"idle_at_open":{},"busy_at_open":{},"idle_at_end":{}}}"#,
                u32::MAX,
                u32::MAX,
                u32::MAX,
                u32::MAX
            );
            for kind in ["open", "close"] {
                lines.push(format!(
                    r#"{{"event":{{"unix_ns":{at},"kind":"{kind}","id":{id},"group":{{"tgid":1}},"connection":{connection}}}}}"#
                ));
            }
        }
        let many = format!("[{}]", vec![MAX_COUNT.to_string(); 8].join(","));
        let one = MAX_COUNT;
        let groups: Vec<String> = (1..=100)
            .map(|tgid| {
                format!(
                    r#"{{"key":{{"tgid":{tgid}}},"counters":{{"opened":{one},"closed":{one},"new":{one},"reused":{one},"asked":{one},"needed":{},"pool":["counted"],"failures":{many},"closes":[{one},{one},{one},{one},{one},{one},{one},{one},{one},{one},{one}],"why":[{one},{one},{one},{one}]}}}}"#,
                    u32::MAX
                )
            })
            .collect();
        lines.push(format!(r#"{{"sample":{{"unix_ns":{MAX_UNIX_NS},"groups":[{}]}}}}"#, groups.join(",")));
        lines.push(format!(r#"{{"end":{{"unix_ns":{MAX_UNIX_NS}}}}}"#));
        let (records, end) = read(lines.join("\n"));
        assert_eq!(end, Ok(MAX_UNIX_NS));
        let mut tracker = Tracker::new(0, 100);
        for record in records {
            match record {
                Record::Event(event) => drop(tracker.apply(event)),
                Record::Sample { sample, .. } => drop(tracker.sample(sample)),
                Record::End { .. } => {}
            }
        }
        let snapshot = tracker.snapshot(MAX_UNIX_NS);
        let about = about();
        let conclusion = Conclusion::new(&about, &snapshot);
        for summary in [JsonView.summary(&conclusion), LinesView.summary(&conclusion)] {
            assert!(summary.contains("1.2.3.4") || summary.contains("::"), "{summary}");
        }
        let _ = tracker.new_certainties(&snapshot);
    }
}
