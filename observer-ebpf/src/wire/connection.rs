//! One outbound connection, as the kernel side keeps it and as it crosses to user space: the map's value is also the
//! payload of every row, so that a row carries everything and needs no state on the other side.

use super::group::{GroupKey, OVERFLOW, OVERFLOW_SLOT};
use crate::conversation::Conversation;

/// Why a connection was sent through the ring.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowKind {
    Open = 1,
    Exchange = 2,
    Close = 3,
    Failed = 4,
}

/// How far a connection has come. It only ever grows.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Connecting = 0,
    Established = 1,
    /// Its socket reached CLOSE. Answers can still be read from it until the socket is gone.
    Closed = 2,
    Failed = 3,
    /// Nothing more will come of it: it is counted, and should not be in the map any more.
    Over = 4,
}

/// Who ended it first.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ender {
    Unknown = 0,
    Local = 1,
    Peer = 2,
}

/// How the first end of it looked on the wire.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    Unknown = 0,
    Fin = 1,
    Reset = 2,
    Timeout = 3,
}

/// Why a connection was opened, by what its group held when it connected.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The group has had none before.
    First = 0,
    /// Others were open, and none of them idle.
    Concurrency = 1,
    /// None was open any more.
    Replaced = 2,
    /// An idle one was there.
    MissedReuse = 3,
}

/// How many there are of [`Why`]: a power of two, too.
pub const WHYS: usize = 4;

/// What a connection ended by: the first of these that fits, from the top.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its end was not seen.
    Unknown = 0,
    /// It has carried no exchange.
    Unused = 1,
    /// Its process ended.
    ProcessExit = 2,
    ResetByPeer = 3,
    /// We closed with something unread, or something came after we had closed.
    UnreadResponse = 4,
    /// We reset it, with nothing unread.
    Aborted = 5,
    TimedOut = 6,
    /// We closed it within [`IDLE_US`] of the last read.
    ClosedAfterResponse = 7,
    ServerClosedAfterResponse = 8,
    /// We closed it later than that.
    ClientIdle = 9,
    ServerIdle = 10,
}

/// Room for all of [`Cause`]: a power of two, so that a mask bounds an index.
pub const CAUSES: usize = 16;

/// From so many microseconds after the last read on a connection was idle, and not just used.
pub const IDLE_US: u64 = 100_000;

/// Bits of [`Connection::flags`].
pub mod flag {
    /// Counted in the overflow group.
    pub const OVERFLOW: u32 = 1;
    /// Its exchanges cannot be counted exactly.
    pub const INEXACT: u32 = 1 << 1;
    /// Counted as unused when it closed.
    pub const UNUSED: u32 = 1 << 2;
    /// The application can send no more: `written` is final.
    pub const SENDING_ENDED: u32 = 1 << 3;
    /// The peer sent a reset while we had not closed.
    pub const PEER_RESET: u32 = 1 << 4;
    /// It was open when the watch began.
    pub const PRE_EXISTING: u32 = 1 << 5;
    /// Something had been sent on it before the watch began: none of its exchanges is new.
    pub const USED_BEFORE: u32 = 1 << 6;
    /// Counted among the group's connections that are open, or on the way.
    pub const LIVE: u32 = 1 << 7;
    /// Counted among those of them that are idle: has carried an exchange, and nothing was sent since the last read.
    pub const IDLE: u32 = 1 << 8;
    /// Closed by its process's end.
    pub const EXITING: u32 = 1 << 9;
    /// Payload came after we had closed.
    pub const LATE_PAYLOAD: u32 = 1 << 10;
    /// It has asked something, and is counted so, unless its peer had closed it before the watch.
    pub const ASKED: u32 = 1 << 11;
    /// Counted among those of them that still can serve.
    pub const SERVING: u32 = 1 << 12;
    /// At its first ask fewer connections of the group were serving than once had been: a kept one would have done.
    pub const AVOIDABLE: u32 = 1 << 13;
    /// Its client has said whom it is for.
    pub const TARGETED: u32 = 1 << 14;
}

/// Everything that is known of one connection. Times are nanoseconds of `CLOCK_MONOTONIC`, 0 when not reached.
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// A [`RowKind`], set when it is sent.
    pub row_kind: u32,
    /// Bits of [`flag`].
    pub flags: u32,
    /// When the row was sent.
    pub row_ns: u64,
    /// The kernel's address of the socket. With `connect_ns` it identifies the connection; it never leaves the program.
    pub socket: u64,
    pub connect_ns: u64,
    pub established_ns: u64,
    /// The first FIN or reset, from either side.
    pub ended_ns: u64,
    /// Microseconds of `CLOCK_MONOTONIC`: the last packet before the application's last read. 0 before the first.
    pub last_receive_us: u64,
    pub group: GroupKey,
    /// Name of the process that connected (its thread-group leader's), NUL-terminated.
    pub comm: [u8; 16],
    /// IPv4 as `::ffff:a.b.c.d`. All zero until known.
    pub local_addr: [u8; 16],
    pub exchanges: u64,
    /// Payload put on the wire once (retransmissions not counted), and payload received. Set when it closes.
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub conversation: Conversation,
    /// Bytes that the application has written, once [`flag::SENDING_ENDED`] is set.
    pub written: u64,
    /// Received and never read by the application, when its socket was gone.
    pub unread_bytes: u32,
    /// `sk_err` when the socket reached CLOSE.
    pub error: u32,
    /// Segments with payload that had come when we closed (not only for sending); [`u32::MAX`]: we have not.
    pub segments_at_close: u32,
    /// How many of the group's connections were idle when this one connected, and when it ended.
    pub idle_at_open: u32,
    pub idle_at_end: u32,
    /// How many were open and not idle when it connected, with this one.
    pub busy_at_open: u32,
    /// Where the counters are that it counts in.
    pub slot: u32,
    pub local_port: u16,
    /// A [`Phase`].
    pub phase: u8,
    /// An [`Ender`].
    pub closed_by: u8,
    /// A [`Cut`].
    pub how: u8,
    /// A [`super::Failure`], when it failed.
    pub failure: u8,
    /// 1 when the application has closed the socket, and not only shut it down; where a hook sees it.
    pub close_called: u8,
    /// A [`Why`].
    pub why: u8,
    /// The [`Cause`] by which the group's last connection ended, if this one replaces it.
    pub replaced_cause: u8,
    /// A [`Cause`], once it is closed.
    pub cause: u8,
    /// The change of state that is being looked at: from which, and to which.
    pub change: [u8; 2],
}

impl Connection {
    pub const EMPTY: Self = Self {
        row_kind: 0,
        flags: 0,
        row_ns: 0,
        socket: 0,
        connect_ns: 0,
        established_ns: 0,
        ended_ns: 0,
        last_receive_us: 0,
        group: OVERFLOW,
        comm: [0; 16],
        local_addr: [0; 16],
        exchanges: 0,
        sent_bytes: 0,
        received_bytes: 0,
        conversation: Conversation::EMPTY,
        written: 0,
        unread_bytes: 0,
        error: 0,
        segments_at_close: u32::MAX,
        idle_at_open: 0,
        idle_at_end: 0,
        busy_at_open: 0,
        slot: OVERFLOW_SLOT,
        local_port: 0,
        phase: 0,
        closed_by: 0,
        how: 0,
        failure: 0,
        close_called: 0,
        why: 0,
        replaced_cause: 0,
        cause: 0,
        change: [0; 2],
    };
}

const _: () = assert!(size_of::<Connection>() == 264);
