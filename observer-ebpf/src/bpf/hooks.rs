//! Where the handlers hang. One file a kind of program; which are loaded, user space decides.

mod sockops;
mod tracepoint;
