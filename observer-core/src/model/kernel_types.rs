//! Kernel-side types that user space uses unchanged.

pub use tcp_reuse_watch_ebpf::{
    Application, Cause, CloseKind, Closer, Failure, GroupCounters, GroupKey, Protocol, RowKind, Why,
};
