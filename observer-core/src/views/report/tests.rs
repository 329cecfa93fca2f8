//! Names in reports are as safe as they come. The reports as their readers see them are in the end-to-end tests.

use tcp_reuse_watch_ebpf::pool;

use super::{junit, markdown};
use crate::{
    conclusion::Conclusion,
    gate::Gates,
    model::{Application, Cause, Command, GroupCounters, GroupKey, GroupSample, Sample, WatchInfo},
    tracker::{Snapshot, Tracker},
};

/// Processes of these names that leave responses unread.
fn unread(names: &[&[u8]]) -> Snapshot {
    let mut tracker = Tracker::new(0, 10);
    let group = |(name, tgid): (&&[u8], u32)| {
        let mut counters = GroupCounters {
            opened: 10,
            closed: 10,
            new: 10,
            asked: 10,
            pool: pool::COUNTED,
            application: Application::Http1 as u64,
            ..GroupCounters::default()
        };
        counters.comm[..name.len()].copy_from_slice(name);
        counters.most_serving[0] = 1;
        counters.closes[Cause::UnreadResponse as usize] = 10;
        GroupSample {
            key: GroupKey { tgid, ..GroupKey::default() },
            counters,
            ended: false,
            process_ended: false,
            evicted: false,
            runtime: None,
            cgroup: None,
        }
    };
    tracker.sample(Sample { groups: names.iter().zip(1..).map(group).collect(), ..Sample::default() });
    tracker.snapshot(3_200_000_000)
}

fn report(format: fn(&Conclusion) -> String, gates: &Gates, snapshot: &Snapshot) -> String {
    let about = WatchInfo { started_unix_ns: 1_800_000_000_000_000_000, ..WatchInfo::default() };
    let argv = ["sh", "-c", "a | b > \u{1b}`c`"].map(Into::into).to_vec();
    let command = Some(Command { argv, exit_code: Some(1), wall_us: 3_200_000, ..Command::default() });
    format(&Conclusion { gates: gates.judge(snapshot), command, ..Conclusion::new(&about, snapshot) })
}

fn all_gates() -> Gates {
    Gates { min_reuse: Some(0.9), max_avoidable: Some(90), unwanted: Some("response-not-read".parse().unwrap()) }
}

#[test]
fn junit_has_a_case_for_each_gate() {
    let text = report(junit, &all_gates(), &unread(&[b"client"]));
    for words in [
        "<testsuite name=\"tcp-reuse-watch\" tests=\"3\" failures=\"2\" errors=\"0\" time=\"3.200\" skipped=\"0\" \
         timestamp=\"2027-01-15T08:00:00\">",
        "name=\"--min-reuse 0.9\" time=\"0\">\n      <failure type=\"min-reuse\" message=\"--min-reuse 0.9 failed: 0 of 10",
        "name=\"--max-avoidable 90\" time=\"0\"/>",
        "<failure type=\"fail-on\" message=\"--fail-on response-not-read failed: 1 pair",
        "sh -c &apos;a | b &gt; \\u{1b}`c`&apos; ended with exit code 1 after 3.2 s\n",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let without = report(junit, &Gates::default(), &unread(&[b"client"]));
    assert!(without.contains("tests=\"1\" failures=\"0\"") && without.contains("<skipped message="), "{without}");
}

#[test]
fn junit_has_only_characters_of_xml() {
    // Char in XML 1.0, 2.2, less what is escaped or was no part of the text.
    let is_allowed = |character: char| match character {
        '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' => true,
        _ => character >= '\u{10000}',
    };
    let names: Vec<Vec<u8>> = ('\u{1}'..='\u{2ff}')
        .chain('\u{2000}'..='\u{20ff}')
        .chain(['\u{fffe}', '\u{ffff}', '\u{1fffe}', '\u{10ffff}'])
        .map(|character| format!("<&>\"'{character}").into_bytes())
        .collect();
    for names in names.chunks(10) {
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let text = report(junit, &all_gates(), &unread(&names));
        assert!(text.chars().all(is_allowed), "{text}");
        assert!(!text.contains("<&") && !text.contains("&>") && !text.contains("\"'"), "{text}");
    }
}

#[test]
fn markdown_has_a_row_for_each_gate_and_group() {
    let names: Vec<Vec<u8>> = (0..12).map(|n| format!("client-{n}").into_bytes()).collect();
    let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let text = report(markdown, &all_gates(), &unread(&names));
    for words in [
        "## tcp-reuse-watch: 3 of 3 gates failed\n",
        "| `--min-reuse 0.9` | 0.0 % | ≥ 90 % | **failed** |\n",
        "| `--max-avoidable 90` | 108 | ≤ 90 | **failed** |\n",
        "| `--fail-on response-not-read` | 12 | none | **failed** |\n",
        "\n2 more with avoidable connections or a diagnosis.\n",
        " ended with exit code 1 after 3.2 s.\n",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(text.matches("\n| `client-").count(), 10, "{text}");
    let without = report(markdown, &Gates::default(), &unread(&[b"client"]));
    assert!(without.starts_with("## tcp-reuse-watch: 0.0 % of requests reused a connection\n"), "{without}");
}

#[test]
fn markdown_cells_hold_any_name() {
    for (name, cell) in [
        (&b"client"[..], "`client[1]`"),
        (b"a|b", "<code>a&#124;b&#91;1&#93;</code>"),
        (b"`a`", "<code>&#96;a&#96;&#91;1&#93;</code>"),
        (b"a\\", "<code>a&#92;&#91;1&#93;</code>"),
        (b"<img src=x>", "`<img src=x>[1]`"),
        (b"a\nb", "<code>a&#92;nb&#91;1&#93;</code>"),
        (b" @all", "<code> &#64;all&#91;1&#93;</code>"),
    ] {
        let text = report(markdown, &all_gates(), &unread(&[name]));
        assert!(text.contains(&format!("\n| {cell} | ")), "{text}");
        let rows = text.lines().filter(|line| line.contains("| 10 | 10 | 0 | 9 |"));
        assert_eq!(rows.count(), 1, "{text}");
    }
}
