//! Losses on the kernel side, all of which are counted.

/// What was lost: an index into the per-CPU map LOSS, whose values are counts.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The ring buffer had no room for a row.
    RowsLost = 0,
    /// The connection map had no room, so the connection is in no count.
    Untracked = 1,
    /// The group map had no room for a group, so the overflow group counts its connections.
    GroupsFull = 2,
    /// A group's counters were missing, so a count is lost.
    CountsLost = 3,
    /// An entry could not be removed, or a slot not be given back or added to a share.
    NotRemoved = 4,
    /// A connection is MPTCP and is not counted, because its payload bypasses the hooks.
    Mptcp = 5,
    /// The map of states had no room for a socket, so a listing lacks it.
    Unlisted = 6,
    /// The map of owners had no room for a pre-existing socket, so its process is not looked up.
    Ownerless = 7,
    /// Another sock_ops program has cleared the flag of a connection by which sock_ops sees its changes of state. The
    /// tracepoint sees them, unless the kernel skips it.
    CallbackTaken = 8,
    /// The map of followed processes had no room for a descendant, so its connections are in no count.
    Unfollowed = 9,
}

impl Loss {
    pub const ALL: [Self; 10] = [
        Self::RowsLost,
        Self::Untracked,
        Self::GroupsFull,
        Self::CountsLost,
        Self::NotRemoved,
        Self::Mptcp,
        Self::Unlisted,
        Self::Ownerless,
        Self::CallbackTaken,
        Self::Unfollowed,
    ];
}
