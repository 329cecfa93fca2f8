//! Groups by the name of their process and their destination, whatever the process: ten workers of a server are one row to
//! look at, and ten rows for who wants to know.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};

use super::{GroupName, GroupRow};

/// All processes of one name that talk to one destination.
#[derive(Clone, Debug)]
pub struct Family {
    /// All of them together.
    pub whole: GroupRow,
    /// Each for itself, those that have ended together; empty if there is but one.
    pub members: Vec<GroupRow>,
}

impl Family {
    /// Those that it is made of, be it one.
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

/// In the order in which the first of each came.
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
