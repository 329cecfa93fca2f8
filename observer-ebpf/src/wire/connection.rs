//! One outbound connection, both as the kernel side stores it and as it crosses to user space. The map's value is also
//! the payload of every row, so a row is complete and the reader needs no state.

use super::group::{GroupKey, OVERFLOW, OVERFLOW_SLOT};
use crate::conversation::Conversation;

/// Why a row was sent through the ring buffer.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowKind {
    Open = 1,
    Exchange = 2,
    Close = 3,
    Failed = 4,
}

/// How far a connection has come. The phase only advances.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Connecting = 0,
    Established = 1,
    /// The socket reached CLOSE. The application can still read answers until the socket is destroyed.
    Closed = 2,
    Failed = 3,
    /// The connection is counted and its entry should have been removed from the map.
    Over = 4,
}

/// Which side ended the connection first.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closer {
    Unknown = 0,
    Local = 1,
    Peer = 2,
}

/// How the first end looked on the wire.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseKind {
    Unknown = 0,
    Fin = 1,
    Reset = 2,
    Timeout = 3,
}

/// Why a connection was opened, judged by its group's other connections at that moment.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The group's first connection.
    First = 0,
    /// Others were open, none of them idle.
    Concurrency = 1,
    /// No other was open any more.
    Replaced = 2,
    /// An idle one was available.
    MissedReuse = 3,
    /// It counts in an overflow group, whose connections say nothing about each other.
    Unknown = 4,
}

/// Room for every [`Why`]. A power of two, so a mask bounds an index.
pub const WHYS: usize = 8;

/// Why a connection ended: the first cause below that applies.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The end was not seen.
    Unknown = 0,
    /// The connection carried no exchange.
    Unused = 1,
    /// The process exited.
    ProcessExit = 2,
    ResetByPeer = 3,
    /// We closed with unread payload, or payload arrived after our close.
    UnreadResponse = 4,
    /// We reset the connection with nothing unread.
    Aborted = 5,
    TimedOut = 6,
    /// We closed it within [`IDLE_US`] of the last read.
    ClosedAfterResponse = 7,
    ServerClosedAfterResponse = 8,
    /// We closed it later than that.
    ClientIdle = 9,
    ServerIdle = 10,
}

/// Room for every [`Cause`]. A power of two, so a mask bounds an index.
pub const CAUSES: usize = 16;

/// A connection counts as idle this many microseconds after its last read.
pub const IDLE_US: u64 = 100_000;

/// Bits of [`Connection::flags`].
pub mod flag {
    /// Counted in the overflow group.
    pub const OVERFLOW: u32 = 1;
    /// Its exchanges cannot be counted exactly.
    pub const INEXACT: u32 = 1 << 1;
    /// Counted as unused when it closed.
    pub const UNUSED: u32 = 1 << 2;
    /// The application can send no more, so `written` is final.
    pub const SENDING_ENDED: u32 = 1 << 3;
    /// The peer sent a reset before we had closed.
    pub const PEER_RESET: u32 = 1 << 4;
    /// Open when the watch began.
    pub const PRE_EXISTING: u32 = 1 << 5;
    /// Payload had been sent before the watch began, so none of its exchanges is new.
    pub const USED_BEFORE: u32 = 1 << 6;
    /// Counted in the group's `live`: connecting or open.
    pub const LIVE: u32 = 1 << 7;
    /// Counted in the group's `idle`: it has carried an exchange, and nothing was sent since the last read.
    pub const IDLE: u32 = 1 << 8;
    /// Closed by its process's exit.
    pub const EXITING: u32 = 1 << 9;
    /// Payload arrived after we had closed.
    pub const LATE_PAYLOAD: u32 = 1 << 10;
    /// It has asked something, and counts in the group's `asked` unless the peer had closed it before the watch began.
    pub const ASKED: u32 = 1 << 11;
    /// Counted in the group's `serving`: it can still carry requests.
    pub const SERVING: u32 = 1 << 12;
    /// When it first asked, fewer of the group's connections were serving than at the peak, so a kept one would have
    /// sufficed.
    pub const AVOIDABLE: u32 = 1 << 13;
    /// Its client has named its target.
    pub const TARGETED: u32 = 1 << 14;
    /// sock_ops has asked for the callback at each of its changes of state.
    pub const CALLBACK: u32 = 1 << 15;
}

/// Everything known about one connection. Times are nanoseconds of `CLOCK_MONOTONIC`, 0 when not reached.
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// A [`RowKind`], set when the row is sent.
    pub row_kind: u32,
    /// Bits of [`flag`].
    pub flags: u32,
    /// When the row was sent.
    pub row_ns: u64,
    /// The socket's address in the kernel. Together with `connect_ns` it identifies the connection. It never leaves the
    /// program.
    pub socket: u64,
    pub connect_ns: u64,
    pub established_ns: u64,
    /// The first FIN or reset from either side.
    pub ended_ns: u64,
    /// Microseconds of `CLOCK_MONOTONIC` at the last packet before the application's last read. 0 before the first
    /// read.
    pub last_receive_us: u64,
    pub group: GroupKey,
    /// Name of the connecting process (its thread-group leader), NUL-terminated.
    pub comm: [u8; 16],
    /// IPv4 as `::ffff:a.b.c.d`. All zero until known.
    pub local_addr: [u8; 16],
    pub exchanges: u64,
    /// Payload sent, without retransmissions, and payload received. Set at close.
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub conversation: Conversation,
    /// Bytes that the application has written. Valid once [`flag::SENDING_ENDED`] is set.
    pub written: u64,
    /// Bytes received that the application had not read when the socket was destroyed.
    pub unread_bytes: u32,
    /// `sk_err` when the socket reached CLOSE.
    pub error: u32,
    /// Number of segments with payload that had arrived when we closed both directions. [`u32::MAX`] until then.
    pub segments_at_close: u32,
    /// Number of idle connections in the group when this one connected, and when it ended.
    pub idle_at_open: u32,
    pub idle_at_end: u32,
    /// Number of open connections in the group that were not idle when this one connected, including this one.
    pub busy_at_open: u32,
    /// Index of the group's counters in the map COUNTERS.
    pub slot: u32,
    pub local_port: u16,
    /// A [`Phase`].
    pub phase: u8,
    /// A [`Closer`].
    pub closed_by: u8,
    /// A [`CloseKind`].
    pub how: u8,
    /// A [`super::Failure`], if the connect failed.
    pub failure: u8,
    pub reserved: u8,
    /// A [`Why`].
    pub why: u8,
    /// The [`Cause`] that ended the group's last connection, if this one replaces it.
    pub replaced_cause: u8,
    /// A [`Cause`], once closed.
    pub cause: u8,
    /// The state change at hand: old and new state.
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
        reserved: 0,
        why: 0,
        replaced_cause: 0,
        cause: 0,
        change: [0; 2],
    };
}

const _: () = assert!(size_of::<Connection>() == 264);
