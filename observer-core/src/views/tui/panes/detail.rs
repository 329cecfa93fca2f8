//! The detail of the selected row: diagnoses with evidence and advice, exchanges per connection, why connections were opened
//! and closed, which are open, and which closed last.

use std::fmt::Write as _;

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{fit::cut_middle, scene::Scene};
use crate::{
    group::ClosedConnection,
    model::{CAUSES, ConnectionState, FAILURES, LIFETIME_NAMES, WHYS, cause_name, failure_name, why_name},
    printable::printable,
    views::{
        advice, evidence,
        tui::state::{
            connections::{LISTED, OpenConnection},
            layout::Pane,
            table_row::TableRow,
        },
        words::{self, bar_length, clock, confidence, plural, short_time, time_of_day},
        wrap::wrapped,
    },
};

/// Minimum number of columns for two blocks side by side.
const TWO_BLOCKS: usize = 76;

/// Minimum number of columns of a destination in the title.
const SHORTEST: usize = 16;

/// Maximum number of columns of a bar.
const BAR: usize = 24;

type Lines = Vec<Line<'static>>;

/// Returns the offset, bounded so that the last line stays at the bottom.
pub(super) fn draw(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) -> usize {
    let row = scene.selected();
    // Without the corners of the frame and a space on each side.
    let room = usize::from(area.width.saturating_sub(4));
    let title = row.as_ref().map_or_else(|| "Detail".into(), |row| title(scene, row, room));
    let block = scene.frame_of(Pane::Detail, &title);
    let inner = block.inner(area);
    let lines = row.map_or_else(Vec::new, |row| lines(scene, &row, usize::from(inner.width)));
    let offset = scene.detail_offset.min(lines.len().saturating_sub(inner.height.into()));
    let below = lines.len().saturating_sub(offset + usize::from(inner.height));
    let block = match below {
        0 => block,
        _ => block.title_bottom(Line::raw(format!(" {below} more below ")).right_aligned()),
    };
    frame.render_widget(block, area);
    for (line, y) in lines.iter().skip(offset).zip(inner.top()..inner.bottom()) {
        frame.buffer_mut().set_line(inner.x, y, line, inner.width);
    }
    offset
}

fn title(scene: &Scene<'_>, row: &TableRow<'_>, room: usize) -> String {
    let (process, destination) = words::names(row.group);
    let runtime = row.group.runtime.map_or_else(String::new, |runtime| format!(" · {runtime}"));
    if destination.is_empty() {
        return process + &runtime;
    }
    let left = room.saturating_sub(Line::raw(format!("{process} → {runtime}")).width());
    format!("{process} → {}{runtime}", cut_middle(scene.theme, &destination, left.max(SHORTEST)))
}

fn lines(scene: &Scene<'_>, row: &TableRow<'_>, width: usize) -> Lines {
    let mut lines = circumstances(scene, row);
    lines.extend(findings(scene, row, width));
    // Two blocks are a column apart.
    let room = if width < TWO_BLOCKS { width } else { width / 2 - 1 };
    let exchanges = exchanges_per_connection(scene, row, room);
    let reasons = [opened(scene, row, room), closed(scene, row, room)].concat();
    lines.extend(side_by_side(exchanges, reasons, width));
    lines.extend(side_by_side(lifetimes(scene, row, room), failed(scene, row, room), width));
    lines.extend(open(scene, row));
    lines.extend(last_closed(scene, row));
    lines
}

fn heading(scene: &Scene<'_>, text: &str) -> Line<'static> {
    Line::styled(scene.theme.text(text), scene.theme.bold())
}

/// The application protocol, and the container or systemd unit.
fn circumstances(scene: &Scene<'_>, row: &TableRow<'_>) -> Lines {
    let spoken = row.group.spoken.name().map(|application| format!("speaks {application}"));
    let cgroup = row.group.cgroup.as_deref().map(|cgroup| format!("in {}", printable(cgroup)));
    let known: Vec<String> = spoken.into_iter().chain(cgroup).collect();
    if known.is_empty() {
        return Vec::new();
    }
    vec![Line::styled(scene.theme.text(&known.join(", ")), scene.theme.dim())]
}

/// Marks numbers that a reset of the screen does not change.
fn of_whole_watch(scene: &Scene<'_>) -> &'static str {
    if scene.baseline.is_some() { ", whole watch" } else { "" }
}

fn findings(scene: &Scene<'_>, row: &TableRow<'_>, width: usize) -> Lines {
    let theme = scene.theme;
    let mut lines = Vec::new();
    for diagnosis in row.group.diagnoses() {
        let name = format!("{}{}{}", diagnosis.finding().name(), confidence(&diagnosis), of_whole_watch(scene));
        lines
            .push(Line::styled(theme.text(&name), theme.finding(diagnosis.finding().is_healthy()).patch(theme.bold())));
        let evidence = wrapped(&printable(&evidence::sentence(&diagnosis.evidence)), width.saturating_sub(2));
        lines.extend(evidence.iter().map(|line| Line::raw(format!("  {}", theme.text(line)))));
        let arrow = theme.text("→ ");
        let indent = arrow.chars().count() + 2;
        for (index, line) in
            wrapped(&printable(&advice::sentence(&diagnosis)), width.saturating_sub(indent)).iter().enumerate()
        {
            let begin = if index == 0 { format!("  {arrow}") } else { " ".repeat(indent) };
            lines.push(Line::from(vec![Span::styled(begin, theme.bold()), Span::raw(theme.text(line))]));
        }
    }
    if lines.is_empty() {
        lines.push(Line::styled("no finding", theme.dim()));
    }
    lines.push(Line::default());
    lines
}

/// A line with name, number and bar for each number above 0. Empty if there are none.
fn bars(
    scene: &Scene<'_>,
    room: usize,
    heading_text: &str,
    style: Style,
    rows: impl Iterator<Item = (String, u64)>,
) -> Lines {
    let rows: Vec<(String, u64)> = rows.filter(|(_, number)| *number > 0).collect();
    let most = rows.iter().map(|(_, number)| *number).max().unwrap_or(0);
    let name_width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(8);
    let number_width = most.to_string().len().max(4);
    let [piece, ..] = scene.theme.pieces();
    let longest = BAR.min(room.saturating_sub(name_width + number_width + 4));
    let mut lines = vec![heading(scene, heading_text)];
    for (name, number) in &rows {
        let bar = String::from(piece).repeat(bar_length(*number as f64 / most as f64, longest));
        let text = format!("  {name:<name_width$} {number:>number_width$} ");
        lines.push(Line::from(vec![Span::raw(text), Span::styled(bar, style)]));
    }
    if rows.is_empty() { Vec::new() } else { lines }
}

fn exchanges_per_connection(scene: &Scene<'_>, row: &TableRow<'_>, room: usize) -> Lines {
    let names = ["1", "2-9", "10-99", "100-999", "1000+"].map(String::from);
    let heading = format!("Connections by exchanges{}", of_whole_watch(scene));
    bars(
        scene,
        room,
        &heading,
        scene.theme.of_reused(),
        names.into_iter().zip(row.group.counts.exchanges_per_connection),
    )
}

fn opened(scene: &Scene<'_>, row: &TableRow<'_>, room: usize) -> Lines {
    let rows = WHYS.map(|why| (why_name(why).into(), row.counts.why[why as usize]));
    bars(scene, room, "Opened", scene.theme.of_new(), rows.into_iter())
}

fn closed(scene: &Scene<'_>, row: &TableRow<'_>, room: usize) -> Lines {
    let rows = CAUSES.map(|cause| (cause_name(cause).into(), row.counts.closes[cause as usize]));
    bars(scene, room, "Closed", scene.theme.of_new(), rows.into_iter())
}

fn failed(scene: &Scene<'_>, row: &TableRow<'_>, room: usize) -> Lines {
    let rows = FAILURES.map(|failure| (failure_name(failure, 0), row.counts.failures[failure as usize]));
    bars(scene, room, "Failed", scene.theme.loss(), rows.into_iter())
}

fn side_by_side(left: Lines, right: Lines, width: usize) -> Lines {
    if width < TWO_BLOCKS || left.is_empty() || right.is_empty() {
        return left.into_iter().chain(right).collect();
    }
    let half = width / 2;
    let rows = left.len().max(right.len());
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    let mut joined = Vec::with_capacity(rows);
    for _ in 0..rows {
        let mut line = left.next().unwrap_or_default();
        let gap = half.saturating_sub(line.width());
        line.push_span(Span::raw(" ".repeat(gap)));
        line.extend(right.next().unwrap_or_default().spans);
        joined.push(line);
    }
    joined
}

fn lifetimes(scene: &Scene<'_>, row: &TableRow<'_>, room: usize) -> Lines {
    let bounds = LIFETIME_NAMES.iter().zip(row.counts.lifetimes);
    let rows = bounds
        .map(|(bound, closed)| (if *bound == "longer" { "longer".into() } else { format!("to {bound}") }, closed));
    bars(scene, room, "Closed by lifetime", scene.theme.of_reused(), rows)
}

fn open(scene: &Scene<'_>, row: &TableRow<'_>) -> Lines {
    let picture = scene.picture;
    let open = picture.connections.oldest(scene.table.selected_groups(picture), LISTED);
    let all = row.group.counts.open();
    if all == 0 {
        return Vec::new();
    }
    let mut which = String::new();
    if all > open.len() as u64 {
        let _ = write!(which, ", {} listed", open.len());
        if row.group.counts.pre_existing > 0 {
            which.push_str("; those from before the watch are not");
        }
    }
    let mut lines = vec![heading(scene, &format!("Open {all}{which}"))];
    lines.extend(open.iter().map(|(_, open)| Line::raw(scene.theme.text(&open_text(open, picture.now_unix_ns())))));
    lines
}

fn open_text(open: &OpenConnection, now_unix_ns: i64) -> String {
    let age_us = |since_ns: i64| u64::try_from(now_unix_ns - since_ns).unwrap_or(0) / 1000;
    let (doing, exchanges) = match open.activity {
        None => ("open".into(), String::new()),
        Some(activity) => {
            let doing = match activity.state {
                ConnectionState::Connecting => "connecting".into(),
                ConnectionState::Busy => "busy".into(),
                ConnectionState::Idle(None) => "idle".into(),
                ConnectionState::Idle(Some(since_ns)) => format!("idle {}", short_time(age_us(since_ns))),
                ConnectionState::Closing => "closing".into(),
            };
            (doing, words::exchanges(activity.exchanges, activity.is_exact))
        }
    };
    let age = clock(age_us(open.unix_ns));
    format!("  {:<7} {doing:<13} for {age:<8} {exchanges}", port(open.local_port))
}

fn port(port: Option<u16>) -> String {
    port.map_or_else(|| "–".into(), |port| format!(":{port}"))
}

fn last_closed(scene: &Scene<'_>, row: &TableRow<'_>) -> Lines {
    let mut closed = row.group.history.last_closed().peekable();
    if closed.peek().is_none() {
        return Vec::new();
    }
    let mut lines = vec![heading(scene, "Closed last")];
    lines.extend(closed.map(|closed| Line::raw(scene.theme.text(&closed_text(closed)))));
    lines
}

fn closed_text(closed: &ClosedConnection) -> String {
    let exchanges = words::exchanges(closed.exchanges(), closed.is_exact());
    let unread = match closed.unread_bytes() {
        0 => String::new(),
        bytes => format!(", {} unread", plural(bytes, "byte", "bytes")),
    };
    let lifetime = closed.lifetime_us().map_or_else(String::new, |us| format!(" after {}", short_time(us)));
    let (time, port) = (time_of_day(closed.ended_ns()), port((closed.local_port > 0).then_some(closed.local_port)));
    format!("  {time} {port:<7} {}{lifetime}, {exchanges}{unread}", cause_name(closed.cause))
}
