//! Open connections by group. They come from rows, so a connection whose row was lost is missing.

use std::collections::{BTreeMap, HashMap};

use crate::{
    model::{Activity, ConnectionKey, GroupKey, RowKind},
    tracker::{GroupRow, Row},
};

/// Maximum number of connections listed for a group.
pub(crate) const LISTED: usize = 100;

/// How many more connections a group may list than it has open, because rows and counts arrive at different times.
const SLACK: u64 = 100;

/// Asks what a connection on the screen is doing.
#[derive(Clone, Copy, Debug)]
pub struct ActivityQuery {
    pub key: ConnectionKey,
    group: GroupKey,
    id: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct OpenConnection {
    pub(crate) key: ConnectionKey,
    pub(crate) unix_ns: i64,
    pub(crate) local_port: Option<u16>,
    /// None: not queried, or unknown.
    pub(crate) activity: Option<Activity>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct OpenConnections {
    /// By connection id, so the oldest comes first.
    groups: HashMap<GroupKey, BTreeMap<u64, OpenConnection>>,
}

impl OpenConnections {
    pub(crate) fn apply(&mut self, Row { id, event }: &Row) {
        match event.kind {
            RowKind::Open => {
                let open = OpenConnection {
                    key: event.key,
                    unix_ns: event.unix_ns,
                    local_port: event.connection.local.map(|local| local.port()),
                    activity: None,
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

    /// The oldest `most` connections of these groups, the oldest first.
    pub(crate) fn oldest<'a>(&'a self, rows: &'a [GroupRow], most: usize) -> Vec<(ActivityQuery, &'a OpenConnection)> {
        let mut oldest: BTreeMap<u64, (ActivityQuery, &OpenConnection)> = BTreeMap::new();
        for (group, open) in rows.iter().filter_map(|row| Some((row.key?, self.groups.get(&row.key?)?))) {
            for (id, open) in open {
                if oldest.len() == most {
                    if oldest.last_key_value().is_none_or(|(youngest, _)| youngest < id) {
                        break;
                    }
                    oldest.pop_last();
                }
                oldest.insert(*id, (ActivityQuery { key: open.key, group, id: *id }, open));
            }
        }
        oldest.into_values().collect()
    }

    /// Answers a query. None: the connection is gone, and its close row was lost.
    pub(crate) fn set_activity(&mut self, ActivityQuery { group, id, .. }: &ActivityQuery, activity: Option<Activity>) {
        let Some(open) = self.groups.get_mut(group) else { return };
        if activity.is_none() {
            open.remove(id);
        } else if let Some(open) = open.get_mut(id) {
            open.activity = activity;
        }
    }

    /// Removes connections whose close row was lost: all connections of ended groups, and the oldest where a group lists
    /// far more than it has open.
    pub(crate) fn forget_lost<'a>(&mut self, rows: impl Iterator<Item = &'a GroupRow>) {
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
        model::{Connection, GroupCounters},
        views::tui::fixture::{self, Watch},
    };

    /// Open rows, spread evenly over the groups; `open` of the connections are still open.
    fn opened(rows: u64, groups: u32, open: u64) -> (OpenConnections, Vec<GroupRow>) {
        let mut watch = Watch::new();
        let key = |n: u32| fixture::key(n + 1, "127.0.0.1:80");
        for n in 0..rows {
            watch.event(0, RowKind::Open, key(n as u32 % groups), n, Connection::unknown());
        }
        let counters = GroupCounters { opened: rows, closed: rows - open, ..GroupCounters::default() };
        watch.sample((0..groups).map(|n| fixture::group(key(n), "curl", &counters)).collect(), 0);
        let mut connections = OpenConnections::default();
        watch.rows.iter().for_each(|row| connections.apply(row));
        (connections, watch.tracker.snapshot(fixture::START_NS).groups)
    }

    #[test]
    fn oldest_connections_of_several_groups_come_first() {
        let (connections, rows) = opened(60, 3, 20);
        let ids = |most| connections.oldest(&rows, most).into_iter().map(|(query, _)| query.id).collect::<Vec<_>>();
        assert_eq!(ids(7), (1..=7).collect::<Vec<_>>());
        assert_eq!(ids(100), (1..=60).collect::<Vec<_>>());
        assert!(ids(0).is_empty());
    }

    #[test]
    fn connections_with_a_lost_close_row_are_removed() {
        let (mut connections, rows) = opened(5_000, 1, 3);
        connections.forget_lost(rows.iter());
        let left = connections.oldest(&rows, 5_000);
        assert_eq!(left.len() as u64, 2 * 3 + SLACK);
        assert_eq!(left.last().unwrap().0.id, 5_000, "the newest stay");
        connections.forget_lost([].into_iter());
        assert_eq!(connections.oldest(&rows, 5_000).len(), 0, "the group has ended");
    }
}
