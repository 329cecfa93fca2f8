//! Connections that are open, by the group that they count in: from the rows, which is why one whose row was lost is not
//! among them.

use std::collections::{BTreeMap, HashMap};

use crate::{
    event::{ConnectionKey, GroupKey, RowKind, Standing},
    tracker::{GroupRow, Row},
};

/// How many more may be listed than are open: rows come at other times than counts.
const SLACK: u64 = 100;

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
        let mut oldest: BTreeMap<u64, (Ask, &Open)> = BTreeMap::new();
        for (group, open) in rows.iter().filter_map(|row| Some((row.key?, self.groups.get(&row.key?)?))) {
            for (id, open) in open {
                if oldest.len() == most {
                    if oldest.last_key_value().is_none_or(|(youngest, _)| youngest < id) {
                        break;
                    }
                    oldest.pop_last();
                }
                oldest.insert(*id, (Ask { key: open.key, group, id: *id }, open));
            }
        }
        oldest.into_values().collect()
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

    /// A close row that was lost leaves its connection behind. What is of groups that have ended is over; so are the oldest
    /// where there are far more than the group has open.
    pub(super) fn forget_lost<'a>(&mut self, rows: impl Iterator<Item = &'a GroupRow>) {
        let open: HashMap<GroupKey, u64> = rows.filter_map(|row| Some((row.key?, row.counts.open()))).collect();
        self.groups.retain(|group, present| {
            let Some(open) = open.get(group) else { return false };
            while present.len() as u64 > 2 * open + SLACK {
                present.pop_first();
            }
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Connection, GroupCounters},
        view::tui::fixture::{self, Watch},
    };

    /// So many rows of connections that open, taking turns among so many groups, of which so many are open in truth.
    fn opened(rows: u64, groups: u32, open: u64) -> (Connections, Vec<GroupRow>) {
        let mut watch = Watch::new();
        let key = |n: u32| fixture::key(n + 1, "127.0.0.1:80");
        for n in 0..rows {
            watch.event(0, RowKind::Open, key(n as u32 % groups), n, Connection::nothing_known());
        }
        let counters = GroupCounters { opened: rows, closed: rows - open, ..GroupCounters::default() };
        watch.sample((0..groups).map(|n| fixture::group(key(n), "curl", &counters)).collect(), 0);
        let mut connections = Connections::default();
        watch.rows.iter().for_each(|row| connections.row(row));
        (connections, watch.tracker.snapshot(fixture::START_NS).groups)
    }

    #[test]
    fn the_oldest_of_several_groups_come_first() {
        let (connections, rows) = opened(60, 3, 20);
        let ids = |most| connections.of(&rows, most).into_iter().map(|(ask, _)| ask.id).collect::<Vec<_>>();
        assert_eq!(ids(7), (1..=7).collect::<Vec<_>>());
        assert_eq!(ids(100), (1..=60).collect::<Vec<_>>());
        assert!(ids(0).is_empty());
    }

    #[test]
    fn connections_whose_close_was_lost_are_forgotten() {
        let (mut connections, rows) = opened(5_000, 1, 3);
        connections.forget_lost(rows.iter());
        let left = connections.of(&rows, 5_000);
        assert_eq!(left.len() as u64, 2 * 3 + SLACK);
        assert_eq!(left.last().unwrap().0.id, 5_000, "the newest stay");
        connections.forget_lost([].into_iter());
        assert_eq!(connections.of(&rows, 5_000).len(), 0, "the group has ended");
    }
}
