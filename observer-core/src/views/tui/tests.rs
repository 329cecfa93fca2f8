//! Rendered screens at sizes from small to large. The modules below test the table, the keys and the passing of time.

mod keys;
mod table;
mod time;

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
use crate::{
    model::{Connection, GroupCounters, LossSample, RowKind, Why},
    views::{
        tui::state::{
            column::{COLUMNS, Column},
            keys::{KEYS, Mode},
            layout::PANES,
            table::row_at,
            table_row::TableRow,
        },
        words,
    },
};

const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (200, 50)];
const PLAIN: Theme = Theme { has_colours: false, has_unicode: true };
const COLOURED: Theme = Theme { has_colours: true, has_unicode: true };

/// The dashboard of a watch, this many milliseconds after its start.
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

/// Presses a key for each character; some characters stand for special keys.
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
    let row = tui.state.table.selected(tui.state.picture(), None).expect("a row is selected");
    words::names(row.group).0
}

/// The rows of the table, from top to bottom.
fn table_rows(tui: &Tui) -> impl Iterator<Item = TableRow<'_>> {
    let State { table, baseline, .. } = &tui.state;
    table.rows().iter().map(|place| row_at(tui.state.picture(), *place, baseline.as_ref()))
}

/// The keys and labels of the footer, before they are cut to the width of the screen.
fn hints(tui: &Tui) -> Vec<(String, &'static str)> {
    panes::hints(&tui.scene())
}

/// Compares a screen with the stored one. File names hold no module path: a moved module keeps its screens.
fn assert_screen(name: &str, tui: &mut Tui, (width, height): (u16, u16)) {
    insta::with_settings!({prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(format!("{name}-{width}x{height}"), text(&drawn(tui, (width, height))));
    });
}

fn assert_screens(name: &str, watch: &Watch) {
    for size in SIZES {
        assert_screen(name, &mut screen(watch, PLAIN, 3_500), size);
    }
}

#[test]
fn empty_watch() {
    assert_screens("empty", &Watch::new());
}

#[test]
fn watch_with_unread_bodies() {
    assert_screens("undrained", &fixture::undrained());
}

#[test]
fn watch_with_bodies_read() {
    assert_screens("drained", &fixture::drained());
}

#[test]
fn watch_with_500_groups() {
    assert_screens("many", &fixture::many());
}

#[test]
fn watch_with_losses() {
    assert_screens("loss", &fixture::loss());
}

#[test]
fn watch_with_long_names_and_addresses() {
    assert_screens("long", &fixture::long_names());
}

/// A watch of one group with these counts.
fn counted(opened: u64, closed: u64, new: u64, reused: u64) -> Watch {
    let mut watch = Watch::new();
    let counters = GroupCounters { opened, closed, new, reused, ..Default::default() };
    watch.sample(vec![fixture::group(fixture::key(1, "127.0.0.1:80"), "curl", &counters)], 77);
    watch
}

#[test]
fn header_never_cuts_a_number() {
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
                assert!(words.contains(&"AVOIDABLE"), "{width}: {text}");
            }
            if width >= 80 {
                assert!(words.contains(&"TIME_WAIT") && words.contains(&"77"), "{width}: {text}");
                assert!(words.contains(&&*open) || opened > 9_999, "{width}: {text}");
            }
            if (width, height) == (80, 15) {
                assert!(words.contains(&&*new.to_string()) && words.contains(&&*reused.to_string()), "{text}");
            }
        }
    }
    let mut tui = screen(&counted(1_500, 0, 125_750, 873_250), PLAIN, 3_500);
    assert_screen("tall", &mut tui, (80, 40));
}

#[test]
fn header_never_cuts_a_loss() {
    let mut watch = Watch::new();
    let mut shown = |loss, width| {
        watch.tracker.sample(crate::model::Sample { loss, ..Default::default() });
        let text = text(&drawn(&mut screen(&watch, PLAIN, 3_500), (width, 15)));
        text.lines().find(|line| line.contains("LOST")).unwrap().to_string()
    };
    let none = LossSample::default();
    let loss = LossSample { rows: 123_456, untracked: 5, mptcp: 1_234, counts: 77, ..none };
    assert_eq!(shown(loss, 90), " LOST 5 connections not counted, 1234 of MPTCP not counted, 77 counts, …");
    assert_eq!(shown(loss, 60), " LOST 5 connections not counted, …");
    assert_eq!(shown(loss, 20), " LOST …");
    let loss = LossSample { ownerless: 1, unlisted: 2, ungrouped: 3, not_removed: 4, ..none };
    let line = " LOST 1 processes not looked up, 2 sockets not listed, 3 connections not named, 4 entries not removed";
    assert_eq!(shown(loss, 120), line);
}

#[test]
fn terminal_without_unicode_gets_only_ascii() {
    let theme = Theme { has_colours: true, has_unicode: false };
    for watch in [fixture::undrained(), fixture::many(), fixture::long_names(), Watch::new()] {
        let mut tui = screen(&watch, theme, 3_500);
        for keys in ["", "⏎", "?"] {
            press(&mut tui, keys);
            let text = shown(&mut tui);
            assert!(text.is_ascii(), "{:?}: {text}", text.chars().find(|character| !character.is_ascii()));
        }
    }
    assert_screen("ascii", &mut screen(&fixture::undrained(), theme, 3_500), (80, 24));
}

#[test]
fn help_covers_the_panes_and_any_key_closes_it() {
    let mut tui = screen(&fixture::undrained(), PLAIN, 3_500);
    press(&mut tui, "?");
    assert_screen("help", &mut tui, (80, 24));
    for has_unicode in [true, false] {
        tui.theme.has_unicode = has_unicode;
        let small = text(&drawn(&mut tui, (60, 15)));
        for binding in KEYS {
            let (keys, help) = (tui.theme.keys(binding.keys), binding.help);
            assert!(small.contains(help) && small.contains(&format!("{keys} ")), "{keys} {help}: {small}");
        }
        assert!(small.contains("any key close"), "{small}");
    }
    tui.theme.has_unicode = true;
    assert_screen("help", &mut tui, (60, 15));
    assert_eq!(press(&mut tui, "x"), Outcome::Draw);
    assert_eq!(tui.state.mode, Mode::Normal);
}

#[test]
fn screens_show_the_same_information_without_colours() {
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

/// The cells of this text on the screen.
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
fn losses_selection_and_findings_have_their_styles() {
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
fn every_size_can_be_drawn() {
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
fn control_characters_in_names_are_escaped() {
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
fn detail_never_cuts_a_bar_or_a_port() {
    let mut watch = Watch::new();
    let mut counters = GroupCounters { opened: 30, closed: 20, new: 30, ..Default::default() };
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
fn detail_shows_the_application_and_the_cgroup() {
    let mut watch = Watch::new();
    let counters = GroupCounters {
        opened: 1,
        new: 1,
        reused: 9,
        application: crate::model::Application::Postgresql as u64,
        ..Default::default()
    };
    let key = fixture::key(443, "127.0.0.1:5432");
    let mut group = fixture::group(key, "client", &counters);
    watch.sample(vec![group.clone()], 0);
    for (width, height) in SIZES {
        let mut tui = screen(&watch, PLAIN, 3_500);
        press(&mut tui, "⇥");
        let text = text(&drawn(&mut tui, (width, height)));
        assert!(text.contains("│speaks postgresql") && text.contains("│no finding"), "{text}");
    }
    group.cgroup = Some("shop.service".into());
    watch.sample(vec![group], 0);
    let text = shown(&mut screen(&watch, PLAIN, 3_500));
    assert!(text.contains("│speaks postgresql, in shop.service"), "{text}");
}

#[test]
fn marked_connection_marks_the_exchanges_of_its_group() {
    let mut watch = Watch::new();
    let counters = GroupCounters { opened: 3, new: 2, reused: 8, marked: 1, ..Default::default() };
    watch.sample(vec![fixture::group(fixture::key(443, "127.0.0.1:8080"), "client", &counters)], 0);
    let text = text(&drawn(&mut screen(&watch, PLAIN, 3_500), (80, 15)));
    assert!(text.contains("NEW ≈2 ") && text.contains("REUSED ≈8 "), "{text}");
    assert_eq!([text.matches("≈2").count(), text.matches("≈8").count()], [2, 2], "also in its row: {text}");
}

#[test]
fn inexact_counts_and_unlisted_connections_are_explained() {
    let mut watch = fixture::undrained();
    let key = fixture::key(443, "127.0.0.1:8080");
    let close = watch.rows.last().unwrap().event.connection.clone();
    watch.event(2_000, RowKind::Close, key, 99, Connection { exact: false, exchanges: 7, ..close.clone() });
    watch.event(2_000, RowKind::Open, key, 100, close);
    let counters = GroupCounters { pre_existing: 13, opened: 1, new: 4, inexact: 4, ..Default::default() };
    watch.sample(vec![fixture::group(key, "client", &counters)], 0);
    let mut tui = screen(&Watch::new(), PLAIN, 0);
    press(&mut tui, "r");
    watch.rows.iter().for_each(|row| tui.row(row));
    let snapshot = watch.tracker.snapshot(fixture::START_NS + 5_000_000_000);
    let since = tui.since_reset(&snapshot).unwrap();
    assert!(since.contains("≈4 exchanges, ≈4 new, ≈0 reused"), "{since}");
    tui.snapshot(snapshot);
    let query = tui.activity_queries()[0];
    let activity = Activity { state: crate::model::ConnectionState::Busy, exchanges: 3, is_exact: false };
    tui.activity(&query, Some(activity));
    press(&mut tui, "⇥w");
    let text = shown(&mut tui);
    assert!(text.contains("Open 14, 1 listed; those from before the watch are not"), "{text}");
    assert!(text.contains("≈7 exchanges") && text.contains("≈3 exchanges") && text.contains("1 exchange,"), "{text}");
}
