//! Reading `struct sock` and `struct tcp_sock`, at offsets that are frozen constants.

use core::marker::PhantomData;

use aya_ebpf::{bindings::BPF_SOCK_OPS_STATE_CB_FLAG, helpers::generated::bpf_skc_to_tcp_sock};

use tcp_reuse_watch_ebpf::{consumed_bytes, written_bytes};

use super::{
    frozen::{frozen, watches_port},
    memory::{Direct, Memory, Probed},
};

/// `SOCK_DONE` of `enum sock_flags` (include/net/sock.h, 1 in every version): set by `tcp_fin()` when the peer's FIN
/// has been taken in order.
const SOCK_DONE: u64 = 1 << 1;

/// `SOCK_DEAD` (there too, 0 in every version): set by `sock_orphan()` when the application has closed its socket.
const SOCK_DEAD: u64 = 1;

const AF_INET6: u16 = 10;

/// States of a TCP socket (include/net/tcp_states.h).
pub(super) mod state {
    pub(in crate::bpf) const ESTABLISHED: u8 = 1;
    pub(in crate::bpf) const SYN_SENT: u8 = 2;
    pub(in crate::bpf) const SYN_RECV: u8 = 3;
    pub(in crate::bpf) const FIN_WAIT1: u8 = 4;
    pub(in crate::bpf) const FIN_WAIT2: u8 = 5;
    pub(in crate::bpf) const CLOSE: u8 = 7;
    pub(in crate::bpf) const CLOSE_WAIT: u8 = 8;
    pub(in crate::bpf) const LAST_ACK: u8 = 9;
    pub(in crate::bpf) const LISTEN: u8 = 10;
    pub(in crate::bpf) const CLOSING: u8 = 11;
}

/// A TCP socket: a `struct tcp_sock`, which begins with its `struct sock`.
#[derive(Clone, Copy)]
pub(super) struct Socket<M>(*const u8, PhantomData<M>);

/// Loads a field: `load!(M, base, field as type)`.
macro_rules! load {
    ($memory:ty, $base:expr, $field:ident as $type:ty) => {
        <$memory>::read::<$type>($base, frozen!(OFFSETS.$field))
    };
}
pub(super) use load;

/// The remote port in host byte order, of any `struct sock`.
#[inline(always)]
pub(super) fn remote_port<M: Memory>(sk: *const u8) -> u16 {
    u16::from_be(load!(M, sk, sk_dport as u16))
}

/// The remote address, of any `struct sock_common`, TIME_WAIT's included.
#[inline(always)]
pub(super) fn remote_addr<M: Memory>(sk: *const u8) -> [u8; 16] {
    if is_v6::<M>(sk) {
        load!(M, sk, sk_v6_daddr as [u32; 4]).map_bytes()
    } else {
        v4_mapped(load!(M, sk, sk_daddr as u32))
    }
}

/// IPv4 over an IPv6 socket is in the IPv6 fields too, v4-mapped (net/ipv6/tcp_ipv6.c, `tcp_v6_connect`).
#[inline(always)]
fn is_v6<M: Memory>(sk: *const u8) -> bool {
    frozen!(OFFSETS.sk_v6_daddr) != tcp_reuse_watch_ebpf::ABSENT && load!(M, sk, sk_family as u16) == AF_INET6
}

impl Socket<Direct> {
    /// The socket at `sk` if its remote port is watched and it is plain TCP. Not for a listening socket's requests.
    #[inline(always)]
    pub(super) fn watched(sk: *const u8) -> Option<Self> {
        if watches_port(remote_port::<Direct>(sk)) { Self::new(sk) } else { None }
    }

    /// The socket at `sk` if it is plain TCP: the helper gives NULL for any other protocol, MPTCP's outer sockets
    /// included (net/core/filter.c, `bpf_skc_to_tcp_sock`, since 5.9).
    #[inline(always)]
    pub(super) fn new(sk: *const u8) -> Option<Self> {
        // SAFETY: `sk` comes from the context as a socket, or is NULL, which the helper passes on.
        let tcp = unsafe { bpf_skc_to_tcp_sock(sk.cast_mut().cast()) }.cast::<u8>();
        if tcp.is_null() { None } else { Some(Self(tcp.cast_const(), PhantomData)) }
    }
}

impl Socket<Probed> {
    /// The socket at `sk` if its remote port is watched: an argument of a function that takes plain TCP sockets only.
    #[inline(always)]
    pub(super) fn watched(sk: *const u8) -> Option<Self> {
        if watches_port(remote_port::<Probed>(sk)) { Some(Self(sk, PhantomData)) } else { None }
    }
}

impl<M: Memory> Socket<M> {
    /// Key of the connection map. Never leaves the program.
    #[inline(always)]
    pub(super) fn address(&self) -> u64 {
        self.0 as u64
    }

    #[inline(always)]
    pub(super) fn remote_port(&self) -> u16 {
        remote_port::<M>(self.0)
    }

    #[inline(always)]
    pub(super) fn local_port(&self) -> u16 {
        load!(M, self.0, sk_num as u16)
    }

    #[inline(always)]
    pub(super) fn remote_addr(&self) -> [u8; 16] {
        remote_addr::<M>(self.0)
    }

    #[inline(always)]
    pub(super) fn local_addr(&self) -> [u8; 16] {
        if is_v6::<M>(self.0) {
            load!(M, self.0, sk_v6_rcv_saddr as [u32; 4]).map_bytes()
        } else {
            v4_mapped(load!(M, self.0, sk_rcv_saddr as u32))
        }
    }

    /// Whether our FIN is queued, by the state: true from FIN_WAIT1 and LAST_ACK on, unknown (false) in CLOSE.
    #[inline(always)]
    fn has_own_fin(&self) -> bool {
        matches!(self.state(), state::FIN_WAIT1 | state::FIN_WAIT2 | state::CLOSING | state::LAST_ACK)
    }

    #[inline(always)]
    pub(super) fn error(&self) -> u32 {
        load!(M, self.0, sk_err as u32)
    }

    #[inline(always)]
    pub(super) fn shutdown(&self) -> u8 {
        load!(M, self.0, sk_shutdown as u8)
    }

    /// Whether the peer's FIN has been taken: then it is the last number before `rcv_nxt`.
    #[inline(always)]
    fn has_peer_fin(&self) -> bool {
        load!(M, self.0, sk_flags as u64) & SOCK_DONE != 0
    }

    /// Whether no application holds it any more: nobody will read from it.
    #[inline(always)]
    pub(super) fn is_orphan(&self) -> bool {
        load!(M, self.0, sk_flags as u64) & SOCK_DEAD != 0
    }

    /// Bytes of payload that the application has written, and our FIN as one more, once it is queued.
    #[inline(always)]
    pub(super) fn queued_bytes(&self) -> u64 {
        written_bytes(
            load!(M, self.0, bytes_acked as u64),
            load!(M, self.0, snd_una as u32),
            load!(M, self.0, write_seq as u32),
        )
    }

    /// Bytes of payload that the application has written: our FIN moves `write_seq` as well.
    #[inline(always)]
    pub(super) fn written(&self) -> u64 {
        self.queued_bytes().wrapping_sub(u64::from(self.has_own_fin()))
    }

    /// Whether the connection came through: our SYN, which counts as a byte, was acknowledged.
    #[inline(always)]
    pub(super) fn has_connected(&self) -> bool {
        load!(M, self.0, bytes_acked as u64) > 0
    }

    #[inline(always)]
    fn rcv_nxt(&self) -> u32 {
        load!(M, self.0, rcv_nxt as u32)
    }

    #[inline(always)]
    fn copied_seq(&self) -> u32 {
        load!(M, self.0, copied_seq as u32)
    }

    /// Bytes of payload that the application has consumed: without the peer's FIN, which `tcp_recvmsg_locked()` steps over
    /// as if it were a byte.
    #[inline(always)]
    pub(super) fn consumed(&self) -> u64 {
        let (next, copied) = (self.rcv_nxt(), self.copied_seq());
        let consumed = consumed_bytes(load!(M, self.0, bytes_received as u64), next, copied);
        if copied == next && self.has_peer_fin() { consumed.wrapping_sub(1) } else { consumed }
    }

    /// Bytes received and not read, the FIN not counted, as `tcp_inq()` counts them.
    #[inline(always)]
    pub(super) fn unread_bytes(&self) -> u32 {
        let unread = self.rcv_nxt().wrapping_sub(self.copied_seq());
        if unread > 0 && self.has_peer_fin() { unread - 1 } else { unread }
    }

    /// Payload received so far; the FIN, which `bytes_received` counts, is not.
    #[inline(always)]
    pub(super) fn received_bytes(&self) -> u64 {
        load!(M, self.0, bytes_received as u64).wrapping_sub(u64::from(self.has_peer_fin()))
    }

    /// Segments with payload that have come, also those that were not taken any more.
    #[inline(always)]
    pub(super) fn payload_segments(&self) -> u32 {
        load!(M, self.0, data_segs_in as u32)
    }

    /// Payload put on the wire, each byte once.
    #[inline(always)]
    pub(super) fn sent_bytes(&self) -> u64 {
        load!(M, self.0, bytes_sent as u64).wrapping_sub(load!(M, self.0, bytes_retrans as u64))
    }

    /// Whether something was sent that is not answered yet, as far as the socket tells: payload is under way, or has come
    /// and was not read, or the last was sent after the last was received (`lsndtime` and `lrcvtime`, in jiffies).
    #[inline(always)]
    pub(super) fn is_answer_due(&self) -> bool {
        if self.written() == 0 {
            return false;
        }
        let sent_after = load!(M, self.0, lsndtime as u32).wrapping_sub(load!(M, self.0, lrcvtime as u32));
        load!(M, self.0, write_seq as u32) != load!(M, self.0, snd_una as u32)
            || self.copied_seq() != self.rcv_nxt()
            || sent_after.cast_signed() > 0
    }

    /// Whether sock_ops, where it is attached, is called at each change of its state (`tcp_set_state()`, net/ipv4/tcp.c,
    /// since 4.16). Programs of others may have asked for it: all that are attached are called then.
    #[inline(always)]
    pub(super) fn has_state_callback(&self) -> bool {
        frozen!(OFFSETS.sock_ops_flags) != tcp_reuse_watch_ebpf::ABSENT
            && u32::from(load!(M, self.0, sock_ops_flags as u8)) & BPF_SOCK_OPS_STATE_CB_FLAG != 0
    }

    /// Whether somebody else in the kernel handles its payload: a sockmap, which passes it on without moving a sequence
    /// number (`sk_psock_init()`, net/core/skmsg.c, since 4.20), or NFS and the like.
    #[inline(always)]
    pub(super) fn is_kernel_handled(&self) -> bool {
        load!(M, self.0, sk_user_data as u64) != 0
    }

    /// Whether it is a part of an MPTCP connection.
    #[inline(always)]
    pub(super) fn is_mptcp(&self) -> bool {
        frozen!(OFFSETS.is_mptcp) != tcp_reuse_watch_ebpf::ABSENT && load!(M, self.0, is_mptcp as u8) & 1 != 0
    }

    /// The `struct msghdr` whose beginning goes out with the SYN, while Fast Open connects: then its sender is the caller.
    /// (`tcp_sendmsg_fastopen()`, net/ipv4/tcp.c.)
    #[inline(always)]
    pub(super) fn syn_message(&self) -> Option<*const u8> {
        let request = load!(M, self.0, fastopen_req as u64);
        if request == 0 { None } else { Some(load!(Probed, request as *const u8, fastopen_data as u64) as *const u8) }
    }

    /// Inode of its descriptor, by which /proc names it. 0 when no process holds it any more.
    #[inline(always)]
    pub(super) fn inode(&self) -> u64 {
        let socket = load!(Probed, self.0, sk_socket as u64);
        if socket == 0 {
            return 0;
        }
        // `SOCK_INODE()` of include/net/sock.h: both are parts of one `struct socket_alloc`.
        let start = socket.wrapping_sub(u64::from(frozen!(OFFSETS.socket_alloc_socket)));
        let inode = start.wrapping_add(u64::from(frozen!(OFFSETS.socket_alloc_inode)));
        load!(Probed, inode as *const u8, inode_number as u64)
    }

    #[inline(always)]
    pub(super) fn state(&self) -> u8 {
        load!(M, self.0, sk_state as u8)
    }

    /// Microseconds of CLOCK_MONOTONIC at the last packet in either direction (`tcp_mstamp_refresh()`).
    #[inline(always)]
    pub(super) fn last_packet_us(&self) -> u64 {
        load!(M, self.0, tcp_mstamp as u64)
    }

    /// The same in nanoseconds, as precise as microseconds are.
    #[inline(always)]
    pub(super) fn last_packet_ns(&self) -> u64 {
        self.last_packet_us() * 1000
    }
}

/// `a.b.c.d`, in network byte order, as `::ffff:a.b.c.d`.
#[inline(always)]
fn v4_mapped(addr: u32) -> [u8; 16] {
    [0, 0, u32::from_be(0xffff), addr].map_bytes()
}

trait MapBytes {
    fn map_bytes(self) -> [u8; 16];
}

impl MapBytes for [u32; 4] {
    /// The words as they lie in memory.
    #[inline(always)]
    fn map_bytes(self) -> [u8; 16] {
        // SAFETY: 16 bytes are 16 bytes, and any value of them is valid.
        unsafe { core::mem::transmute(self) }
    }
}
