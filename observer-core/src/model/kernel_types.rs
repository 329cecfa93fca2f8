//! The types of the kernel side that user space uses as they are.

pub use tcp_reuse_watch_ebpf::{
    Application, Cause, CloseKind, Closer, Failure, GroupCounters, GroupKey, Protocol, RowKind, Why,
};
