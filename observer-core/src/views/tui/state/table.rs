//! The user's arrangement of the table of groups: sort order, filter, unfolded names and the selected row.
//!
//! Until the user selects a row, the first one is selected, even as groups change places. From then on the selection belongs to
//! that group and survives every refresh.

use std::{cmp::Ordering, collections::HashSet, sync::Arc};

use super::{
    baseline::Baseline,
    column::{COLUMNS, Column, SortKey},
    picture::Picture,
    row_id::{Member, RowId},
    table_row::TableRow,
};
use crate::{
    tracker::{GroupName, GroupRow},
    views::words,
};

/// Where a row's data is in the picture: the index of the family, and of its member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    family: usize,
    member: Option<usize>,
}

pub(crate) struct Table {
    pub(crate) sorted_by: Column,
    pub(crate) is_descending: bool,
    pub(crate) filter: String,
    unfolded: HashSet<Option<Arc<GroupName>>>,
    /// None: the first row, until the user selects one.
    selected: Option<RowId>,
    /// All rows, from top to bottom.
    rows: Vec<Place>,
    /// The index of the selected row.
    cursor: usize,
    /// The number of families that pass the filter.
    pub(crate) families: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            sorted_by: Column::New,
            is_descending: true,
            filter: String::new(),
            unfolded: HashSet::new(),
            selected: None,
            rows: Vec::new(),
            cursor: 0,
            families: 0,
        }
    }
}

impl Table {
    /// Sorts and filters the rows. Must be called whenever the picture, the baseline or the arrangement has changed.
    pub(crate) fn arrange(&mut self, picture: &Picture, baseline: Option<&Baseline>) {
        let wanted = self.filter.to_lowercase();
        let passes = |family: usize| wanted.is_empty() || matches(picture, family, &wanted);
        let mut order: Vec<(SortKey, usize)> = (0..picture.families.len())
            .filter(|family| passes(*family))
            .map(|family| {
                (self.sorted_by.sort_key(&picture.table_row(&picture.families[family], None, baseline)), family)
            })
            .collect();
        self.families = order.len();
        // The sort is stable: equal keys keep the snapshot's order, the most exchanges first.
        order.sort_by(|(one, _), (other, _)| self.compare(one, other));
        self.rows.clear();
        for (_, index) in order {
            self.rows.push(Place { family: index, member: None });
            let family = &picture.families[index];
            if self.unfolded.contains(&family.whole.name) {
                let key = |row| self.sorted_by.sort_key(&picture.table_row(family, Some(row), baseline));
                let mut members: Vec<(SortKey, usize)> =
                    family.members.iter().enumerate().map(|(index, row)| (key(row), index)).collect();
                members.sort_by(|(one, _), (other, _)| self.compare(one, other));
                let places = members.into_iter().map(|(_, member)| Place { family: index, member: Some(member) });
                self.rows.extend(places);
            }
        }
        self.restore_selection(picture);
    }

    fn compare(&self, one: &SortKey, other: &SortKey) -> Ordering {
        let order = one.partial_cmp(other).unwrap_or(Ordering::Equal);
        if self.is_descending { order.reverse() } else { order }
    }

    /// Moves the cursor to the selected row. If that row is gone, selects the one now in its place.
    fn restore_selection(&mut self, picture: &Picture) {
        let Some(id) = &self.selected else {
            self.cursor = 0;
            return;
        };
        match self.rows.iter().position(|row| id_of(picture, *row) == *id) {
            Some(index) => self.cursor = index,
            None => self.select(picture, self.cursor.min(self.rows.len().saturating_sub(1))),
        }
    }

    fn select(&mut self, picture: &Picture, cursor: usize) {
        self.cursor = cursor;
        self.selected = self.rows.get(cursor).map(|row| id_of(picture, *row));
    }

    pub(crate) fn move_by(&mut self, picture: &Picture, by: isize) {
        let last = self.rows.len().saturating_sub(1);
        self.select(picture, self.cursor.saturating_add_signed(by).min(last));
    }

    /// Selects the first row and keeps it selected as groups change places.
    pub(crate) fn select_first(&mut self) {
        (self.cursor, self.selected) = (0, None);
    }

    /// Shows or hides the members of the selected row.
    pub(crate) fn toggle_fold(&mut self, picture: &Picture, baseline: Option<&Baseline>) {
        let Some(place) = self.rows.get(self.cursor) else { return };
        let name = picture.families[place.family].whole.name.clone();
        if !self.unfolded.remove(&name) {
            self.unfolded.insert(name.clone());
        }
        self.selected = Some(RowId { group: name, member: None });
        self.arrange(picture, baseline);
    }

    pub(crate) fn sort_by_next(&mut self, step: isize) {
        let index = COLUMNS.iter().position(|column| *column == self.sorted_by).unwrap_or(0).cast_signed();
        let next = (index + step).rem_euclid(COLUMNS.len().cast_signed()).cast_unsigned();
        self.sorted_by = COLUMNS[next];
        self.is_descending = self.sorted_by.starts_descending();
    }

    pub(crate) fn rows(&self) -> &[Place] {
        &self.rows
    }

    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(crate) fn is_unfolded(&self, row: &TableRow<'_>) -> bool {
        self.unfolded.contains(&row.group.name)
    }

    /// Whether the name of the selected row is unfolded. None if it has one process.
    pub(crate) fn is_selection_unfolded(&self, picture: &Picture) -> Option<bool> {
        let row = self.selected(picture, None)?;
        (row.members > 0 || row.is_member).then(|| self.is_unfolded(&row))
    }

    pub(crate) fn selected<'a>(&self, picture: &'a Picture, baseline: Option<&Baseline>) -> Option<TableRow<'a>> {
        Some(row_at(picture, *self.rows.get(self.cursor)?, baseline))
    }

    /// The groups of the selected row.
    pub(crate) fn selected_groups<'a>(&self, picture: &'a Picture) -> &'a [GroupRow] {
        let Some(Place { family, member }) = self.rows.get(self.cursor) else { return &[] };
        let family = &picture.families[*family];
        match member {
            Some(member) => std::slice::from_ref(&family.members[*member]),
            None => family.parts(),
        }
    }
}

pub(crate) fn row_at<'a>(picture: &'a Picture, place: Place, baseline: Option<&Baseline>) -> TableRow<'a> {
    let family = &picture.families[place.family];
    picture.table_row(family, place.member.map(|member| &family.members[member]), baseline)
}

fn id_of(picture: &Picture, Place { family, member }: Place) -> RowId {
    let family = &picture.families[family];
    RowId { group: family.whole.name.clone(), member: member.map(|member| Member::of(&family.members[member])) }
}

/// Whether the process name, a process id, the address or the port contains the text.
fn matches(picture: &Picture, family: usize, wanted: &str) -> bool {
    let family = &picture.families[family];
    let (process, destination) = words::names(&family.whole);
    let has = |text: &str| text.to_lowercase().contains(wanted);
    has(&process) || has(&destination) || family.members.iter().any(|row| has(&words::names(row).0))
}
