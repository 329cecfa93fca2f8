//! The records that cross between the kernel side and user space, and the constants that user space freezes.

mod config;
mod connection;
mod group;
mod holder;
mod inventory;
mod loss;

pub use config::{ABSENT, BY_SOCKOPS, Connect, Filter, Offsets, PORT_WORDS, STACK_BYTES, Switches};
pub use connection::{CAUSES, Cause, CloseKind, Closer, Connection, IDLE_US, Phase, RowKind, WHYS, Why, flag};
pub use group::{
    FAILURES, Failure, GroupCounters, GroupKey, GroupPlace, HISTOGRAM, HISTOGRAM_STARTS, LIFETIME_BOUNDS_US, LIFETIMES,
    ONE_PROCESS, ONE_USER, OVERFLOW, OVERFLOW_SLOT, SERVING_MARKS, exchanges_bucket, lifetime_bucket, pool,
};
pub use holder::{Holder, PROCESS, USER};
pub use inventory::{Owner, StateKey, UNKNOWN_OWNER};
pub use loss::Loss;
