//! Keys as what they change, and the footer, which tells of them.

use super::*;

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
    let counters = crate::event::GroupCounters { opened: 2, new: 2, ..Default::default() };
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
