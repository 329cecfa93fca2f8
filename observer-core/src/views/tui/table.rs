//! The table of groups as the one who looks has arranged it: sorted, filtered, unfolded, and with one row selected. That is
//! the first one, the worst by what it is sorted by, until someone chooses another: then it is by name, and survives every
//! refresh.

use std::{cmp::Ordering, collections::HashSet, sync::Arc};

use super::{
    baseline::Baseline,
    column::{COLUMNS, Column, Key},
    part::{Member, Part, PartName},
    picture::Picture,
};
use crate::{tracker::GroupName, views::words};

/// A row, by its place in the picture: the family, and which of its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    family: usize,
    member: Option<usize>,
}

pub(super) struct Table {
    pub(super) sorted_by: Column,
    pub(super) greatest_first: bool,
    pub(super) filter: String,
    unfolded: HashSet<Option<Arc<GroupName>>>,
    /// None until someone moves or acts on it: then it is the first row, whichever that is.
    selected: Option<PartName>,
    /// What is shown, from the first row to the last.
    rows: Vec<Place>,
    /// Where the selected row is among them.
    cursor: usize,
    /// How many families pass the filter.
    pub(super) families: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            sorted_by: Column::New,
            greatest_first: true,
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
    /// Arranges what the picture holds. To be called whenever it, the baseline or the arrangement has changed.
    pub(super) fn arrange(&mut self, picture: &Picture, baseline: Option<&Baseline>) {
        let wanted = self.filter.to_lowercase();
        let passes = |family: usize| wanted.is_empty() || matches(picture, family, &wanted);
        let mut order: Vec<(Key, usize)> = (0..picture.families.len())
            .filter(|family| passes(*family))
            .map(|family| (self.sorted_by.key(&picture.part(&picture.families[family], None, baseline)), family))
            .collect();
        self.families = order.len();
        // Stable: where the keys are equal, the most exchanges come first, as in the snapshot.
        order.sort_by(|(one, _), (other, _)| self.compare(one, other));
        self.rows.clear();
        for (_, index) in order {
            self.rows.push(Place { family: index, member: None });
            let family = &picture.families[index];
            if self.unfolded.contains(&family.whole.name) {
                let key = |row| self.sorted_by.key(&picture.part(family, Some(row), baseline));
                let mut members: Vec<(Key, usize)> =
                    family.members.iter().enumerate().map(|(index, row)| (key(row), index)).collect();
                members.sort_by(|(one, _), (other, _)| self.compare(one, other));
                let places = members.into_iter().map(|(_, member)| Place { family: index, member: Some(member) });
                self.rows.extend(places);
            }
        }
        self.find_selected(picture);
    }

    fn compare(&self, one: &Key, other: &Key) -> Ordering {
        let order = one.partial_cmp(other).unwrap_or(Ordering::Equal);
        if self.greatest_first { order.reverse() } else { order }
    }

    /// What was selected is where it is now; if it is not there any more, what is in its place is selected.
    fn find_selected(&mut self, picture: &Picture) {
        let Some(name) = &self.selected else {
            self.cursor = 0;
            return;
        };
        match self.rows.iter().position(|row| name_of(picture, *row) == *name) {
            Some(place) => self.cursor = place,
            None => self.select(picture, self.cursor.min(self.rows.len().saturating_sub(1))),
        }
    }

    fn select(&mut self, picture: &Picture, cursor: usize) {
        self.cursor = cursor;
        self.selected = self.rows.get(cursor).map(|row| name_of(picture, *row));
    }

    pub(super) fn move_by(&mut self, picture: &Picture, by: isize) {
        let last = self.rows.len().saturating_sub(1);
        self.select(picture, self.cursor.saturating_add_signed(by).min(last));
    }

    /// The first row, whichever that comes to be.
    pub(super) fn select_first(&mut self) {
        (self.cursor, self.selected) = (0, None);
    }

    /// Shows the members of what is selected, or hides them.
    pub(super) fn fold_or_unfold(&mut self, picture: &Picture, baseline: Option<&Baseline>) {
        let Some(place) = self.rows.get(self.cursor) else { return };
        let name = picture.families[place.family].whole.name.clone();
        if !self.unfolded.remove(&name) {
            self.unfolded.insert(name.clone());
        }
        self.selected = Some(PartName { group: name, process: None });
        self.arrange(picture, baseline);
    }

    pub(super) fn sort_by_next(&mut self, step: isize) {
        let place = COLUMNS.iter().position(|column| *column == self.sorted_by).unwrap_or(0).cast_signed();
        let next = (place + step).rem_euclid(COLUMNS.len().cast_signed()).cast_unsigned();
        self.sorted_by = COLUMNS[next];
        self.greatest_first = self.sorted_by.begins_with_greatest();
    }

    pub(super) fn rows(&self) -> &[Place] {
        &self.rows
    }

    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn is_unfolded(&self, part: &Part<'_>) -> bool {
        self.unfolded.contains(&part.row.name)
    }

    pub(super) fn selected<'a>(&self, picture: &'a Picture, baseline: Option<&Baseline>) -> Option<Part<'a>> {
        Some(part_at(picture, *self.rows.get(self.cursor)?, baseline))
    }

    /// What the selected row is made of.
    pub(super) fn selected_parts<'a>(&self, picture: &'a Picture) -> &'a [crate::tracker::GroupRow] {
        let Some(Place { family, member }) = self.rows.get(self.cursor) else { return &[] };
        let family = &picture.families[*family];
        match member {
            Some(member) => std::slice::from_ref(&family.members[*member]),
            None => family.parts(),
        }
    }
}

pub(super) fn part_at<'a>(picture: &'a Picture, place: Place, baseline: Option<&Baseline>) -> Part<'a> {
    let family = &picture.families[place.family];
    picture.part(family, place.member.map(|member| &family.members[member]), baseline)
}

fn name_of(picture: &Picture, Place { family, member }: Place) -> PartName {
    let family = &picture.families[family];
    PartName { group: family.whole.name.clone(), process: member.map(|member| Member::of(&family.members[member])) }
}

/// Whether process, process id, address or port hold what is looked for.
fn matches(picture: &Picture, family: usize, wanted: &str) -> bool {
    let family = &picture.families[family];
    let (process, destination) = words::names(&family.whole);
    let has = |text: &str| text.to_lowercase().contains(wanted);
    has(&process) || has(&destination) || family.members.iter().any(|row| has(&words::names(row).0))
}
