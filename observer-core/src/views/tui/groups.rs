//! The table of groups: a row for all processes of a name and a destination, and below it each of them, if it is unfolded.

use std::fmt::Write as _;

use ratatui::{
    Frame,
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    Tui,
    column::{Column, fit},
    header::share,
    layout::Pane,
    part::Part,
    table::part_at,
};
use crate::printable::printable;

pub(super) fn draw(tui: &Tui, frame: &mut Frame<'_>, area: Rect) {
    let block = tui.frame_of(Pane::Groups, &title(tui));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if inner.is_empty() {
        return;
    }
    let columns = fit(inner.width);
    let buffer = frame.buffer_mut();
    titles(tui, buffer, inner, &columns);
    let body = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
    let (rows, cursor) = (tui.table.rows(), tui.table.cursor());
    if rows.is_empty() {
        let text = if tui.table.filter.is_empty() { "no connections yet" } else { "nothing holds this text" };
        buffer.set_line(body.x, body.y.min(inner.bottom() - 1), &Line::styled(text, tui.theme.dim()), body.width);
        return;
    }
    // Above and below the selected row as much as fits: the middle, but for the ends.
    let room = usize::from(body.height);
    let first = cursor.saturating_sub(room / 2).min(rows.len().saturating_sub(room));
    for ((index, place), y) in rows.iter().enumerate().skip(first).zip(body.top()..body.bottom()) {
        let part = part_at(tui.picture(), *place, tui.baseline.as_ref());
        let line = Rect { y, height: 1, ..body };
        row(tui, buffer, line, &columns, &part);
        if index == cursor {
            select(tui, buffer, line);
        }
    }
}

/// Reverses what is text. A bar would be seen as what is left of its cells.
fn select(tui: &Tui, buffer: &mut Buffer, line: Rect) {
    let pieces = tui.theme.pieces();
    for x in line.left()..line.right() {
        if let Some(cell) = buffer.cell_mut((x, line.y))
            && !pieces[..2].iter().any(|piece| cell.symbol().starts_with(*piece))
        {
            cell.set_style(tui.theme.selected());
        }
    }
}

fn title(tui: &Tui) -> String {
    let all = tui.picture().families.len();
    let shown = tui.table.families;
    let mut title = if shown == all { format!("Groups {all}") } else { format!("Groups {shown} of {all}") };
    let mode = if tui.mode == super::Mode::Type { "_" } else { "" };
    if !tui.table.filter.is_empty() || !mode.is_empty() {
        let _ = write!(title, " /{}{mode}", printable(&tui.table.filter));
    }
    title
}

fn titles(tui: &Tui, buffer: &mut Buffer, area: Rect, columns: &[(Column, u16)]) {
    let mut x = area.x;
    for (column, width) in columns {
        let mut title = column.title().to_string();
        let mut style = tui.theme.dim();
        if *column == tui.table.sorted_by {
            title.push_str(&tui.theme.text(if tui.table.greatest_first { "▼" } else { "▲" }));
            style = tui.theme.bold();
        }
        let text = aligned(tui, &title, *width, column.is_text());
        // The mark of what it is sorted by has the gap to the next column where there is no other room.
        buffer.set_line(x, area.y, &Line::styled(text, style), width + 1);
        x += width + 1;
    }
}

fn row(tui: &Tui, buffer: &mut Buffer, area: Rect, columns: &[(Column, u16)], part: &Part<'_>) {
    let mut x = area.x;
    for (column, width) in columns {
        buffer.set_line(x, area.y, &cell(tui, *column, *width, part), *width);
        x += width + 1;
    }
}

fn cell(tui: &Tui, column: Column, width: u16, part: &Part<'_>) -> Line<'static> {
    let theme = tui.theme;
    let text = theme.text(&column.text(part, width.into()));
    match column {
        Column::Process => Line::raw(aligned(tui, &theme.text(&format!("{}{text}", marker(tui, part))), width, true)),
        Column::Ratio if width >= 14 => {
            let bar = share(tui, &part.counts, usize::from(width) - 8);
            let number = Span::raw(format!("{text:>8}"));
            bar.into_iter().chain([number]).collect()
        }
        Column::Destination => Line::raw(cut(tui, &text, width.into())),
        _ => Line::styled(aligned(tui, &text, width, column.is_text()), style(tui, column, part)),
    }
}

/// Whether there is something to unfold, and below what it is.
fn marker(tui: &Tui, part: &Part<'_>) -> &'static str {
    match () {
        () if part.is_member => "  ",
        () if part.members == 0 => "",
        () if tui.table.is_unfolded(part) => "▾ ",
        () => "▸ ",
    }
}

fn style(tui: &Tui, column: Column, part: &Part<'_>) -> Style {
    let theme = tui.theme;
    match column {
        Column::New if part.counts.new > 0 => theme.of_new(),
        Column::Reused if part.counts.reused > 0 => theme.of_reused(),
        Column::Failed if part.counts.failed() > 0 => theme.bold(),
        Column::Finding => {
            theme.finding(part.row.diagnoses().first().is_none_or(|diagnosis| diagnosis.finding().is_healthy()))
        }
        _ => Style::new(),
    }
}

/// Text begins at the left and has a mark where it is cut; numbers end at the right.
fn aligned(tui: &Tui, text: &str, width: u16, is_text: bool) -> String {
    let width = usize::from(width);
    if !is_text {
        return format!("{text:>width$}");
    }
    if Line::raw(text).width() <= width {
        return format!("{text:<width$}");
    }
    // A process id has room or not: cut off, it would be another one.
    let name = text.rfind('[').filter(|_| text.ends_with(']')).map_or(text, |begin| &text[..begin]);
    let kept: String = name.chars().take(width.saturating_sub(1)).collect();
    kept + mark(tui)
}

/// Stands for what is cut, in one column.
fn mark(tui: &Tui) -> &'static str {
    if tui.theme.has_unicode { "…" } else { "." }
}

/// An address without its middle, if it has no room: the port at its end counts as much as its begin.
pub(super) fn cut(tui: &Tui, address: &str, width: usize) -> String {
    let length = address.len();
    if length <= width {
        return address.into();
    }
    let kept = width.saturating_sub(1);
    format!("{}{}{}", &address[..kept.div_ceil(2)], mark(tui), &address[length - kept / 2..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::tui::{Theme, fixture};

    #[test]
    fn neither_a_port_nor_a_process_id_is_cut_off() {
        let tui = Tui::new(Theme { has_colours: false, has_unicode: true }, &fixture::about());
        assert_eq!(cut(&tui, "[2001:db8:1234:5678:9abc::1]:65535", 20), "[2001:db8:…:1]:65535");
        assert_eq!([0, 1, 2, 7, 8].map(|width| cut(&tui, "[::1]:80", width)), ["…", "…", "[…", "[::…:80", "[::1]:80"]);
        let names = ["worker-49[1499]", "worker-49[9]", "a-fifteen-bytes[4194303]"];
        assert_eq!(names.map(|name| aligned(&tui, name, 13, true)), ["worker-49…", "worker-49[9] ", "a-fifteen-by…"]);
    }
}
