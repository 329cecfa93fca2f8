//! What time does: a frozen screen, counts since a reset, rates and the chart.

use super::*;

#[test]
fn freezing_stops_the_picture_and_not_the_count() {
    let mut tui = screen(&fixture::drained(), PLAIN, 1_000);
    press(&mut tui, " ");
    let frozen = shown(&mut tui);
    assert!(frozen.contains("FROZEN"));
    let later = fixture::undrained();
    later.rows.iter().for_each(|row| tui.row(row));
    tui.snapshot(later.tracker.snapshot(fixture::START_NS + 9_000_000_000));
    assert_eq!(shown(&mut tui), frozen);
    press(&mut tui, " ");
    let went_on = shown(&mut tui);
    assert!(went_on.contains("0:09") && went_on.contains("client[443]"), "{went_on}");
}

#[test]
fn a_frozen_log_stays_whatever_comes_and_wherever_it_is_held() {
    let mut tui = screen(&fixture::undrained(), PLAIN, 3_500);
    press(&mut tui, " ⇥⇥w");
    let frozen = shown(&mut tui);
    let more = |tui: &mut Tui| (0..6_000).for_each(|n| tui.notice(fixture::START_NS, &format!("later {n}")));
    more(&mut tui);
    assert_eq!(shown(&mut tui), frozen, "also when it has forgotten by now what is shown");
    press(&mut tui, "p");
    assert!(shown(&mut tui).contains("Log, held: 0 more"));
    assert!(!shown(&mut tui).contains("later"));
    press(&mut tui, "p⇞⇟⇟⇟");
    assert_eq!(shown(&mut tui), frozen, "there is nothing beyond");
    press(&mut tui, "p ");
    more(&mut tui);
    assert!(shown(&mut tui).contains("Log, held: 12000 more"), "what was held goes on being held");
    press(&mut tui, "p");
    assert!(shown(&mut tui).contains("later 5999"));
}

#[test]
fn a_reset_is_of_the_screen_only() {
    let counted = |opened: u64, reused: u64| {
        let mut watch = Watch::new();
        let mut counters = crate::event::GroupCounters { opened, new: opened, reused, ..Default::default() };
        counters.exchanges_per_connection[1] = opened;
        watch.sample(vec![fixture::group(fixture::key(1, "127.0.0.1:80"), "curl", &counters)], 0);
        watch.tracker.snapshot(fixture::START_NS + 1_000_000 * opened.cast_signed())
    };
    let mut tui = screen(&Watch::new(), PLAIN, 0);
    tui.snapshot(counted(1_000, 5));
    press(&mut tui, "r");
    tui.snapshot(counted(3_000, 12));
    let text = text(&drawn(&mut tui, (80, 24)));
    assert!(text.contains("NEW 2000  REUSED 7  RATIO 0.3 %") && text.contains("since reset 0:02"), "{text}");
    assert_eq!(
        tui.since_reset(&counted(3_000, 12)).unwrap(),
        "since the reset of the screen, 0:02 ago: 2007 exchanges, 2000 new, 7 reused (0.3 %)"
    );
    assert_eq!(tui.now.snapshot.totals.new, 3_000);
    assert_eq!(screen(&Watch::new(), PLAIN, 0).since_reset(&counted(3_000, 12)), None);
}

#[test]
fn counts_since_a_reset_follow_processes_that_end() {
    let groups = |has_ended: bool| {
        let counters = |opened: u64| crate::event::GroupCounters { opened, new: opened, ..Default::default() };
        let grown = u64::from(has_ended);
        (1..=3u32)
            .map(|pid| {
                let mut group = fixture::group(fixture::key(pid, "127.0.0.1:80"), "curl", &counters(10 + grown));
                (group.ended, group.process_ended) = (has_ended && pid < 3, has_ended && pid < 3);
                group
            })
            .collect()
    };
    let mut watch = Watch::new();
    watch.sample(groups(false), 0);
    let mut tui = screen(&watch, PLAIN, 1_000);
    press(&mut tui, "⏎r");
    watch.sample(groups(true), 0);
    tui.snapshot(watch.tracker.snapshot(fixture::START_NS + 2_000_000_000));
    let parts = tui.table.rows().iter().map(|place| table::part_at(tui.picture(), *place, tui.baseline.as_ref()));
    let new: Vec<(Option<u32>, u64)> = parts.map(|part| (part.row.pid, part.counts.new)).collect();
    assert_eq!(new, [(None, 3), (None, 2), (Some(3), 1)]);
}

#[test]
fn counts_since_a_reset_follow_one_process_that_gets_company_and_ends() {
    let groups = |all: &[(u32, u64, bool)]| {
        all.iter()
            .map(|(pid, opened, has_ended)| {
                let counters = crate::event::GroupCounters { opened: *opened, new: *opened, ..Default::default() };
                let mut group = fixture::group(fixture::key(*pid, "127.0.0.1:80"), "curl", &counters);
                (group.ended, group.process_ended) = (*has_ended, *has_ended);
                group
            })
            .collect()
    };
    let mut watch = Watch::new();
    watch.sample(groups(&[(1, 10, false)]), 0);
    let mut tui = screen(&watch, PLAIN, 1_000);
    press(&mut tui, "⏎r");
    let mut opened_after = |all: &[(u32, u64, bool)]| {
        watch.sample(groups(all), 0);
        tui.snapshot(watch.tracker.snapshot(fixture::START_NS + 2_000_000_000));
        if tui.table.rows().len() == 1 {
            press(&mut tui, "⏎");
        }
        let parts = tui.table.rows().iter().map(|place| table::part_at(tui.picture(), *place, tui.baseline.as_ref()));
        let mut opened: Vec<(Option<u32>, u64)> = parts.map(|part| (part.row.pid, part.counts.opened)).collect();
        opened.sort_unstable();
        opened
    };
    assert_eq!(opened_after(&[(1, 11, false), (2, 5, false)]), [(None, 6), (Some(1), 1), (Some(2), 5)]);
    let over = [(1, 12, true), (2, 6, true), (3, 1, false)];
    assert_eq!(opened_after(&over), [(None, 8), (None, 9), (Some(3), 1)]);
}

#[test]
fn exchanges_per_connection_are_told_after_a_reset_only_where_they_are_known() {
    let counted = |opened: u64, closed: u64, reused: u64| {
        let mut watch = Watch::new();
        let mut counters = crate::event::GroupCounters { opened, closed, new: opened, reused, ..Default::default() };
        counters.exchanges_per_connection[1] = opened;
        watch.sample(vec![fixture::group(fixture::key(1, "127.0.0.1:80"), "curl", &counters)], 0);
        watch.tracker.snapshot(fixture::START_NS + 1_000_000_000)
    };
    let per_connection = |before: Snapshot, after: Snapshot| {
        let mut tui = screen(&Watch::new(), PLAIN, 0);
        tui.snapshot(before);
        press(&mut tui, "r");
        tui.snapshot(after);
        let part = table::part_at(tui.picture(), tui.table.rows()[0], tui.baseline.as_ref());
        part.exchanges_per_connection()
    };
    assert_eq!(per_connection(counted(4, 4, 4), counted(6, 5, 8)), Some(3.0));
    assert_eq!(per_connection(counted(4, 3, 4), counted(6, 5, 8)), None, "the one that was open may have had them all");
    assert_eq!(per_connection(Snapshot::default(), counted(2, 0, 4)), Some(3.0));
}

#[test]
fn what_goes_by_unseen_is_in_the_chart_all_the_same() {
    let at = |second: i64, opened: u64| {
        let mut watch = Watch::new();
        let counters = crate::event::GroupCounters { opened, new: opened, ..Default::default() };
        watch.sample(vec![fixture::group(fixture::key(1, "127.0.0.1:80"), "curl", &counters)], 0);
        watch.tracker.snapshot(fixture::START_NS + second * 1_000_000_000)
    };
    let mut tui = screen(&Watch::new(), PLAIN, 0);
    tui.snapshot(at(1, 0));
    tui.pass(&at(2, 60));
    (3..=9).for_each(|second| tui.pass(&at(second, 60)));
    assert!(tui.table.rows().is_empty() && tui.picture().snapshot.duration_us == 1_000_000, "it is not shown yet");
    tui.snapshot(at(10, 60));
    let new: Vec<f64> = tui.picture().history.columns(1, 10).iter().map(|rate| rate.new).collect();
    assert_eq!(new, [0.0, 60.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let part = table::part_at(tui.picture(), tui.table.rows()[0], None);
    assert_eq!(part.connects_per_second(), Some(0.0), "within the last five seconds");
}

#[test]
fn thousands_of_processes_of_one_name_are_counted_since_a_reset_in_no_time() {
    // Looking at all of them for each of them would take minutes.
    const PROCESSES: u32 = 10_000;
    let mut watch = Watch::new();
    let groups = |more: u64| {
        let counters =
            |pid: u32| crate::event::GroupCounters { opened: u64::from(pid) + more, new: 1, ..Default::default() };
        (1..=PROCESSES).map(|pid| fixture::group(fixture::key(pid, "127.0.0.1:80"), "curl", &counters(pid))).collect()
    };
    watch.sample(groups(0), 0);
    let mut tui = screen(&watch, PLAIN, 1_000);
    press(&mut tui, "r⏎");
    watch.sample(groups(3), 0);
    tui.snapshot(watch.tracker.snapshot(fixture::START_NS + 2_000_000_000));
    let parts = tui.table.rows().iter().map(|place| table::part_at(tui.picture(), *place, tui.baseline.as_ref()));
    let opened: Vec<u64> = parts.map(|part| part.counts.opened).collect();
    assert_eq!(opened.len() as u32, PROCESSES + 1);
    assert!(opened[0] == 3 * u64::from(PROCESSES) && opened[1..].iter().all(|opened| *opened == 3));
}
