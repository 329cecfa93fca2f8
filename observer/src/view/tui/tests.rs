//! Screens as they look, at sizes from small to large, and keys as what they change.

use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    style::{Color, Modifier},
};

use super::{
    fixture::{self, Watch},
    *,
};
use crate::event::{Connection, RowKind, Why};

const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (200, 50)];
const PLAIN: Theme = Theme { has_colours: false, has_unicode: true };
const COLOURED: Theme = Theme { has_colours: true, has_unicode: true };

/// The screen that a watch is on, so many milliseconds after its begin.
fn screen(watch: &Watch, theme: Theme, after_ms: i64) -> Tui {
    let mut tui = Tui::new(theme, &fixture::about());
    watch.rows.iter().for_each(|row| tui.row(row));
    tui.snapshot(watch.tracker.snapshot(fixture::START_NS + after_ms * 1_000_000));
    tui
}

fn drawn(tui: &mut Tui, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| tui.draw(frame)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let rows = buffer.content().chunks(buffer.area.width.into());
    let lines = rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>());
    lines.map(|line| line.trim_end().to_string()).collect::<Vec<_>>().join("\n")
}

fn shown(tui: &mut Tui) -> String {
    text(&drawn(tui, (120, 40)))
}

/// Every character is a key; these are keys of their own.
fn press(tui: &mut Tui, keys: &str) -> Outcome {
    let mut outcome = Outcome::Nothing;
    for key in keys.chars() {
        let code = match key {
            '⏎' => KeyCode::Enter,
            '⎋' => KeyCode::Esc,
            '⇥' => KeyCode::Tab,
            '⇤' => KeyCode::BackTab,
            '↓' => KeyCode::Down,
            '↑' => KeyCode::Up,
            '⇟' => KeyCode::PageDown,
            '⇞' => KeyCode::PageUp,
            '⇱' => KeyCode::Home,
            '⇲' => KeyCode::End,
            '⌫' => KeyCode::Backspace,
            character => KeyCode::Char(character),
        };
        outcome = tui.key(KeyEvent::new(code, KeyModifiers::NONE));
    }
    outcome
}

fn selected(tui: &Tui) -> String {
    let part = tui.table.selected(tui.picture(), None).expect("a row is selected");
    words::names(part.row).0
}

fn assert_screens(name: &str, watch: &Watch) {
    for (width, height) in SIZES {
        let mut tui = screen(watch, PLAIN, 3_500);
        insta::assert_snapshot!(format!("{name}-{width}x{height}"), text(&drawn(&mut tui, (width, height))));
    }
}

#[test]
fn an_empty_watch() {
    assert_screens("empty", &Watch::new());
}

#[test]
fn the_story_with_bodies_left_unread() {
    assert_screens("undrained", &fixture::undrained());
}

#[test]
fn the_story_with_bodies_read() {
    assert_screens("drained", &fixture::drained());
}

#[test]
fn five_hundred_groups() {
    assert_screens("many", &fixture::many());
}

#[test]
fn losses() {
    assert_screens("loss", &fixture::loss());
}

#[test]
fn long_names_and_addresses() {
    assert_screens("long", &fixture::long_names());
}

/// A watch that has counted so much.
fn counted(opened: u64, closed: u64, new: u64, reused: u64) -> Watch {
    let mut watch = Watch::new();
    let counters = crate::event::Group { opened, closed, new, reused, ..Default::default() };
    watch.sample(vec![fixture::group(fixture::key(1, "127.0.0.1:80"), "curl", &counters)], 77);
    watch
}

#[test]
fn no_number_of_the_header_is_cut_off() {
    let watches =
        [(1_500, 0, 1_234, 123_456), (2_000_000, 1, 1_234_567, 9_876_543), (3, 1, 3, 0), (1_500, 0, 125_750, 873_250)];
    for (opened, closed, new, reused) in watches {
        let mut tui = screen(&counted(opened, closed, new, reused), PLAIN, 3_500);
        for (width, height) in [80, 60, 100, 120, 30].into_iter().flat_map(|width| [(width, 40), (width, 15)]) {
            let text = text(&drawn(&mut tui, (width, height)));
            let numbers = text.lines().find(|line| line.contains("NEW")).unwrap();
            let words: Vec<&str> = numbers.split_whitespace().collect();
            let open = (opened - closed).to_string();
            if width >= 60 {
                assert!(words.contains(&"TIME_WAIT") && words.contains(&"77"), "{width}: {text}");
                assert!(words.contains(&&*open) || opened > 9_999, "{width}: {text}");
            }
            if (width, height) == (80, 15) {
                assert!(words.contains(&&*new.to_string()) && words.contains(&&*reused.to_string()), "{text}");
            }
        }
    }
    let mut tui = screen(&counted(1_500, 0, 125_750, 873_250), PLAIN, 3_500);
    insta::assert_snapshot!("tall-80x40", text(&drawn(&mut tui, (80, 40))));
}

#[test]
fn losses_are_told_whole_or_not_at_all() {
    let mut watch = Watch::new();
    let loss = crate::event::LossSample { rows: 123_456, untracked: 5, mptcp: 1_234, counts: 77, ..Default::default() };
    watch.tracker.sample(crate::event::Sample { loss, ..Default::default() });
    let mut tui = screen(&watch, PLAIN, 3_500);
    let mut told = |width| {
        let text = text(&drawn(&mut tui, (width, 15)));
        text.lines().find(|line| line.contains("LOST")).unwrap().to_string()
    };
    assert_eq!(told(90), " LOST 5 connections not counted, 1234 of MPTCP not counted, 77 counts, …");
    assert_eq!(told(60), " LOST 5 connections not counted, …");
    assert_eq!(told(20), " LOST …");
}

#[test]
fn a_terminal_without_unicode() {
    let theme = Theme { has_colours: true, has_unicode: false };
    for watch in [fixture::undrained(), fixture::many(), fixture::long_names(), Watch::new()] {
        let mut tui = screen(&watch, theme, 3_500);
        for keys in ["", "⏎", "?"] {
            press(&mut tui, keys);
            let text = shown(&mut tui);
            assert!(text.is_ascii(), "{:?}: {text}", text.chars().find(|character| !character.is_ascii()));
        }
    }
    insta::assert_snapshot!("ascii-80x24", text(&drawn(&mut screen(&fixture::undrained(), theme, 3_500), (80, 24))));
}

#[test]
fn help_is_over_everything() {
    let mut tui = screen(&fixture::undrained(), PLAIN, 3_500);
    press(&mut tui, "?");
    insta::assert_snapshot!("help-80x24", text(&drawn(&mut tui, (80, 24))));
    for has_unicode in [true, false] {
        tui.theme.has_unicode = has_unicode;
        let small = text(&drawn(&mut tui, (60, 15)));
        for (key, what) in keys::HELP {
            let key = footer::key_name(&tui, key);
            assert!(small.contains(what) && small.contains(&format!("{key} ")), "{key} {what}: {small}");
        }
        assert!(small.contains("any key close"), "{small}");
    }
    tui.theme.has_unicode = true;
    insta::assert_snapshot!("help-60x15", text(&drawn(&mut tui, (60, 15))));
    assert_eq!(press(&mut tui, "x"), Outcome::Draw);
    assert_eq!(tui.mode, Mode::Look);
}

#[test]
fn nothing_is_told_by_colour_alone() {
    for watch in [fixture::undrained(), fixture::drained(), fixture::many(), fixture::loss(), fixture::long_names()] {
        for size in SIZES {
            let plain = drawn(&mut screen(&watch, PLAIN, 3_500), size);
            let coloured = drawn(&mut screen(&watch, COLOURED, 3_500), size);
            assert_eq!(text(&plain), text(&coloured));
            let has_colour = |buffer: &Buffer| {
                buffer.content().iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
            };
            assert!(!has_colour(&plain), "NO_COLOR");
            assert!(has_colour(&coloured));
        }
    }
}

/// The cells of the line that holds this text, from its first to its last character.
fn cells<'a>(buffer: &'a Buffer, wanted: &str) -> &'a [ratatui::buffer::Cell] {
    let rows = || buffer.content().chunks(buffer.area.width.into());
    let starts = |row: &[ratatui::buffer::Cell], at: usize| {
        row[at..].iter().map(ratatui::buffer::Cell::symbol).collect::<String>().starts_with(wanted)
    };
    let length = wanted.chars().count();
    rows()
        .find_map(|row| Some(&row[(0..row.len()).find(|at| starts(row, *at))?..][..length]))
        .unwrap_or_else(|| panic!("no {wanted}: {}", text(buffer)))
}

#[test]
fn styles_say_what_matters() {
    for size in SIZES {
        let buffer = drawn(&mut screen(&fixture::loss(), COLOURED, 3_500), size);
        let lost = cells(&buffer, "LOST 5 connections not counted, 1234 rows not shown");
        assert!(lost.iter().all(|cell| cell.fg == Color::Red && cell.modifier.contains(Modifier::BOLD)));
        let mut tui = screen(&fixture::many(), COLOURED, 3_500);
        for (keys, [selected, other]) in [("", ["worker-49", "worker-48"]), ("↓", ["worker-48", "worker-49"])] {
            press(&mut tui, keys);
            let buffer = drawn(&mut tui, size);
            let is_reversed = |name: &str| {
                cells(&buffer, &format!("│{name}"))[1..].iter().all(|cell| cell.modifier.contains(Modifier::REVERSED))
            };
            assert!(is_reversed(selected) && !is_reversed(other), "{size:?}");
        }
        let buffer = drawn(&mut screen(&fixture::undrained(), COLOURED, 3_500), size);
        assert!(cells(&buffer, "response-not-read").iter().all(|cell| cell.fg == Color::Magenta));
        assert!(cells(&buffer, "NEW")[0].fg == Color::Yellow && cells(&buffer, "REUSED")[0].fg == Color::Cyan);
    }
}

#[test]
fn no_size_is_too_small_or_too_large() {
    for watch in [Watch::new(), fixture::undrained(), fixture::many(), fixture::long_names(), fixture::loss()] {
        let mut tui = screen(&watch, COLOURED, 3_500);
        for keys in ["", "⏎", "?", "⎋⇥", "⇥", "⇥", "w", "/"] {
            press(&mut tui, keys);
            for size in [(0, 0), (1, 1), (2, 3), (9, 4), (30, 6), (59, 14), (61, 11), (110, 19), (300, 100)] {
                drawn(&mut tui, size);
            }
        }
    }
}

#[test]
fn names_from_outside_do_not_touch_the_screen() {
    let mut tui = screen(&fixture::long_names(), COLOURED, 10);
    tui.notice(fixture::START_NS, "a \u{1b}[31mnotice\u{7}");
    for keys in ["", "↓", "⇥", "⇥w"] {
        press(&mut tui, keys);
        let buffer = drawn(&mut tui, (200, 50));
        let control = buffer.content().iter().find(|cell| cell.symbol().chars().any(char::is_control));
        assert_eq!(control, None);
    }
    assert!(text(&drawn(&mut tui, (200, 50))).contains("\\u{1b}[31m"));
}

#[test]
fn q_and_ctrl_c_quit() {
    let mut tui = screen(&fixture::drained(), PLAIN, 10);
    assert_eq!(press(&mut tui, "q"), Outcome::Quit);
    for keys in ["", "/", "⎋?"] {
        press(&mut tui, keys);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(tui.key(interrupt), Outcome::Quit, "after {keys:?}");
    }
    assert_eq!(tui.key(KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL)), Outcome::Suspend);
    assert_eq!(tui.key(KeyEvent::new(KeyCode::Char('l'), KeyModifiers::CONTROL)), Outcome::Afresh);
    press(&mut tui, "⎋");
    assert_eq!(press(&mut tui, "~"), Outcome::Nothing);
}

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
            let counters = crate::event::Group { opened: new, new, ..Default::default() };
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
                let text = shown(&mut tui);
                assert!(text.contains(&title), "{title}: {text}");
                press(&mut tui, "o");
            }
        }
    }
}

#[test]
fn every_key_moves_as_far_as_it_says() {
    let mut tui = screen(&fixture::many(), PLAIN, 1_000);
    drawn(&mut tui, (120, 40));
    let page = tui.page();
    assert!(page > 5);
    let mut after = |keys: &str| {
        press(&mut tui, keys);
        tui.table.cursor()
    };
    assert_eq!(["j", "j", "k", "↓", "↑"].map(&mut after), [1, 2, 1, 2, 1]);
    assert_eq!(["⇟", "⇟", "⇞", "⇞", "⇞"].map(&mut after), [1 + page, 1 + 2 * page, 1 + page, 1, 0]);
    assert_eq!(["G", "j", "k", "g", "⇲", "⇱", "k"].map(&mut after), [499, 499, 498, 0, 499, 0, 0]);

    let mut tui = screen(&fixture::undrained(), PLAIN, 3_500);
    press(&mut tui, "⇥");
    let mut after = |keys: &str| {
        drawn(&mut tui, (80, 24));
        press(&mut tui, keys);
        drawn(&mut tui, (80, 24));
        tui.detail_offset
    };
    let last = after("G");
    assert!(last > 5);
    assert_eq!(["g", "j", "j", "k", "⇞", "⇲", "↑"].map(&mut after), [0, 1, 2, 1, 0, last, last - 1]);
    assert!(after("⇱⇟") > 2, "as many rows as are seen");
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
    let counters = crate::event::Group { opened: 2, new: 2, ..Default::default() };
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
    let counters = crate::event::Group { opened: 2, new: 2, ..Default::default() };
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
        let mut counters = crate::event::Group { opened, new: opened, reused, ..Default::default() };
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
        let counters = |opened: u64| crate::event::Group { opened, new: opened, ..Default::default() };
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
                let counters = crate::event::Group { opened: *opened, new: *opened, ..Default::default() };
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
        let mut counters = crate::event::Group { opened, closed, new: opened, reused, ..Default::default() };
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
        let counters = crate::event::Group { opened, new: opened, ..Default::default() };
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
fn no_bar_is_cut_off_nor_a_port() {
    let mut watch = Watch::new();
    let mut counters = crate::event::Group { opened: 30, closed: 20, new: 30, ..Default::default() };
    counters.exchanges_per_connection = [10, 20, 0, 0, 0];
    counters.why[Why::Concurrency as usize] = 30;
    counters.closes = counters.closes.map(|_| 2);
    counters.lifetimes[3] = 20;
    counters.failures[1] = 5;
    let remote = "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535";
    watch.sample(vec![fixture::group(fixture::key(4_194_303, remote), "a-fifteen-bytes", &counters)], 0);
    for theme in [PLAIN, Theme { has_unicode: false, ..PLAIN }] {
        let mut tui = screen(&watch, theme, 1_000);
        press(&mut tui, "⇥w");
        for width in 60..=130 {
            let text = text(&drawn(&mut tui, (width, 60)));
            assert!(text.contains("]:65535") || text.contains("678]:65535"), "{text}");
            let [piece, ..] = theme.pieces();
            let body = text.lines().filter(|line| line.starts_with(['│', '|']));
            for line in body {
                let inner = line.trim_end_matches(['│', '|']);
                assert!(!inner.ends_with(piece) || inner.chars().count() < usize::from(width), "{width}: {line}");
            }
            let bars = text.lines().find(|line| line.contains("concurrency")).unwrap();
            assert!(bars.matches(piece).count() > 5, "{width}: {bars}");
        }
    }
}

#[test]
fn what_is_not_exact_and_what_is_not_listed_says_so() {
    let mut watch = fixture::undrained();
    let key = fixture::key(443, "127.0.0.1:8080");
    let close = watch.rows.last().unwrap().event.connection.clone();
    watch.event(2_000, RowKind::Close, key, 99, Connection { exact: false, exchanges: 7, ..close.clone() });
    watch.event(2_000, RowKind::Open, key, 100, close);
    let counters = crate::event::Group { pre_existing: 13, opened: 1, new: 4, inexact: 4, ..Default::default() };
    watch.sample(vec![fixture::group(key, "client", &counters)], 0);
    let mut tui = screen(&Watch::new(), PLAIN, 0);
    press(&mut tui, "r");
    watch.rows.iter().for_each(|row| tui.row(row));
    let snapshot = watch.tracker.snapshot(fixture::START_NS + 5_000_000_000);
    let since = tui.since_reset(&snapshot).unwrap();
    assert!(since.contains("≈4 exchanges, ≈4 new, ≈0 reused"), "{since}");
    tui.snapshot(snapshot);
    let ask = tui.asks()[0];
    let standing = Standing { activity: crate::event::Activity::Busy, exchanges: 3, is_exact: false };
    tui.looked_at(&ask, Some(standing));
    press(&mut tui, "⇥w");
    let text = shown(&mut tui);
    assert!(text.contains("Open 14, 1 listed; those from before the watch are not"), "{text}");
    assert!(text.contains("≈7 exchanges") && text.contains("≈3 exchanges") && text.contains("1 exchange,"), "{text}");
}

#[test]
fn thousands_of_processes_of_one_name_are_counted_since_a_reset_in_no_time() {
    // Looking at all of them for each of them would take minutes.
    const PROCESSES: u32 = 10_000;
    let mut watch = Watch::new();
    let groups = |more: u64| {
        let counters = |pid: u32| crate::event::Group { opened: u64::from(pid) + more, new: 1, ..Default::default() };
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

#[test]
fn panes_take_the_keys_in_turn_and_fill_the_screen() {
    let mut tui = screen(&fixture::undrained(), PLAIN, 3_500);
    let mut focused = Vec::new();
    for _ in PANES {
        press(&mut tui, "⇥");
        focused.push(tui.focus);
    }
    assert_eq!(focused, [Pane::Detail, Pane::Log, Pane::Chart, Pane::Groups]);
    press(&mut tui, "⇤⇤w");
    let log = text(&drawn(&mut tui, (80, 24)));
    assert!(tui.focus == Pane::Log && !log.contains("Groups") && log.contains("open   client[443]"), "{log}");
    press(&mut tui, "w");
    assert!(text(&drawn(&mut tui, (80, 24))).contains("Groups"));
}

#[test]
fn the_detail_scrolls_as_far_as_there_is_something() {
    let mut tui = screen(&fixture::undrained(), PLAIN, 3_500);
    press(&mut tui, "⇥⇲");
    let end = text(&drawn(&mut tui, (80, 24)));
    assert!(!end.contains("more below") && end.contains("unread-response after 1.2 ms"), "{end}");
    press(&mut tui, "↑");
    assert!(text(&drawn(&mut tui, (80, 24))).contains("1 more below"));
    press(&mut tui, "⇱");
    assert!(text(&drawn(&mut tui, (80, 24))).contains("response-not-read"));
}

#[test]
fn the_footer_has_keys_that_work() {
    let mut tui = screen(&fixture::undrained(), PLAIN, 3_500);
    let has = |tui: &Tui, key: &str, what: &str| tui.useful_keys().contains(&(key, what));
    assert!(!has(&tui, "Enter", "unfold"), "there is one process");
    press(&mut tui, "⇥⇥p");
    assert!(has(&tui, "p", "follow"));
    press(&mut tui, "⎋/c");
    assert_eq!(tui.useful_keys()[1], ("Esc", "clear"));
    press(&mut tui, "no such thing⏎");
    assert!(has(&tui, "Esc", "no filter") && !has(&tui, "↑↓", "select"));

    let mut tui = screen(&Watch::new(), PLAIN, 0);
    for (key, what) in [("↑↓", "select"), ("/", "filter"), ("s o", "sort")] {
        assert!(!has(&tui, key, what), "there is nothing to {what}");
    }
    let mut watch = Watch::new();
    let counters = crate::event::Group { opened: 2, new: 2, ..Default::default() };
    let groups = (1..=3).map(|pid| fixture::group(fixture::key(pid, "127.0.0.1:80"), "curl", &counters)).collect();
    watch.sample(groups, 0);
    tui.snapshot(watch.tracker.snapshot(fixture::START_NS));
    assert!(has(&tui, "Enter", "unfold"));
    press(&mut tui, "⏎↓");
    assert!(has(&tui, "Enter", "fold") && !has(&tui, "Enter", "unfold"));
    let small = text(&drawn(&mut tui, (60, 15)));
    let footer = small.lines().last().unwrap();
    assert_eq!(footer, " q quit  ? help  ↑↓ select  Enter fold  / filter  s o sort");
}
