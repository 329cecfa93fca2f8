//! The number of bytes that the application has written.

use tcp_reuse_watch_ebpf::{Connection, flag};

use crate::bpf::{memory::Memory, socket::Socket};

/// Bytes that the application has written. In CLOSE the socket no longer shows whether they include a FIN, so the
/// number is stored when the application can no longer write.
#[inline(always)]
pub(in crate::bpf) fn written<M: Memory>(entry: &Connection, socket: &Socket<M>) -> u64 {
    if entry.flags & flag::SENDING_ENDED != 0 { entry.written } else { socket.written() }
}

/// Notes that the application will send no more, so `written` is final.
#[inline(always)]
pub(in crate::bpf) fn end_sending(entry: &mut Connection, written: u64) {
    if entry.flags & flag::SENDING_ENDED == 0 {
        entry.written = written;
        entry.flags |= flag::SENDING_ENDED;
    }
}
