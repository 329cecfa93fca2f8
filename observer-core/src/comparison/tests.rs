use super::*;
use crate::gate::Verdict;

/// A group of ten exchanges on as many connections as `opened`.
fn group(process: &str, remote: &str, opened: u64, avoidable: u64) -> String {
    format!(
        r#"{{"process":"{process}","remote":"{remote}","port":80,"opened":{opened},"failed":0,"closed":{opened},"new":{opened},"reused":{},"inexact":0,"marked":0,"asked":{opened},"needed":{},"avoidable":{avoidable},"avoidable_exact":true,"closes":{{"client-idle":{opened}}}}}"#,
        10_u64.saturating_sub(opened),
        opened - avoidable
    )
}

fn side_of(text: &str) -> Side {
    Side { file: "x".into(), kind: FileKind::Summary, cut: None, summary: Summary::read(text.as_bytes()).unwrap() }
}

fn side(groups: &[String]) -> Side {
    side_of(&format!(r#"{{"type":"summary","complete":true,"groups":[{}]}}"#, groups.join(",")))
}

fn compare(before: &[String], after: &[String]) -> Comparison {
    compare_mapped(before, after, &[]).unwrap()
}

fn compare_mapped(before: &[String], after: &[String], mappings: &[&str]) -> Result<Comparison, MappingError> {
    let mappings = mappings.iter().map(|mapping| mapping.parse().unwrap()).collect();
    Comparison::new(side(before), side(after), mappings)
}

/// The groups, and the avoidable connections of each.
fn avoidable(comparison: &Comparison) -> Vec<(String, Option<u64>, Option<u64>)> {
    let of = |side: &Option<Numbers>| side.as_ref().and_then(|numbers| numbers.avoidable);
    let name = |id: &Option<GroupId>| match id {
        Some(id) => format!("{} {}", id.process.as_deref().unwrap_or("?"), id.remote()),
        None => "others".into(),
    };
    comparison.groups.iter().map(|(id, pair)| (name(id), of(&pair.before), of(&pair.after))).collect()
}

#[test]
fn groups_of_one_process_name_and_destination_fold() {
    let before = [group("worker", "10.0.0.1", 5, 4), group("worker", "10.0.0.1", 3, 0), group("worker", "::1", 1, 0)];
    let comparison = compare(&before, &[group("worker", "10.0.0.1", 1, 0)]);
    let expected = [("worker 10.0.0.1:80".into(), Some(4), Some(0)), ("worker [::1]:80".into(), Some(0), None)];
    assert_eq!(avoidable(&comparison), expected);
    let numbers = comparison.groups[0].1.before.clone().unwrap();
    assert_eq!((numbers.opened, numbers.asked, numbers.needed), (Some(8), Some(8), Some(4)));
    assert_eq!((numbers.new, numbers.reused, numbers.is_exact), (Some(8), Some(12), true));
    assert_eq!(numbers.causes, Some([("client-idle".into(), 8)].into()));
    assert_eq!(comparison.totals.before.as_ref().unwrap().opened, Some(9));
    assert_eq!(comparison.only_before().count(), 1);
    assert_eq!(comparison.only_after().count(), 0);
}

#[test]
fn folded_group_is_exact_if_all_its_parts_are() {
    let inexact = group("worker", "10.0.0.1", 3, 0).replace(r#""marked":0"#, r#""marked":1"#);
    let mixed = group("worker", "10.0.0.1", 3, 0).replace(r#""avoidable_exact":true"#, r#""avoidable_exact":false"#);
    let exactness = |part: String| {
        let comparison = compare(&[group("worker", "10.0.0.1", 5, 4), part], &[]);
        let numbers = comparison.groups[0].1.before.clone().unwrap();
        (numbers.is_exact, numbers.is_avoidable_exact)
    };
    assert_eq!(exactness(group("worker", "10.0.0.1", 5, 4)), (true, true));
    assert_eq!(exactness(inexact), (false, true));
    assert_eq!(exactness(mixed), (true, false));
}

#[test]
fn overflow_rows_are_one_group_whose_pool_is_unknown() {
    let overflow =
        r#"{"process":null,"remote":null,"port":null,"overflow":true,"opened":7,"new":7,"reused":0,"avoidable":null}"#;
    let comparison =
        compare(&[overflow.into(), overflow.into(), group("worker", "10.0.0.1", 5, 4)], &[overflow.into()]);
    let expected = [("worker 10.0.0.1:80".into(), Some(4), None), ("others".into(), None, None)];
    assert_eq!(avoidable(&comparison), expected);
    let total = comparison.totals.before.clone().unwrap();
    assert_eq!((total.opened, total.avoidable, total.is_avoidable_exact), (Some(19), Some(4), false));
}

#[test]
fn what_changed_most_comes_first() {
    let before = [
        group("same", "10.0.0.1", 1, 0),
        group("ratio", "10.0.0.1", 1, 0),
        group("better", "10.0.0.1", 9, 8),
        group("worse", "10.0.0.1", 1, 0),
        group("little", "10.0.0.1", 1, 0),
    ];
    let after = [
        group("same", "10.0.0.1", 1, 0),
        group("ratio", "10.0.0.1", 6, 0),
        group("better", "10.0.0.1", 1, 0),
        group("worse", "10.0.0.1", 10, 9),
        group("little", "10.0.0.1", 2, 0),
    ];
    let names: Vec<String> = avoidable(&compare(&before, &after)).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["worse", "better", "ratio", "little", "same"].map(|name| format!("{name} 10.0.0.1:80")));
}

#[test]
fn absent_numbers_are_unknown_and_never_zero() {
    let old = r#"{"type":"summary","groups":[{"process":"a","remote":"10.0.0.1","port":80,"closed":2,"new":5,"reused":5,"inexact":0,"future":[{}]}],"future":1}"#;
    let numbers = Comparison::new(side_of(old), side(&[]), Vec::new()).unwrap().groups[0].1.before.clone().unwrap();
    assert_eq!((numbers.opened, numbers.asked, numbers.needed, numbers.avoidable), (None, None, None, None));
    assert_eq!((numbers.causes, numbers.is_exact, numbers.is_avoidable_exact), (None, false, false));
    assert_eq!((numbers.new, numbers.reused), (Some(5), Some(5)));
    assert!(!side_of(old).is_whole());
}

#[test]
fn causes_that_an_old_recording_does_not_have_are_unknown() {
    let causes = |closes: &str| {
        let group = format!(r#"{{"process":"a","remote":"10.0.0.1","closed":3,"closes":{closes}}}"#);
        compare(&[group], &[]).groups[0].1.before.clone().unwrap().causes
    };
    assert_eq!(causes("{}"), None);
    assert_eq!(causes("null"), None);
    assert_eq!(causes(r#"{"unused":2}"#), Some([("unknown".into(), 1), ("unused".into(), 2)].into()));
    assert_eq!(causes(r#"{"unused":3,"new-one":0}"#), Some([("unused".into(), 3)].into()));
}

#[test]
fn numbers_of_any_size_are_added_up() {
    let huge = group("a", "10.0.0.1", 10, 9).replace("10,", "18446744073709551615,");
    let comparison = compare(&[huge.clone(), huge.clone()], &[]);
    assert_eq!(comparison.totals.before.as_ref().unwrap().opened, Some(u64::MAX));
    let limits = Limits { max_avoidable_growth: Some(0), max_reuse_drop: Some(0.0) };
    assert_eq!(limits.judge(&compare(&[], &[huge])).len(), 2);
}

#[test]
fn last_summary_of_the_output_counts_and_may_span_lines() {
    let text = r#"{"type":"start","schema":1,"hooks":["sockops"],"exact":true}
{"type":"close","exact":true,"opened":1}
{"type":"summary","groups":[]}
{
  "type": "summary",
  "kernel": "6.1",
  "groups": [ { "process": "a" } ]
}"#;
    let summary = Summary::read(text.as_bytes()).unwrap();
    assert_eq!((summary.kernel.as_deref(), summary.groups.len()), (Some("6.1"), 1));
}

#[test]
fn hostile_and_other_files_are_refused() {
    let deep = format!(r#"{{"type":"summary","groups":{}"#, "[".repeat(1_000_000));
    let unknown = format!(r#"{{"x":{}{}"#, "[".repeat(100_000), "]".repeat(100_000));
    for (text, words) in [
        ("hello", "neither a recording"),
        ("\u{1b}[2J", "neither a recording"),
        ("[]", "it has no summary"),
        ("{}", "it has no summary"),
        (r#"{"type":"start"}"#, "it has no summary"),
        (r#"{"type":"start"}{"type":"clo"#, "cut off in line 1"),
        ("{\"type\":\"start\"}\nhello", "not the JSON output of a watch alone"),
        (r#"{"type":"summary"}"#, "no groups"),
        (
            r#"{"type":"summary","schema":2,"version":"9\u001b","groups":[]}"#,
            "format 2, made by tcp-reuse-watch 9\\u{1b}",
        ),
        (r#"{"type":"summary","groups":[{"opened":-1}]}"#, "-1"),
        (r#"{"type":"summary","groups":[{"opened":1e99}]}"#, "neither a recording"),
        (r#"{"type":"summary","groups":[{"opened":18446744073709551616}]}"#, "neither a recording"),
        (r#"{"type":"summary","groups":[{"port":65536}]}"#, "65536"),
        (r#"{"type":"summary","groups":[{"remote":"a\u001b"}]}"#, "neither a recording"),
        (deep.as_str(), "neither a recording"),
        (unknown.as_str(), ""),
    ] {
        let error = Summary::read(text.as_bytes()).unwrap_err().to_string();
        let excerpt: String = text.chars().take(80).collect();
        assert!(error.contains(words) && !error.contains('\u{1b}'), "{excerpt}: {error}");
    }
}

#[test]
fn mapping_renames_addresses_ports_and_processes() {
    let before = [group("old", "10.0.0.1", 5, 4), group("cron", "10.0.0.2", 1, 0)];
    for (mappings, new_group, port) in [
        (&["10.0.0.1=10.9.9.9", "old=new"][..], group("new", "10.9.9.9", 1, 0), 80),
        (&["10.0.0.1:80=10.9.9.9:8080", "old=new"], group("new", "10.9.9.9", 1, 0).replace("80,", "8080,"), 8080),
        (&["10.0.0.1=[::1]:8080"], group("old", "::1", 1, 0).replace("80,", "8080,"), 8080),
        (
            &["::ffff:10.0.0.1=db.example"],
            group("old", "10.1.1.1", 1, 0).replace(r#""port""#, r#""name":"DB.example","port""#),
            80,
        ),
    ] {
        let comparison = compare_mapped(&before, &[new_group], mappings).unwrap();
        let both: Vec<_> = avoidable(&comparison).into_iter().filter(|(.., after)| after.is_some()).collect();
        assert_eq!(both.len(), 1, "{mappings:?}");
        assert!(both[0].0.ends_with(&format!(":{port}")) && both[0].1 == Some(4), "{mappings:?}: {both:?}");
        assert!(comparison.mappings_to_nothing.is_empty(), "{mappings:?}");
    }
}

#[test]
fn addresses_can_be_swapped() {
    let before = [group("a", "10.0.0.1", 5, 4), group("a", "10.0.0.2", 1, 0)];
    let mapped = compare_mapped(&before, &before, &["10.0.0.1=10.0.0.2", "10.0.0.2=10.0.0.1"]).unwrap();
    let expected = [("a 10.0.0.1:80".into(), Some(0), Some(4)), ("a 10.0.0.2:80".into(), Some(4), Some(0))];
    assert_eq!(avoidable(&mapped), expected);
}

#[test]
fn mapping_of_a_process_compares_what_the_kernel_keeps_of_its_name() {
    let before = [group("a-long-process-", "10.0.0.1", 5, 4)];
    let mapped = compare_mapped(&before, &[group("new", "10.0.0.1", 1, 0)], &["a-long-process-name=new"]).unwrap();
    assert_eq!(avoidable(&mapped), [("new 10.0.0.1:80".into(), Some(4), Some(0))]);
}

#[test]
fn mapping_with_a_port_comes_before_one_without() {
    let before = [group("a", "10.0.0.1", 5, 4), group("a", "10.0.0.1", 3, 2).replace(r#""port":80"#, r#""port":81"#)];
    let mappings = ["10.0.0.1=10.0.0.2", "10.0.0.1:81=10.0.0.3:82"];
    let mut names: Vec<String> =
        avoidable(&compare_mapped(&before, &[], &mappings).unwrap()).into_iter().map(|(name, ..)| name).collect();
    names.sort();
    assert_eq!(names, ["a 10.0.0.2:80", "a 10.0.0.3:82"]);
}

#[test]
fn mapping_from_nothing_is_an_error_that_says_what_there_is() {
    let before = [group("client\u{202e}", "10.0.0.1", 5, 4), group("curl", "::1", 1, 0)];
    for old in ["10.0.0.9", "10.0.0.1:81", "curly", "db.example:80"] {
        let error = compare_mapped(&before, &[], &[&format!("{old}=x")]).unwrap_err().to_string();
        for words in [old, "curl", "client\\u{202e}", "10.0.0.1:80", "[::1]:80"] {
            assert!(error.contains(words), "{words}: {error}");
        }
    }
    let twice = compare_mapped(&before, &[], &["curl=a", "curl=b"]).unwrap_err();
    assert_eq!(twice, MappingError::Twice { old: "curl".into() });
    let to_nothing = compare_mapped(&before, &before, &["curl=wget"]).unwrap().mappings_to_nothing;
    assert_eq!(to_nothing, ["curl=wget".parse().unwrap()]);
    for wrong in ["x", "=x", "x=", ""] {
        assert!(wrong.parse::<Mapping>().is_err(), "{wrong}");
    }
}

#[test]
fn names_match_only_if_both_sides_have_them() {
    let named = |group: String| group.replace(r#""port""#, r#""name":"db.example","port""#);
    let (one, other) = (group("a", "10.0.0.1", 5, 4), group("a", "10.0.0.2", 5, 4));
    let matched = |before: String, after: String| compare(&[before], &[after]).groups.len() == 1;
    assert!(matched(named(one.clone()), named(other.clone())), "one name on two addresses");
    assert!(matched(named(one.clone()), one.clone()), "a name on one side only");
    assert!(!matched(named(one), other), "different addresses");
}

#[test]
fn limits_judge_the_totals_and_name_the_worst_group() {
    let before = [group("api", "10.0.0.1", 2, 1), group("job", "10.0.0.1", 5, 4)];
    let after = [group("api", "10.0.0.1", 10, 9), group("job", "10.0.0.1", 1, 0)];
    let comparison = compare(&before, &after);
    let judge = |growth, drop| {
        let limits = Limits { max_avoidable_growth: Some(growth), max_reuse_drop: Some(drop) };
        let judged = limits.judge(&comparison);
        let worst = judged.iter().map(|judgement| judgement.worst.map(|(id, _)| id.unwrap().process.clone().unwrap()));
        let worst: Vec<_> = worst.collect();
        ([judged[0].verdict, judged[1].verdict], worst)
    };
    // Of 20 exchanges, 13 were reused, and now 9 are. Four more connections are avoidable.
    assert_eq!(judge(4, 0.2), ([Verdict::Passed; 2], vec![None, None]));
    assert_eq!(judge(3, 0.19), ([Verdict::Failed; 2], vec![Some("api".into()), Some("api".into())]));
    assert!(Limits::default().judge(&comparison).is_empty());
}

/// The verdicts on both limits, each 0.
fn judged(before: Side, after: Side) -> [(Verdict, Option<Doubt>); 2] {
    let comparison = Comparison::new(before, after, Vec::new()).unwrap();
    let judged = Limits { max_avoidable_growth: Some(0), max_reuse_drop: Some(0.0) }.judge(&comparison);
    [0, 1].map(|n| (judged[n].verdict, judged[n].doubt))
}

#[test]
fn doubtful_limits_are_not_kept_silently() {
    use Doubt::{CountsMissing, Inexact, NoExchange, NotKnown};
    use Verdict::{Failed, Passed, Skipped};

    let good = || side(&[group("a", "10.0.0.1", 1, 0)]);
    let bad = || side(&[group("a", "10.0.0.1", 10, 9)]);
    let cut = |side| Side { cut: Some("cut".into()), ..side };
    let lossy = |mut side: Side| {
        side.summary.complete = Some(false);
        side.summary.losses.untracked = Some(1);
        // As in the JSON summary.
        side.summary.groups[0].avoidable_exact = Some(false);
        side
    };
    let overflow =
        |group: String| side(&[group, r#"{"overflow":true,"new":0,"reused":0,"inexact":0,"marked":0}"#.into()]);
    let inexact = |opened| side(&[group("a", "10.0.0.1", opened, 0).replace(r#""marked":0"#, r#""marked":1"#)]);
    let mixed =
        || side(&[group("a", "10.0.0.1", 10, 9).replace(r#""avoidable_exact":true"#, r#""avoidable_exact":false"#)]);
    let old = || side(&[r#"{"process":"a","remote":"10.0.0.1","port":80}"#.into()]);
    for (name, before, after, expected) in [
        ("exact", good(), bad(), [(Failed, None), (Failed, None)]),
        ("better", bad(), good(), [(Passed, None), (Passed, None)]),
        ("after is cut", good(), cut(bad()), [(Failed, Some(CountsMissing)), (Failed, Some(CountsMissing))]),
        (
            "after is cut before it is bad",
            good(),
            cut(good()),
            [(Passed, Some(CountsMissing)), (Passed, Some(CountsMissing))],
        ),
        ("before is cut", cut(good()), bad(), [(Skipped, Some(CountsMissing)), (Failed, Some(CountsMissing))]),
        (
            "before has lost counts",
            lossy(good()),
            bad(),
            [(Skipped, Some(CountsMissing)), (Skipped, Some(CountsMissing))],
        ),
        (
            "after has lost counts",
            good(),
            lossy(bad()),
            [(Skipped, Some(CountsMissing)), (Skipped, Some(CountsMissing))],
        ),
        (
            "before has an overflow row",
            overflow(group("a", "10.0.0.1", 1, 0)),
            bad(),
            [(Skipped, Some(CountsMissing)), (Failed, None)],
        ),
        (
            "after has an overflow row",
            good(),
            overflow(group("a", "10.0.0.1", 10, 9)),
            [(Failed, Some(CountsMissing)), (Failed, None)],
        ),
        ("marked ratio", good(), inexact(10), [(Passed, None), (Skipped, Some(Inexact))]),
        ("marked pool", good(), mixed(), [(Skipped, Some(Inexact)), (Failed, None)]),
        ("marked pool before", mixed(), good(), [(Passed, Some(Inexact)), (Passed, None)]),
        ("unknown", old(), bad(), [(Skipped, Some(NotKnown)), (Skipped, Some(NotKnown))]),
        ("no exchange", good(), side(&[]), [(Passed, None), (Passed, Some(NoExchange))]),
    ] {
        assert_eq!(judged(before, after), expected, "{name}");
    }
}
