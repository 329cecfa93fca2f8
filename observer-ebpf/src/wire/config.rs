//! What user space decides before the programs load. aya freezes it as `.rodata`, so the verifier sees constants: a field
//! offset plus a direct load passes it and costs nothing, and a switch that is off removes its branch.

/// An offset, an enumerator or a size that this kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// 65,536 ports, one bit each.
pub const PORT_WORDS: usize = 1024;

macro_rules! offsets {
    ($($(#[$doc:meta])* $name:ident = $path:literal),+ $(,)?) => {
        /// Byte offsets of the kernel fields that are read, from the running kernel's BTF.
        ///
        /// rustc emits no CO-RE relocations, and an offset that was right on another kernel is wrong without any error:
        /// nothing is compiled in.
        #[repr(C)]
        #[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Offsets {
            $($(#[$doc])* pub $name: u32,)+
        }

        impl Offsets {
            /// Each field's `struct.path` in BTF (alternatives separated by `|`, the first that exists is taken; an
            /// empty one makes the field optional), and how to set it.
            pub const FIELDS: &[(&'static str, fn(&mut Self, u32))] = &[
                $(($path, |offsets, offset| offsets.$name = offset),)+
            ];

            /// Nothing resolved yet.
            pub const UNSET: Self = Self { $($name: ABSENT,)+ };
        }
    };
}

offsets! {
    sk_family = "sock.__sk_common.skc_family",
    sk_state = "sock.__sk_common.skc_state",
    /// Remote port, network byte order.
    sk_dport = "sock.__sk_common.skc_dport",
    /// Local port, host byte order.
    sk_num = "sock.__sk_common.skc_num",
    sk_daddr = "sock.__sk_common.skc_daddr",
    sk_rcv_saddr = "sock.__sk_common.skc_rcv_saddr",
    /// Absent without `CONFIG_IPV6`.
    sk_v6_daddr = "sock.__sk_common.skc_v6_daddr|",
    sk_v6_rcv_saddr = "sock.__sk_common.skc_v6_rcv_saddr|",
    sk_flags = "sock.__sk_common.skc_flags",
    sk_socket = "sock.sk_socket",
    sk_user_data = "sock.sk_user_data",
    sk_err = "sock.sk_err",
    sk_shutdown = "sock.sk_shutdown",
    write_seq = "tcp_sock.write_seq",
    copied_seq = "tcp_sock.copied_seq",
    rcv_nxt = "tcp_sock.rcv_nxt",
    snd_una = "tcp_sock.snd_una",
    bytes_acked = "tcp_sock.bytes_acked",
    bytes_received = "tcp_sock.bytes_received",
    bytes_sent = "tcp_sock.bytes_sent",
    data_segs_in = "tcp_sock.data_segs_in",
    bytes_retrans = "tcp_sock.bytes_retrans",
    /// Microseconds of `CLOCK_MONOTONIC` at the last packet.
    tcp_mstamp = "tcp_sock.tcp_mstamp",
    /// Clock ticks of the kernel (jiffies) at the last payload sent, and received.
    lsndtime = "tcp_sock.lsndtime",
    lrcvtime = "tcp_sock.inet_conn.icsk_ack.lrcvtime",
    /// Absent without `CONFIG_MPTCP` (5.6).
    is_mptcp = "tcp_sock.is_mptcp|",
    /// Bits of `BPF_SOCK_OPS_..._CB_FLAG`, since 4.16. Absent without `CONFIG_BPF_SYSCALL`.
    sock_ops_flags = "tcp_sock.bpf_sock_ops_cb_flags|",
    /// What goes out with the SYN.
    fastopen_req = "tcp_sock.fastopen_req",
    fastopen_data = "tcp_fastopen_request.data",
    socket_alloc_socket = "socket_alloc.socket",
    socket_alloc_inode = "socket_alloc.vfs_inode",
    inode_number = "inode.i_ino",
    task_group_leader = "task_struct.group_leader",
    task_tgid = "task_struct.tgid",
    /// Nanoseconds of `CLOCK_BOOTTIME`; what /proc/PID/stat shows in clock ticks.
    task_start_boottime = "task_struct.start_boottime",
    task_comm = "task_struct.comm",
    task_flags = "task_struct.flags",
    task_stack = "task_struct.stack",
    /// What a system call was given, on x86-64: its number, and what its second and third argument are.
    regs_orig_ax = "pt_regs.orig_ax|",
    regs_si = "pt_regs.si|",
    regs_dx = "pt_regs.dx|",
    /// The last of them.
    regs_ss = "pt_regs.ss|",
    /// The same on 64-bit ARM: the number, and all of the registers.
    regs_syscallno = "pt_regs.syscallno|",
    regs_regs = "pt_regs.regs|",
    /// From here to the node: absent without `CONFIG_CGROUPS`.
    task_cgroups = "task_struct.cgroups|",
    css_set_default = "css_set.dfl_cgrp|",
    cgroup_node = "cgroup.kn|",
    /// The inode number of the cgroup's folder (since 5.5 a plain number).
    node_id = "kernfs_node.id|",
    /// `type` until 5.13, with the direction in its lowest bit.
    iter_type = "msghdr.msg_iter.iter_type|msghdr.msg_iter.type",
    iter_count = "msghdr.msg_iter.count",
    iter_offset = "msghdr.msg_iter.iov_offset",
    /// `iov` until 6.3. `ITER_UBUF` keeps the buffer itself in the same union.
    iter_iov = "msghdr.msg_iter.__iov|msghdr.msg_iter.iov",
    iovec_base = "iovec.iov_base",
    iovec_len = "iovec.iov_len",
}

/// What to look at, apart from the port bitmap and the maps of processes and destinations.
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// 1 when the port bitmap has to be asked.
    pub by_port: u32,
    pub by_destination: u32,
    pub by_pid: u32,
    pub by_process: u32,
}

/// Moments of one connect, in their order.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Connect {
    /// The change to `SYN_SENT`: a new connect begins, whatever the socket was before.
    SynSent = 0,
    /// The function `tcp_connect` is called.
    Function = 1,
    /// sock_ops is called within it.
    Callback = 2,
    /// It failed in the caller's context, before it reached `tcp_connect`.
    NoLocalPort = 3,
}

/// What [`Switches::last_connect`] is if sock_ops is attached.
pub const BY_SOCKOPS: u32 = Connect::Callback as u32;

/// How this watch differs from another one.
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// 1 when `open`, `close` and `failed` rows are wanted.
    pub rows: u32,
    /// 1 when `exchange` rows are wanted too.
    pub exchange_rows: u32,
    /// The last of the [`Connect`] moments that has a hook: what finds no room then is untracked.
    pub last_connect: u32,
    /// 1 when a hook sees the first bytes of a send.
    pub sees_sends: u32,
    /// Values of `enum iter_type`, which differ from version to version; [`ABSENT`] where there is none.
    pub iter_ubuf: u32,
    pub iter_iovec: u32,
    pub iter_kvec: u32,
    /// Bits of `iter_type` that say the type: all but the direction bit on kernels before 5.14.
    pub iter_type_mask: u32,
    /// 1 when every program can have the calling task typed (`bpf_get_current_task_btf`), and read it directly.
    pub has_typed_task: u32,
    /// 1 when there is `bpf_task_pt_regs` (since 5.15).
    pub has_task_regs: u32,
}

const _: () = assert!(size_of::<Offsets>() == Offsets::FIELDS.len() * 4);
const _: () = assert!(size_of::<Filter>() == 16);
const _: () = assert!(size_of::<Switches>() == 40);
