//! The table of groups: a row for each process name and destination, with a row for each process below it when unfolded.

use std::fmt::Write as _;

use ratatui::{
    Frame,
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    columns::columns_within,
    fit::{aligned, cut_middle},
    scene::Scene,
    share_bar::share_bar,
};
use crate::{
    printable::printable,
    views::tui::state::{column::Column, keys::Mode, layout::Pane, table::row_at, table_row::TableRow},
};

pub(super) fn draw(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let block = scene.frame_of(Pane::Groups, &title(scene));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if inner.is_empty() {
        return;
    }
    let columns = columns_within(inner.width);
    let buffer = frame.buffer_mut();
    titles(scene, buffer, inner, &columns);
    let body = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
    let (rows, cursor) = (scene.table.rows(), scene.table.cursor());
    if rows.is_empty() {
        let text = if scene.table.filter.is_empty() { "no connections yet" } else { "nothing holds this text" };
        buffer.set_line(body.x, body.y.min(inner.bottom() - 1), &Line::styled(text, scene.theme.dim()), body.width);
        return;
    }
    // The selected row stays in the middle, except near the ends of the table.
    let room = usize::from(body.height);
    let first = cursor.saturating_sub(room / 2).min(rows.len().saturating_sub(room));
    for ((index, place), y) in rows.iter().enumerate().skip(first).zip(body.top()..body.bottom()) {
        let table_row = row_at(scene.picture, *place, scene.baseline);
        let line = Rect { y, height: 1, ..body };
        draw_row(scene, buffer, line, &columns, &table_row);
        if index == cursor {
            highlight(scene, buffer, line);
        }
    }
}

/// Reverses the text of a row. A reversed bar would look like its complement.
fn highlight(scene: &Scene<'_>, buffer: &mut Buffer, line: Rect) {
    let pieces = scene.theme.pieces();
    for x in line.left()..line.right() {
        if let Some(cell) = buffer.cell_mut((x, line.y))
            && !pieces[..2].iter().any(|piece| cell.symbol().starts_with(*piece))
        {
            cell.set_style(scene.theme.selected());
        }
    }
}

fn title(scene: &Scene<'_>) -> String {
    let all = scene.picture.families.len();
    let shown = scene.table.families;
    let mut title = if shown == all { format!("Groups {all}") } else { format!("Groups {shown} of {all}") };
    let cursor = if scene.mode == Mode::Filter { "_" } else { "" };
    if !scene.table.filter.is_empty() || !cursor.is_empty() {
        let _ = write!(title, " /{}{cursor}", printable(&scene.table.filter));
    }
    title
}

fn titles(scene: &Scene<'_>, buffer: &mut Buffer, area: Rect, columns: &[(Column, u16)]) {
    let mut x = area.x;
    for (column, width) in columns {
        let mut title = column.title().to_string();
        let mut style = scene.theme.dim();
        if *column == scene.table.sorted_by {
            title.push_str(&scene.theme.text(if scene.table.is_descending { "▼" } else { "▲" }));
            style = scene.theme.bold();
        }
        let text = aligned(scene.theme, &title, *width, column.is_text());
        // The sort mark may use the gap before the next column.
        buffer.set_line(x, area.y, &Line::styled(text, style), width + 1);
        x += width + 1;
    }
}

fn draw_row(scene: &Scene<'_>, buffer: &mut Buffer, area: Rect, columns: &[(Column, u16)], row: &TableRow<'_>) {
    let mut x = area.x;
    for (column, width) in columns {
        buffer.set_line(x, area.y, &cell(scene, *column, *width, row), *width);
        x += width + 1;
    }
}

fn cell(scene: &Scene<'_>, column: Column, width: u16, row: &TableRow<'_>) -> Line<'static> {
    let theme = scene.theme;
    let text = theme.text(&column.text(row, width.into()));
    match column {
        Column::Process => {
            Line::raw(aligned(scene.theme, &theme.text(&format!("{}{text}", marker(scene, row))), width, true))
        }
        Column::Ratio if width >= 14 => {
            let bar = share_bar(theme, &row.counts, usize::from(width) - 8);
            let number = Span::raw(format!("{text:>8}"));
            bar.into_iter().chain([number]).collect()
        }
        Column::Destination => Line::raw(cut_middle(theme, &text, width.into())),
        _ => Line::styled(aligned(scene.theme, &text, width, column.is_text()), style(scene, column, row)),
    }
}

/// Marks rows that unfold, and indents their members.
fn marker(scene: &Scene<'_>, row: &TableRow<'_>) -> &'static str {
    match () {
        () if row.is_member => "  ",
        () if row.members == 0 => "",
        () if scene.table.is_unfolded(row) => "▾ ",
        () => "▸ ",
    }
}

fn style(scene: &Scene<'_>, column: Column, row: &TableRow<'_>) -> Style {
    let theme = scene.theme;
    match column {
        Column::New if row.counts.new > 0 => theme.of_new(),
        Column::Reused if row.counts.reused > 0 => theme.of_reused(),
        Column::Failed if row.counts.failed() > 0 => theme.bold(),
        Column::Finding => {
            theme.finding(row.group.diagnoses().first().is_none_or(|diagnosis| diagnosis.finding().is_healthy()))
        }
        _ => Style::new(),
    }
}
