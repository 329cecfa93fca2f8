//! Written.

use tcp_reuse_watch_ebpf::{Connection, flag};

use crate::bpf::{memory::Memory, socket::Socket};

/// Bytes that the application has written. In CLOSE the socket does not say any more whether a FIN is among them, so it is
/// remembered from the moment at which no more can be written.
#[inline(always)]
pub(in crate::bpf) fn written<M: Memory>(entry: &Connection, socket: &Socket<M>) -> u64 {
    if entry.flags & flag::SENDING_ENDED != 0 { entry.written } else { socket.written() }
}

/// The application will send no more: `written` is final.
#[inline(always)]
pub(in crate::bpf) fn end_sending(entry: &mut Connection, written: u64) {
    if entry.flags & flag::SENDING_ENDED == 0 {
        entry.written = written;
        entry.flags |= flag::SENDING_ENDED;
    }
}
