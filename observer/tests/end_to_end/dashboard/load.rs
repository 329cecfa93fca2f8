//! The dashboard under the heaviest load: a recording with 10,000 groups and 100,000 opens and closes a second. Every key
//! has its effect, and the totals are right. `cargo xtask bench` measures how fast that is, and how much memory it takes.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use tempfile::tempdir_in;
use terminal::Size;

use crate::support::{
    busy::{self, Truth},
    dashboard::{Dashboard, has_text},
    machine::Machine,
    report::assert_fields,
    tool,
};

const SECONDS: u64 = 3;

/// A hang is told by this. A debug build on a busy machine takes a while.
const LIMIT: Duration = Duration::from_mins(5);

/// Each key, a text that shows its effect, and whether the text appears or disappears.
const STEPS: [(&str, &str, bool); 13] = [
    ("?", "any key", true),
    ("\u{1b}", "any key", false),
    // Each of these keys rearranges all groups.
    ("s", "REUSED▼", true),
    ("o", "REUSED▲", true),
    (" ", "FROZEN", true),
    ("S", "NEW▼", true),
    (" ", "FROZEN", false),
    ("r", "since reset 0:0", true),
    ("/", "/_", true),
    ("7", "/7_", true),
    ("\u{1b}", "/7_", false),
    ("o", "NEW▲", true),
    ("o", "NEW▼", true),
];

#[test]
fn keys_and_totals_are_right_with_ten_thousand_groups_and_a_hundred_thousand_events_a_second() {
    let _machine = Machine::alone();
    let folder = tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("cannot create a directory");
    let [recording, file] = ["recording", "summary"].map(|name| folder.path().join(name));
    let Truth { opened, closed, reused } = busy::write(&recording, SECONDS);
    let mut command = tool::command("replay");
    command.arg(&recording).arg("--summary").arg(&file);
    let mut dashboard = Dashboard::start_command(Size { columns: 120, rows: 40 }, command, &[]);
    for (key, text, comes) in STEPS {
        dashboard.press(key);
        dashboard.wait(text, LIMIT, |screen| has_text(screen, text) == comes);
    }
    dashboard.wait("the end", LIMIT, |screen| has_text(screen, "END  "));
    dashboard.quit();
    let summary: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_fields(&summary["totals"], &json!({ "opened": opened, "closed": closed, "new": closed, "reused": reused }));
    assert_eq!(summary["groups"].as_array().map(Vec::len), Some(busy::GROUPS as usize));
}
