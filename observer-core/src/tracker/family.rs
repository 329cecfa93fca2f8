//! Groups merged by process name and destination: ten workers of a server are one row, which unfolds into ten.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};

use super::{GroupName, GroupRow};

/// All processes of one name that talk to one destination.
#[derive(Clone, Debug)]
pub struct Family {
    /// All processes together.
    pub whole: GroupRow,
    /// A row for each running process and one for all ended ones. Empty if there is only one.
    pub members: Vec<GroupRow>,
}

impl Family {
    /// The members, or the whole if it has none.
    pub fn parts(&self) -> &[GroupRow] {
        if self.members.is_empty() { std::slice::from_ref(&self.whole) } else { &self.members }
    }

    fn join(&mut self, row: GroupRow) {
        if self.members.is_empty() {
            self.members.push(self.whole.clone());
        }
        self.whole.absorb(&row);
        self.members.push(row);
    }
}

/// Ordered by the first member of each.
pub fn families(groups: Vec<GroupRow>) -> Vec<Family> {
    let mut places: HashMap<Option<Arc<GroupName>>, usize> = HashMap::with_capacity(groups.len());
    let mut families: Vec<Family> = Vec::with_capacity(groups.len());
    for row in groups {
        if let Some(place) = places.get(&row.name) {
            families[*place].join(row);
        } else {
            places.insert(row.name.clone(), families.len());
            families.push(Family { whole: row, members: Vec::new() });
        }
    }
    families
}
