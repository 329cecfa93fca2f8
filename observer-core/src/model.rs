//! The plain data that the rest of the crate works on: events of single connections, samples of all counters, and the
//! names of their values. The types that cross from the kernel enter the program here.

mod command;
mod connection;
mod kernel_types;
mod names;
mod sample;
mod watch_info;

pub use command::Command;
pub use connection::{Activity, Connection, ConnectionKey, ConnectionState, Event};
pub use kernel_types::{
    Application, Cause, CloseKind, Closer, Failure, GroupCounters, GroupKey, Protocol, RowKind, Why,
};
pub use names::{
    CAUSES, FAILURES, LIFETIME_NAMES, WHYS, application_by_name, cause_name, failure_name, ip_address, process_name,
    signal_name, state_name, why_name,
};
pub use sample::{GroupSample, Listing, Lookups, LossSample, PortSpace, ProgramSample, Sample, SocketState, TIME_WAIT};
pub use watch_info::{Filters, WatchInfo};
