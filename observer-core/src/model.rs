//! The plain data that the rest of the crate works on: events of single connections, samples of all counters, and the
//! names of their values. The types that cross from the kernel enter the program here.

mod about;
mod connection;
mod names;
mod sample;
mod wire;

pub use about::About;
pub use connection::{Activity, Connection, ConnectionKey, ConnectionState, Event};
pub use names::{
    CAUSES, FAILURES, LIFETIME_NAMES, WHYS, application_by_name, cause_name, ip_address, process_name, state_name,
    why_name,
};
pub use sample::{GroupSample, Listing, LossSample, ProgramSample, Sample, SocketState, TIME_WAIT};
pub use wire::{Application, Cause, CloseKind, Closer, Failure, GroupCounters, GroupKey, Protocol, RowKind, Why};
