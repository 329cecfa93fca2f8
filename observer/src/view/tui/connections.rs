//! Connections that are open, by the group that they count in: from the rows, which is why one whose row was lost is not
//! among them.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{
    event::{ConnectionKey, GroupKey, RowKind, Standing},
    tracker::{GroupRow, Row},
};

/// A connection of which the screen wants to know what it is doing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) key: ConnectionKey,
    group: GroupKey,
    id: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) key: ConnectionKey,
    pub(super) unix_ns: i64,
    pub(super) local_port: Option<u16>,
    /// None: not looked at, or nobody can tell.
    pub(super) standing: Option<Standing>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Connections {
    /// By the number of the connection, so that the oldest comes first.
    groups: HashMap<GroupKey, BTreeMap<u64, Open>>,
}

impl Connections {
    pub(super) fn row(&mut self, Row { id, event }: &Row) {
        match event.kind {
            RowKind::Open => {
                let open = Open {
                    key: event.key,
                    unix_ns: event.unix_ns,
                    local_port: event.connection.local.map(|local| local.port()),
                    standing: None,
                };
                self.groups.entry(event.group).or_default().insert(*id, open);
            }
            RowKind::Close | RowKind::Failed => {
                if let Some(group) = self.groups.get_mut(&event.group) {
                    group.remove(id);
                    if group.is_empty() {
                        self.groups.remove(&event.group);
                    }
                }
            }
            RowKind::Exchange => {}
        }
    }

    /// The oldest of these groups, the oldest first.
    pub(super) fn of<'a>(&'a self, rows: &'a [GroupRow], most: usize) -> Vec<(Ask, &'a Open)> {
        let groups = rows.iter().filter_map(|row| Some((row.key?, self.groups.get(&row.key?)?)));
        let oldest = groups.flat_map(|(group, open)| {
            open.iter().take(most).map(move |(id, open)| (Ask { key: open.key, group, id: *id }, open))
        });
        let mut open: Vec<(Ask, &Open)> = oldest.collect();
        open.sort_unstable_by_key(|(ask, _)| ask.id);
        open.truncate(most);
        open
    }

    /// What one does now; without an answer it is gone, and its row was lost.
    pub(super) fn looked_at(&mut self, Ask { group, id, .. }: &Ask, standing: Option<Standing>) {
        let Some(open) = self.groups.get_mut(group) else { return };
        if standing.is_none() {
            open.remove(id);
        } else if let Some(open) = open.get_mut(id) {
            open.standing = standing;
        }
    }

    /// Forgets what is of groups that have ended: a close row may have been lost.
    pub(super) fn retain(&mut self, present: &HashSet<GroupKey>) {
        self.groups.retain(|key, _| present.contains(key));
    }
}
