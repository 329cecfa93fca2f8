//! The types of the kernel side that user space uses as they are.

pub use tcp_reuse_watch_ebpf::{
    Application, Cause, Cut as CloseKind, Ender as Closer, Failure, Group as GroupCounters, GroupKey, Protocol,
    RowKind, Why,
};
