//! What the kernel side and user space agree on: the records that cross between them, the constants that user space
//! freezes into the programs, and the counting rule.
//!
//! Everything is `repr(C)` with its size pinned and without padding (bytemuck's derive checks it), so that a change of
//! layout cannot go unnoticed, and plain enough to be built for the host and for BPF alike. The programs themselves are in `main.rs` and exist on the BPF target only.
#![cfg_attr(not(test), no_std)]

mod config;
mod connection;
mod conversation;
mod group;
mod name;
mod turn;

pub use config::{ABSENT, BY_SOCKOPS, Connect, Filter, Offsets, PORT_WORDS, Switches};
pub use connection::{CAUSES, Cause, Connection, Cut, Ender, IDLE_US, Phase, RowKind, WHYS, Why, flag};
pub use conversation::{
    Application, BEGINNING_BYTES, Beginning, Conversation, Exactness, Framing, HEAD_BYTES, Head, Kind, Message,
    NO_TARGET, Protocol, RequestLine, SEVERAL_APPLICATIONS, Send, Steps, TARGET_UNCLEAR, WORD_BYTES, Walk, hear, step,
};
pub use group::{
    FAILURES, Failure, Group, GroupKey, HISTOGRAM, HISTOGRAM_STARTS, LIFETIME_BOUNDS_US, LIFETIMES, Loss, OVERFLOW,
    OVERFLOW_SLOT, Owner, SERVING_MARKS, StateKey, UNKNOWN_OWNER, exchanges_bucket, lifetime_bucket, pool,
};
pub use name::name_up_to_nul;
pub use turn::{Burst, Turn, consumed_bytes, written_bytes};
