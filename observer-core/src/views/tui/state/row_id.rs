//! The identity of a table row: it stays the same from snapshot to snapshot.

use std::sync::Arc;

use crate::tracker::{GroupName, GroupRow};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RowId {
    /// None: the overflow row.
    pub(crate) group: Option<Arc<GroupName>>,
    /// None: all processes together.
    pub(crate) member: Option<Member>,
}

/// One of the rows below an unfolded name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Member {
    Process(u32),
    /// All processes that have ended.
    Ended,
    /// What the overflow counts of this user, or of several.
    Others(Option<u32>),
}

impl Member {
    pub(crate) fn of(row: &GroupRow) -> Self {
        match row.pid {
            _ if row.name.is_none() => Self::Others(row.user),
            Some(pid) => Self::Process(pid),
            None => Self::Ended,
        }
    }
}
