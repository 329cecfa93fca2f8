//! Columns of the table of groups: what each holds, how wide it is, and what is left out first where there is no room.

use super::part::Part;
use crate::views::words::{self, confidence, fitting};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Process,
    Destination,
    Open,
    New,
    Reused,
    Ratio,
    Avoidable,
    PerConnection,
    ConnectsPerSecond,
    Failed,
    Finding,
}

/// In the order in which they are shown.
pub(super) const COLUMNS: [Column; 11] = [
    Column::Process,
    Column::Destination,
    Column::Open,
    Column::New,
    Column::Reused,
    Column::Ratio,
    Column::Avoidable,
    Column::PerConnection,
    Column::ConnectsPerSecond,
    Column::Failed,
    Column::Finding,
];

/// What makes room, from the first on.
const SAVINGS: [Saving; 8] = [
    Saving::Drop(Column::PerConnection),
    Saving::Drop(Column::Open),
    Saving::Narrow(Column::Ratio, 7),
    Saving::Drop(Column::ConnectsPerSecond),
    Saving::Drop(Column::Failed),
    Saving::Drop(Column::Avoidable),
    Saving::Drop(Column::Finding),
    Saving::Drop(Column::Destination),
];

enum Saving {
    Drop(Column),
    /// To so many columns; it is wide enough then for its number, without a bar.
    Narrow(Column, u16),
}

/// What a column is sorted by: text from A to Z, numbers from the least on; nothing is less than anything.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(super) enum Key {
    Nothing,
    Number(f64),
    Text(String),
}

impl Column {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Process => "PROCESS",
            Self::Destination => "DESTINATION",
            Self::Open => "OPEN",
            Self::New => "NEW",
            Self::Reused => "REUSED",
            Self::Ratio => "RATIO",
            Self::Avoidable => "AVOIDABLE",
            Self::PerConnection => "EX/CONN",
            Self::ConnectsPerSecond => "CONN/S",
            Self::Failed => "FAILED",
            Self::Finding => "FINDING",
        }
    }

    /// The least that it needs, and the most that it can use.
    fn widths(self) -> (u16, u16) {
        match self {
            Self::Process => (13, 30),
            Self::Destination => (20, 48),
            Self::Open | Self::Failed => (6, 8),
            Self::New | Self::Reused => (6, 11),
            Self::Ratio => (15, 24),
            Self::Avoidable => (9, 11),
            Self::PerConnection | Self::ConnectsPerSecond => (7, 9),
            Self::Finding => (21, 40),
        }
    }

    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Process | Self::Destination | Self::Finding)
    }

    /// Whether the greatest comes first at first.
    pub(super) fn begins_with_greatest(self) -> bool {
        !self.is_text()
    }

    pub(super) fn key(self, part: &Part) -> Key {
        let number = |number: u64| Key::Number(number as f64);
        let known = |number: Option<f64>| number.map_or(Key::Nothing, Key::Number);
        match self {
            // Below one name, by number: 99 comes before 1000.
            Self::Process if part.is_member => known(part.row.pid.map(Into::into)),
            Self::Process | Self::Destination => Key::Text(self.text(part, 0)),
            Self::Open => number(part.row.counts.open()),
            Self::New => number(part.counts.new),
            Self::Reused => number(part.counts.reused),
            Self::Ratio => known(part.counts.reuse_ratio()),
            Self::Avoidable => part.counts.pool.avoidable().map_or(Key::Nothing, number),
            Self::PerConnection => known(part.exchanges_per_connection()),
            Self::ConnectsPerSecond => known(part.connects_per_second()),
            Self::Failed => number(part.counts.failed()),
            // What has none comes last, from A to Z.
            Self::Finding => match part.row.diagnoses().first() {
                Some(diagnosis) => Key::Text(diagnosis.finding().name().into()),
                None => Key::Text("~".into()),
            },
        }
    }

    /// What it holds, in so many columns: text may be longer, a number never is.
    pub(super) fn text(self, part: &Part, room: usize) -> String {
        let whole = |number: u64| fitting(number as f64, 0, room);
        let rounded = |number: Option<f64>| number.map_or_else(|| "–".into(), |number| fitting(number, 1, room));
        let marked = |number: u64, is_exact: bool| {
            if is_exact {
                return whole(number);
            }
            format!("≈{}", fitting(number as f64, 0, room.saturating_sub(1)))
        };
        let exchanges = |number: u64| marked(number, part.counts.is_exact());
        let pool = part.counts.pool;
        match self {
            // The name is in the row above.
            Self::Process if part.is_member => match part.row.pid {
                Some(pid) => format!("pid {pid}"),
                None => format!("{} ended", part.row.processes.unwrap_or(0)),
            },
            Self::Process => words::names(part.row).0,
            Self::Destination => words::names(part.row).1,
            Self::Open => whole(part.row.counts.open()),
            Self::New => exchanges(part.counts.new),
            Self::Reused => exchanges(part.counts.reused),
            Self::Ratio => words::ratio(&part.counts),
            Self::Avoidable => {
                pool.avoidable().map_or_else(|| "–".into(), |avoidable| marked(avoidable, pool.is_exact()))
            }
            Self::PerConnection => rounded(part.exchanges_per_connection()),
            Self::ConnectsPerSecond => rounded(part.connects_per_second()),
            Self::Failed => whole(part.counts.failed()),
            Self::Finding => match part.row.diagnoses().first() {
                Some(first) => format!("{}{}", first.finding().name(), confidence(first)),
                None => String::new(),
            },
        }
    }
}

/// Columns that have room side by side, a space between them, with their widths.
pub(super) fn fit(width: u16) -> Vec<(Column, u16)> {
    let mut columns: Vec<(Column, u16)> = COLUMNS.iter().map(|column| (*column, column.widths().0)).collect();
    let taken = |columns: &[(Column, u16)]| columns.iter().map(|(_, width)| width + 1).sum::<u16>().saturating_sub(1);
    for saving in SAVINGS {
        if taken(&columns) > width {
            match saving {
                Saving::Drop(column) => columns.retain(|(present, _)| *present != column),
                Saving::Narrow(column, to) => {
                    columns.iter_mut().filter(|(present, _)| *present == column).for_each(|(_, width)| *width = to);
                }
            }
        }
    }
    let mut spare = width.saturating_sub(taken(&columns));
    // A column each in turn, so that all grow alike.
    while spare > 0 {
        let before = spare;
        for (column, width) in &mut columns {
            if spare > 0 && *width < column.widths().1 {
                *width += 1;
                spare -= 1;
            }
        }
        if spare == before {
            break;
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_room_and_the_least_important_go_first() {
        for width in 58..300 {
            let columns = fit(width);
            let taken: u16 = columns.iter().map(|(_, width)| width + 1).sum::<u16>() - 1;
            assert!(taken <= width, "{width}: {columns:?}");
        }
        let titles = |width| fit(width).iter().map(|(column, _)| column.title()).collect::<Vec<_>>().join(" ");
        assert_eq!(titles(58), "PROCESS DESTINATION NEW REUSED RATIO");
        assert_eq!(titles(78), "PROCESS DESTINATION NEW REUSED RATIO FINDING");
        assert_eq!(fit(128).len(), COLUMNS.len());
    }

    #[test]
    fn nothing_is_less_than_anything() {
        assert!(Key::Nothing < Key::Number(0.0) && Key::Number(1.0) < Key::Number(2.0));
    }
}
