//! The footer: the keys that do something at the moment, as many as fit.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::scene::Scene;
use crate::views::tui::state::{
    keys::{Command, Mode, Step, names},
    layout::Pane,
};

const UP_AND_DOWN: [Command; 2] = [Command::Move(Step::Up), Command::Move(Step::Down)];

pub(super) fn draw(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    if area.is_empty() {
        return;
    }
    let theme = scene.theme;
    let mut line = Line::default();
    for (keys, label) in hints(scene) {
        let keys = theme.keys(&keys);
        if line.width() + keys.chars().count() + label.chars().count() + 3 > usize::from(area.width) {
            continue;
        }
        line.push_span(Span::raw(" "));
        line.push_span(Span::styled(keys, theme.bold()));
        line.push_span(Span::styled(format!(" {label} "), theme.dim()));
    }
    frame.buffer_mut().set_line(area.x, area.y, &line, area.width);
}

/// Keys with their labels, the most useful first.
pub(crate) fn hints(scene: &Scene<'_>) -> Vec<(String, &'static str)> {
    let key = |commands: &[Command], label| (names(scene.mode, commands), label);
    match scene.mode {
        Mode::Normal => normal_hints(scene).iter().map(|(commands, label)| key(commands, *label)).collect(),
        Mode::Help => vec![("any key".into(), "close"), key(&[Command::Quit], "quit")],
        Mode::Filter => {
            let mut hints = vec![key(&[Command::KeepFilter], "keep"), key(&[Command::ClearFilter], "clear")];
            if !scene.table.rows().is_empty() {
                hints.push(key(&[Command::Select(Step::Up), Command::Select(Step::Down)], "select"));
            }
            hints
        }
    }
}

fn normal_hints(scene: &Scene<'_>) -> Vec<(Vec<Command>, &'static str)> {
    let mut hints = vec![(vec![Command::Quit], "quit"), (vec![Command::OpenHelp], "help")];
    let mut hint = |commands: &[Command], label| hints.push((commands.to_vec(), label));
    if !scene.table.filter.is_empty() {
        hint(&[Command::Back], "clear filter");
    }
    let has_rows = !scene.table.rows().is_empty();
    match scene.focus {
        Pane::Groups if has_rows => {
            hint(&UP_AND_DOWN, "select");
            if let Some(is_unfolded) = scene.table.is_selection_unfolded(scene.picture) {
                hint(&[Command::ToggleFold], if is_unfolded { "fold" } else { "unfold" });
            }
            hint(&[Command::EditFilter], "filter");
            hint(&[Command::SortByNext, Command::ReverseSort], "sort");
        }
        Pane::Detail if has_rows => hint(&UP_AND_DOWN, "scroll"),
        Pane::Log => {
            hint(&UP_AND_DOWN, "scroll");
            let is_held = scene.picture.journal.held_back().is_some();
            hint(&[Command::ToggleHold], if is_held { "follow" } else { "hold" });
        }
        _ => {}
    }
    hint(&[Command::FocusNext], "pane");
    hint(&[Command::ToggleFreeze], if scene.is_frozen { "resume" } else { "freeze" });
    hint(&[Command::ToggleWiden], if scene.is_widened { "back" } else { "widen" });
    hint(&[Command::Reset], "reset");
    hints
}
