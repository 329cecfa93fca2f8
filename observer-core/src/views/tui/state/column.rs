//! The columns of the table of groups, and how the table is sorted by each.

use super::table_row::TableRow;
use crate::views::words;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
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

/// From left to right.
pub(crate) const COLUMNS: [Column; 11] = [
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

/// Text sorts from A to Z, numbers from the smallest. An unknown number sorts before all others.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(crate) enum SortKey {
    Unknown,
    Number(f64),
    Text(String),
}

impl Column {
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Process | Self::Destination | Self::Finding)
    }

    /// Numbers start with the greatest, text with A.
    pub(crate) fn starts_descending(self) -> bool {
        !self.is_text()
    }

    pub(crate) fn sort_key(self, row: &TableRow) -> SortKey {
        let number = |number: u64| SortKey::Number(number as f64);
        let known = |number: Option<f64>| number.map_or(SortKey::Unknown, SortKey::Number);
        match self {
            // Process ids sort as numbers: 99 comes before 1000.
            Self::Process if row.is_member => known(row.group.pid.map(Into::into)),
            Self::Process => SortKey::Text(words::names(row.group).0),
            Self::Destination => SortKey::Text(words::names(row.group).1),
            Self::Open => number(row.group.counts.open()),
            Self::New => number(row.counts.new),
            Self::Reused => number(row.counts.reused),
            Self::Ratio => known(row.counts.reuse_ratio()),
            Self::Avoidable => row.counts.pool.avoidable().map_or(SortKey::Unknown, number),
            Self::PerConnection => known(row.exchanges_per_connection()),
            Self::ConnectsPerSecond => known(row.connects_per_second()),
            Self::Failed => number(row.counts.failed()),
            // "~" sorts after all names.
            Self::Finding => match row.group.diagnoses().first() {
                Some(diagnosis) => SortKey::Text(diagnosis.finding().name().into()),
                None => SortKey::Text("~".into()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_sorts_before_every_number() {
        assert!(SortKey::Unknown < SortKey::Number(0.0) && SortKey::Number(1.0) < SortKey::Number(2.0));
    }
}
