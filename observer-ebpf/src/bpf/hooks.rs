//! The programs that attach to the kernel, one file for each program type. User space decides which are loaded.

mod fentry;
mod iterator;
mod kprobe;
mod lineage;
mod sockops;
mod tracepoint;
