//! The plain data that everything else is made of: events of single connections, samples of all counters, and the names
//! of what they hold. This is the only door to the types that cross from the kernel.

mod about;
mod connection;
mod names;
mod sample;

pub use tcp_reuse_watch_ebpf::{
    Application, Cause, Cut as CloseKind, Ender as Closer, Failure, Group as GroupCounters, GroupKey, Protocol,
    RowKind, Why,
};

pub use about::About;
pub use connection::{Activity, Connection, ConnectionKey, ConnectionState, Event};
pub use names::{
    CAUSES, FAILURES, LIFETIMES, WHYS, address, application_named, cause_name, failure_name, name, state_name, why_name,
};
pub use sample::{GroupSample, Listing, LossSample, ProgramSample, Sample, SocketState, TIME_WAIT};
