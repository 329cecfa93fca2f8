//! The table of groups: what is selected, sorted, filtered and unfolded.

use super::*;

#[test]
fn the_selection_stays_with_its_row() {
    let mut tui = screen(&fixture::many(), PLAIN, 1_000);
    press(&mut tui, "↓↓↓");
    let third = selected(&tui);
    for keys in ["s", "s", "o", "S"] {
        press(&mut tui, keys);
        assert_eq!(selected(&tui), third, "after {keys}");
    }
    tui.snapshot(fixture::many().tracker.snapshot(fixture::START_NS));
    assert_eq!(selected(&tui), third);
    press(&mut tui, "⇱");
    assert_ne!(selected(&tui), third);
}

#[test]
fn the_worst_group_is_selected_until_someone_chooses() {
    let snapshot = |new: [u64; 3]| {
        let mut watch = Watch::new();
        let group = |(pid, new): (u32, u64)| {
            let counters = crate::event::GroupCounters { opened: new, new, ..Default::default() };
            fixture::group(fixture::key(pid, "127.0.0.1:80"), &format!("p{pid}"), &counters)
        };
        watch.sample((1..).zip(new).map(group).collect(), 0);
        watch.tracker.snapshot(fixture::START_NS + 1_000_000_000)
    };
    let mut tui = screen(&Watch::new(), PLAIN, 0);
    let mut selected_after = |keys: &str, new| {
        press(&mut tui, keys);
        tui.snapshot(snapshot(new));
        selected(&tui)
    };
    assert_eq!(selected_after("", [9, 1, 1]), "p1[1]");
    assert_eq!(selected_after("", [9, 10, 1]), "p2[2]");
    assert_eq!(selected_after("↓", [9, 10, 11]), "p1[1]", "which was the second");
    assert_eq!(selected_after("⇱", [9, 10, 11]), "p3[3]");
    assert_eq!(selected_after("", [12, 10, 11]), "p1[1]", "the first again, whichever that is");
    assert_eq!(selected_after("⇥j", [12, 13, 11]), "p1[1]", "its detail is being read");
}

#[test]
fn every_column_sorts_both_ways() {
    let mut tui = screen(&fixture::many(), PLAIN, 1_000);
    for _ in column::COLUMNS {
        press(&mut tui, "s");
        let column = tui.table.sorted_by;
        let keys = |tui: &Tui| {
            let rows = tui.table.rows().iter().map(|place| table::part_at(tui.picture(), *place, None));
            rows.map(|part| column.key(&part)).collect::<Vec<_>>()
        };
        assert_eq!(tui.table.greatest_first, column.begins_with_greatest(), "{column:?}");
        let ways = [keys(&tui), {
            press(&mut tui, "o");
            keys(&tui)
        }];
        let [ascending, descending] = if column.begins_with_greatest() { [1, 0] } else { [0, 1] };
        assert_eq!(ways[ascending].len(), 500);
        assert!(ways[ascending].is_sorted(), "{column:?}");
        assert!(ways[descending].is_sorted_by(|one, next| one >= next), "{column:?}");
    }
}

#[test]
fn what_it_is_sorted_by_is_seen() {
    for theme in [PLAIN, Theme { has_unicode: false, ..PLAIN }] {
        let mut tui = screen(&fixture::many(), theme, 1_000);
        for _ in column::COLUMNS {
            press(&mut tui, "s");
            for mark in if tui.table.greatest_first { ["▼", "▲"] } else { ["▲", "▼"] } {
                let title = format!("{}{}", tui.table.sorted_by.title(), theme.text(mark));
                // Wide enough for every column.
                let text = text(&drawn(&mut tui, (140, 40)));
                assert!(text.contains(&title), "{title}: {text}");
                press(&mut tui, "o");
            }
        }
    }
}

#[test]
fn a_filter_finds_processes_addresses_and_ports_as_it_is_typed() {
    let mut tui = screen(&fixture::many(), PLAIN, 1_000);
    let all = tui.table.rows().len();
    let rows_after = |tui: &mut Tui, keys: &str| {
        press(tui, keys);
        tui.table.rows().len()
    };
    assert_eq!(rows_after(&mut tui, "/WORKER-07"), 10);
    assert_eq!(rows_after(&mut tui, "⌫⌫⌫⌫⌫⌫⌫⌫⌫2001:db8::f9]"), 1);
    assert_eq!(rows_after(&mut tui, "⎋"), all);
    assert_eq!(rows_after(&mut tui, "/:443⏎"), 167);
    assert!(tui.table.families == 167 && tui.mode == Mode::Look, "it is kept");
    assert!(shown(&mut tui).contains("Groups 167 of 500 /:443"));
    assert_eq!(rows_after(&mut tui, "⎋"), all);
    assert_eq!(rows_after(&mut tui, "/nothing like it"), 0);
    assert!(shown(&mut tui).contains("nothing holds this text"));
    assert_eq!(press(&mut tui, "q"), Outcome::Draw, "it is a letter here");
}

#[test]
fn a_name_with_several_processes_unfolds() {
    let mut watch = Watch::new();
    let counters = crate::event::GroupCounters { opened: 2, new: 2, ..Default::default() };
    let groups = (1..=3).map(|pid| fixture::group(fixture::key(pid, "127.0.0.1:80"), "curl", &counters)).collect();
    watch.sample(groups, 0);
    let mut tui = screen(&watch, PLAIN, 1_000);
    assert_eq!((tui.table.rows().len(), selected(&tui)), (1, "curl ×3".into()));
    press(&mut tui, "⏎↓↓");
    assert_eq!((tui.table.rows().len(), selected(&tui)), (4, "curl[2]".into()));
    press(&mut tui, "⏎");
    assert_eq!((tui.table.rows().len(), selected(&tui)), (1, "curl ×3".into()));
}

#[test]
fn processes_of_a_name_are_in_the_order_of_their_numbers() {
    let mut watch = Watch::new();
    let counters = crate::event::GroupCounters { opened: 2, new: 2, ..Default::default() };
    let pids = [1000, 99, 7, 20_000];
    let groups = pids.map(|pid| fixture::group(fixture::key(pid, "127.0.0.1:80"), "curl", &counters));
    watch.sample(groups.into(), 0);
    let mut tui = screen(&watch, PLAIN, 1_000);
    while tui.table.sorted_by != column::Column::Process {
        press(&mut tui, "s");
    }
    press(&mut tui, "⏎");
    let parts = tui.table.rows().iter().map(|place| table::part_at(tui.picture(), *place, None));
    let order: Vec<Option<u32>> = parts.map(|part| part.row.pid).collect();
    assert_eq!(order, [None, Some(7), Some(99), Some(1000), Some(20_000)]);
}
