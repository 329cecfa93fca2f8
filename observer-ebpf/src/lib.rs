//! The contract between the kernel side and user space: the records that cross between them, the constants that user
//! space freezes into the programs, and the counting rule.
//!
//! Every record is `repr(C)`, has a pinned size and has no padding (bytemuck's derive checks that), so a layout cannot
//! change unnoticed. The library builds for the host and for BPF; the programs in `main.rs` build for BPF only.
#![cfg_attr(not(test), no_std)]

mod comm;
mod conversation;
mod wire;

pub use comm::comm_up_to_nul;
pub use conversation::{
    Application, Chunk, Conversation, Cursor, Exactness, Framing, HEAD_BYTES, Head, Message, NO_TARGET, PREFIX_BYTES,
    Prefix, Protocol, RequestLine, SEVERAL_APPLICATIONS, Send, Stage, Stages, TARGET_UNCLEAR, Turn, WORD_BYTES,
    consumed_bytes, run_stages, subprogram, written_bytes,
};
pub use wire::{
    ABSENT, BY_SOCKOPS, CAUSES, Cause, CloseKind, Closer, Connect, Connection, FAILURES, Failure, Filter,
    GroupCounters, GroupKey, GroupPlace, HISTOGRAM, HISTOGRAM_STARTS, Holder, IDLE_US, LIFETIME_BOUNDS_US, LIFETIMES,
    Loss, ONE_PROCESS, ONE_USER, OVERFLOW, OVERFLOW_SLOT, Offsets, Owner, PORT_WORDS, PROCESS, Phase, RowKind,
    SERVING_MARKS, STACK_BYTES, StateKey, Switches, UNKNOWN_OWNER, USER, WHYS, Why, exchanges_bucket, flag,
    lifetime_bucket, pool,
};
