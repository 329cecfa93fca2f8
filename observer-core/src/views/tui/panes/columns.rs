//! How the columns of the table look: titles, texts and widths, and which columns go first where room is short.

use crate::views::{
    tui::state::{
        column::{COLUMNS, Column},
        table_row::TableRow,
    },
    words::{self, confidence, fit_number},
};

/// Applied in this order until the columns fit.
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
    /// Narrows a column to this width, which fits its number without the bar.
    Narrow(Column, u16),
}

impl Column {
    pub(crate) fn title(self) -> &'static str {
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

    /// The least and the most useful width.
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

    /// The text of a cell. Numbers fit `room`; other text may be longer.
    pub(super) fn text(self, row: &TableRow, room: usize) -> String {
        let whole = |number: u64| fit_number(number as f64, 0, room);
        let rounded = |number: Option<f64>| number.map_or_else(|| "–".into(), |number| fit_number(number, 1, room));
        let marked = |number: u64, is_exact: bool| {
            if is_exact {
                return whole(number);
            }
            format!("≈{}", fit_number(number as f64, 0, room.saturating_sub(1)))
        };
        let exchanges = |number: u64| marked(number, row.counts.is_exact());
        let pool = row.counts.pool;
        match self {
            // The row above has the name.
            Self::Process if row.is_member => match row.group.pid {
                Some(pid) => format!("pid {pid}"),
                None => format!("{} ended", row.group.processes.unwrap_or(0)),
            },
            Self::Process => words::names(row.group).0,
            Self::Destination => words::names(row.group).1,
            Self::Open => whole(row.group.counts.open()),
            Self::New => exchanges(row.counts.new),
            Self::Reused => exchanges(row.counts.reused),
            Self::Ratio => words::ratio(&row.counts),
            Self::Avoidable => {
                pool.avoidable().map_or_else(|| "–".into(), |avoidable| marked(avoidable, pool.is_exact()))
            }
            Self::PerConnection => rounded(row.exchanges_per_connection()),
            Self::ConnectsPerSecond => rounded(row.connects_per_second()),
            Self::Failed => whole(row.counts.failed()),
            Self::Finding => match row.group.diagnoses().first() {
                Some(first) => format!("{}{}", first.finding().name(), confidence(first)),
                None => String::new(),
            },
        }
    }
}

/// The columns that fit side by side, with their widths. Columns are one space apart.
pub(super) fn columns_within(width: u16) -> Vec<(Column, u16)> {
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
    // All columns grow in turn, one character at a time.
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
    fn columns_fit_and_the_least_important_go_first() {
        for width in 58..300 {
            let columns = columns_within(width);
            let taken: u16 = columns.iter().map(|(_, width)| width + 1).sum::<u16>() - 1;
            assert!(taken <= width, "{width}: {columns:?}");
        }
        let titles =
            |width| columns_within(width).iter().map(|(column, _)| column.title()).collect::<Vec<_>>().join(" ");
        assert_eq!(titles(58), "PROCESS DESTINATION NEW REUSED RATIO");
        assert_eq!(titles(78), "PROCESS DESTINATION NEW REUSED RATIO FINDING");
        assert_eq!(columns_within(128).len(), COLUMNS.len());
    }
}
