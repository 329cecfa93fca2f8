//! Losses.

/// What went wrong on the kernel side: an index into the per-CPU map LOSS, whose values count.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// A row found no room in the ring.
    RowsLost = 0,
    /// A connection found no room in the map, and is in no count.
    Untracked = 1,
    /// A group found no room: its connections are counted in the overflow group.
    GroupsFull = 2,
    /// A group that had to be there was not: a count is lost.
    CountsLost = 3,
    /// An entry could not be removed.
    NotRemoved = 4,
    /// A connection is MPTCP, which is not counted: its payload passes other functions.
    Mptcp = 5,
}

impl Loss {
    pub const ALL: [Self; 6] =
        [Self::RowsLost, Self::Untracked, Self::GroupsFull, Self::CountsLost, Self::NotRemoved, Self::Mptcp];
}
