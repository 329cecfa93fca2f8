//! Access to `struct sock` and `struct tcp_sock`, at frozen offsets.

use core::marker::PhantomData;

use aya_ebpf::{bindings::BPF_SOCK_OPS_STATE_CB_FLAG, helpers::generated::bpf_skc_to_tcp_sock};

use tcp_reuse_watch_ebpf::{consumed_bytes, written_bytes};

use super::{
    frozen::{frozen, watches_port},
    memory::{Direct, Memory, Probed},
};

/// `SOCK_DONE` of `enum sock_flags` (include/net/sock.h, 1 in every version). `tcp_fin()` sets it when the peer's FIN
/// has been received in order.
const SOCK_DONE: u64 = 1 << 1;

/// `SOCK_DEAD` (include/net/sock.h, 0 in every version). `sock_orphan()` sets it when the application has closed its
/// socket.
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

/// Remote port of any `struct sock`, in host byte order.
#[inline(always)]
pub(super) fn remote_port<M: Memory>(sk: *const u8) -> u16 {
    u16::from_be(load!(M, sk, sk_dport as u16))
}

/// Remote address of any `struct sock_common`, including TIME_WAIT sockets.
#[inline(always)]
pub(super) fn remote_addr<M: Memory>(sk: *const u8) -> [u8; 16] {
    if is_v6::<M>(sk) {
        load!(M, sk, sk_v6_daddr as [u32; 4]).map_bytes()
    } else {
        v4_mapped(load!(M, sk, sk_daddr as u32))
    }
}

/// Local address of any `struct sock_common`, including TIME_WAIT sockets.
#[inline(always)]
pub(super) fn local_addr<M: Memory>(sk: *const u8) -> [u8; 16] {
    if is_v6::<M>(sk) {
        load!(M, sk, sk_v6_rcv_saddr as [u32; 4]).map_bytes()
    } else {
        v4_mapped(load!(M, sk, sk_rcv_saddr as u32))
    }
}

/// IPv4 over an IPv6 socket fills the IPv6 fields too, v4-mapped (net/ipv6/tcp_ipv6.c, `tcp_v6_connect`).
#[inline(always)]
fn is_v6<M: Memory>(sk: *const u8) -> bool {
    frozen!(OFFSETS.sk_v6_daddr) != tcp_reuse_watch_ebpf::ABSENT && load!(M, sk, sk_family as u16) == AF_INET6
}

impl Socket<Direct> {
    /// The socket at `sk`, if its remote port is watched and it is plain TCP. Not for request sockets of a listener.
    #[inline(always)]
    pub(super) fn watched(sk: *const u8) -> Option<Self> {
        if watches_port(remote_port::<Direct>(sk)) { Self::new(sk) } else { None }
    }

    /// The socket at `sk`, if it is plain TCP. The helper returns NULL for any other protocol, including MPTCP's outer
    /// sockets (net/core/filter.c, `bpf_skc_to_tcp_sock`, since 5.9).
    #[inline(always)]
    pub(super) fn new(sk: *const u8) -> Option<Self> {
        // SAFETY: `sk` comes from the context as a socket, or is NULL, which the helper accepts.
        let tcp = unsafe { bpf_skc_to_tcp_sock(sk.cast_mut().cast()) }.cast::<u8>();
        if tcp.is_null() { None } else { Some(Self(tcp.cast_const(), PhantomData)) }
    }
}

impl Socket<Probed> {
    /// The socket at `sk`, if its remote port is watched. `sk` is an argument of a function that takes only plain TCP
    /// sockets.
    #[inline(always)]
    pub(super) fn watched(sk: *const u8) -> Option<Self> {
        if watches_port(remote_port::<Probed>(sk)) { Some(Self(sk, PhantomData)) } else { None }
    }
}

impl<M: Memory> Socket<M> {
    /// Key of the connection map. It never leaves the program.
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
        local_addr::<M>(self.0)
    }

    /// Whether our FIN is queued, by state: true from FIN_WAIT1 and LAST_ACK on, unknown (false) in CLOSE.
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

    /// Whether the peer's FIN has been received in order. It then occupies the sequence number before `rcv_nxt`.
    #[inline(always)]
    fn has_peer_fin(&self) -> bool {
        load!(M, self.0, sk_flags as u64) & SOCK_DONE != 0
    }

    /// Whether no application holds the socket any more, so nothing will read from it.
    #[inline(always)]
    pub(super) fn is_orphan(&self) -> bool {
        load!(M, self.0, sk_flags as u64) & SOCK_DEAD != 0
    }

    /// Bytes of payload that the application has written, plus one for our FIN once it is queued.
    #[inline(always)]
    pub(super) fn queued_bytes(&self) -> u64 {
        written_bytes(
            load!(M, self.0, bytes_acked as u64),
            load!(M, self.0, snd_una as u32),
            load!(M, self.0, write_seq as u32),
        )
    }

    /// Bytes of payload that the application has written, without our FIN, which moves `write_seq` too.
    #[inline(always)]
    pub(super) fn written(&self) -> u64 {
        self.queued_bytes().wrapping_sub(u64::from(self.has_own_fin()))
    }

    /// Whether the connection was established: our SYN, which counts as a byte, was acknowledged.
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

    /// Bytes of payload that the application has consumed, without the peer's FIN, which `tcp_recvmsg_locked()` skips
    /// like a byte.
    #[inline(always)]
    pub(super) fn consumed(&self) -> u64 {
        let (next, copied) = (self.rcv_nxt(), self.copied_seq());
        let consumed = consumed_bytes(load!(M, self.0, bytes_received as u64), next, copied);
        if copied == next && self.has_peer_fin() { consumed.wrapping_sub(1) } else { consumed }
    }

    /// Bytes received and not read, without the FIN, as `tcp_inq()` counts them.
    #[inline(always)]
    pub(super) fn unread_bytes(&self) -> u32 {
        let unread = self.rcv_nxt().wrapping_sub(self.copied_seq());
        if unread > 0 && self.has_peer_fin() { unread - 1 } else { unread }
    }

    /// Payload bytes received, without the FIN, which `bytes_received` includes.
    #[inline(always)]
    pub(super) fn received_bytes(&self) -> u64 {
        load!(M, self.0, bytes_received as u64).wrapping_sub(u64::from(self.has_peer_fin()))
    }

    /// Segments with payload that arrived, including those that were not accepted.
    #[inline(always)]
    pub(super) fn payload_segments(&self) -> u32 {
        load!(M, self.0, data_segs_in as u32)
    }

    /// Payload bytes put on the wire, each counted once.
    #[inline(always)]
    pub(super) fn sent_bytes(&self) -> u64 {
        load!(M, self.0, bytes_sent as u64).wrapping_sub(load!(M, self.0, bytes_retrans as u64))
    }

    /// Whether an answer is outstanding, as far as the socket shows: payload is unacknowledged, or has arrived unread,
    /// or the last payload sent is newer than the last received (`lsndtime` and `lrcvtime`, in jiffies).
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

    /// Whether an attached sock_ops program is called at each state change (`tcp_set_state()`, net/ipv4/tcp.c, since
    /// 4.16). Another program may have requested it; all attached programs are called then.
    #[inline(always)]
    pub(super) fn has_state_callback(&self) -> bool {
        frozen!(OFFSETS.sock_ops_flags) != tcp_reuse_watch_ebpf::ABSENT
            && u32::from(load!(M, self.0, sock_ops_flags as u8)) & BPF_SOCK_OPS_STATE_CB_FLAG != 0
    }

    /// Whether another part of the kernel handles the payload: a sockmap, which forwards it without moving a sequence
    /// number (`sk_psock_init()`, net/core/skmsg.c, since 4.20), or users such as NFS.
    #[inline(always)]
    pub(super) fn is_kernel_handled(&self) -> bool {
        load!(M, self.0, sk_user_data as u64) != 0
    }

    /// The user who created the socket, as a user id of the initial user namespace (`sock_init_data_uid()`,
    /// net/core/sock.c). 0 for the kernel.
    #[inline(always)]
    pub(super) fn uid(&self) -> u32 {
        load!(M, self.0, sk_uid as u32)
    }

    /// Whether the socket is part of an MPTCP connection.
    #[inline(always)]
    pub(super) fn is_mptcp(&self) -> bool {
        frozen!(OFFSETS.is_mptcp) != tcp_reuse_watch_ebpf::ABSENT && load!(M, self.0, is_mptcp as u8) & 1 != 0
    }

    /// The `struct msghdr` whose first bytes go out with the SYN, while Fast Open connects. The caller is its sender
    /// (`tcp_sendmsg_fastopen()`, net/ipv4/tcp.c).
    #[inline(always)]
    pub(super) fn syn_message(&self) -> Option<*const u8> {
        let request = load!(M, self.0, fastopen_req as u64);
        if request == 0 { None } else { Some(load!(Probed, request as *const u8, fastopen_data as u64) as *const u8) }
    }

    /// Inode of the socket's descriptor, as shown in /proc. 0 when no process holds the socket.
    #[inline(always)]
    pub(super) fn inode(&self) -> u64 {
        let socket = load!(Probed, self.0, sk_socket as u64);
        if socket == 0 {
            return 0;
        }
        // `SOCK_INODE()` (include/net/sock.h): both are members of one `struct socket_alloc`.
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

    /// The last packet in nanoseconds, with microsecond precision.
    #[inline(always)]
    pub(super) fn last_packet_ns(&self) -> u64 {
        self.last_packet_us() * 1000
    }
}

/// `a.b.c.d` in network byte order as `::ffff:a.b.c.d`.
#[inline(always)]
fn v4_mapped(addr: u32) -> [u8; 16] {
    [0, 0, u32::from_be(0xffff), addr].map_bytes()
}

trait MapBytes {
    fn map_bytes(self) -> [u8; 16];
}

impl MapBytes for [u32; 4] {
    /// The words in memory order.
    #[inline(always)]
    fn map_bytes(self) -> [u8; 16] {
        // SAFETY: both types have 16 bytes, and any value of them is valid.
        unsafe { core::mem::transmute(self) }
    }
}
