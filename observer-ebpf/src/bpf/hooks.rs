//! Where the handlers hang. One file a kind of program; which are loaded, user space decides.

mod fentry;
mod iterator;
mod kprobe;
mod sockops;
mod tracepoint;
