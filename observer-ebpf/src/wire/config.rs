//! Settings that user space fixes before the programs load. aya freezes them as `.rodata`, so the verifier sees
//! constants: a field offset with a direct load passes it and costs nothing, and a disabled switch removes its branch.

/// Marks an offset, an enumerator or a size that the running kernel lacks.
pub const ABSENT: u32 = u32::MAX;

/// Size of a kernel stack on x86-64 and 64-bit ARM (`THREAD_SIZE`, without KASAN), unless a page is larger. The system
/// call's registers are at its end, where they are looked for before 5.15, which has a helper.
pub const STACK_BYTES: u64 = 16 << 10;

/// 65,536 ports, one bit each.
pub const PORT_WORDS: usize = 1024;

macro_rules! offsets {
    ($($(#[$doc:meta])* $name:ident = $path:literal),+ $(,)?) => {
        /// Byte offsets of the kernel fields that the programs read, taken from the running kernel's BTF.
        ///
        /// None is compiled in, because rustc emits no CO-RE relocations and another kernel's offset would be wrong
        /// without any error.
        #[repr(C)]
        #[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Offsets {
            $($(#[$doc])* pub $name: u32,)+
        }

        impl Offsets {
            /// Each field's `struct.path` in BTF, and its setter. `|` separates alternatives. The first one that exists
            /// is used. An empty alternative makes the field optional.
            pub const FIELDS: &[(&'static str, fn(&mut Self, u32))] = &[
                $(($path, |offsets, offset| offsets.$name = offset),)+
            ];

            /// All offsets unresolved.
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
    /// The user who created the socket, since 4.10.
    sk_uid = "sock.sk_uid",
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
    /// Jiffies at the last payload sent and received.
    lsndtime = "tcp_sock.lsndtime",
    lrcvtime = "tcp_sock.inet_conn.icsk_ack.lrcvtime",
    /// Absent without `CONFIG_MPTCP` (5.6).
    is_mptcp = "tcp_sock.is_mptcp|",
    /// Bits of `BPF_SOCK_OPS_..._CB_FLAG`, since 4.16. Absent without `CONFIG_BPF_SYSCALL`.
    sock_ops_flags = "tcp_sock.bpf_sock_ops_cb_flags|",
    /// The data that goes out with the SYN.
    fastopen_req = "tcp_sock.fastopen_req",
    fastopen_data = "tcp_fastopen_request.data",
    socket_alloc_socket = "socket_alloc.socket",
    socket_alloc_inode = "socket_alloc.vfs_inode",
    inode_number = "inode.i_ino",
    task_group_leader = "task_struct.group_leader",
    task_pid = "task_struct.pid",
    task_tgid = "task_struct.tgid",
    /// The process that forked this one, or that has adopted it since.
    task_real_parent = "task_struct.real_parent",
    /// Number of threads that have not exited.
    task_signal = "task_struct.signal",
    signal_live = "signal_struct.live.counter",
    /// The numbers of a task in its PID namespaces: `struct upid numbers[level + 1]`, the innermost last.
    task_thread_pid = "task_struct.thread_pid",
    pid_level = "pid.level",
    pid_numbers = "pid.numbers",
    /// Nanoseconds of `CLOCK_BOOTTIME`. /proc/PID/stat shows it in clock ticks.
    task_start_boottime = "task_struct.start_boottime",
    task_comm = "task_struct.comm",
    task_flags = "task_struct.flags",
    task_stack = "task_struct.stack",
    /// System call number, second and third argument on x86-64.
    regs_orig_ax = "pt_regs.orig_ax|",
    regs_si = "pt_regs.si|",
    regs_dx = "pt_regs.dx|",
    /// The last word, on x86-64 and on 64-bit ARM. Used only before 5.15, as the end of the registers.
    regs_last = "pt_regs.ss|pt_regs.exit_rcu|",
    /// System call number and register array on 64-bit ARM.
    regs_syscallno = "pt_regs.syscallno|",
    regs_regs = "pt_regs.regs|",
    /// The path to the cgroup's node. Absent without `CONFIG_CGROUPS`.
    task_cgroups = "task_struct.cgroups|",
    css_set_default = "css_set.dfl_cgrp|",
    cgroup_node = "cgroup.kn|",
    /// Inode number of the cgroup's directory. A plain number since 5.5.
    node_id = "kernfs_node.id|",
    /// `type` until 5.13, with the direction in its lowest bit.
    iter_type = "msghdr.msg_iter.iter_type|msghdr.msg_iter.type",
    iter_count = "msghdr.msg_iter.count",
    iter_offset = "msghdr.msg_iter.iov_offset",
    /// `iov` until 6.3. `ITER_UBUF` keeps the buffer's address in the same union.
    iter_iov = "msghdr.msg_iter.__iov|msghdr.msg_iter.iov",
    iovec_base = "iovec.iov_base",
    iovec_len = "iovec.iov_len",
}

/// Which filters apply, besides the port bitmap and the maps of followed processes, names and destinations.
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// 1 when the port bitmap applies.
    pub by_port: u32,
    pub by_destination: u32,
    /// 1 when only followed processes are watched.
    pub by_pid: u32,
    pub by_process: u32,
    /// 1 when the descendants of followed processes are followed too.
    pub with_children: u32,
}

/// Moments of one connect, in order.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Connect {
    /// The change to `SYN_SENT`. A new connect begins, even on a socket that was used before.
    SynSent = 0,
    /// The call of `tcp_connect`.
    Function = 1,
    /// The sock_ops callback inside `tcp_connect`.
    Callback = 2,
    /// The connect failed in the caller's context, before it reached `tcp_connect`.
    NoLocalPort = 3,
}

/// Value of [`Switches::last_connect`] when sock_ops is attached.
pub const BY_SOCKOPS: u32 = Connect::Callback as u32;

/// Settings of one watch.
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// 1 when `open`, `close` and `failed` rows are wanted.
    pub rows: u32,
    /// 1 when `exchange` rows are wanted too.
    pub exchange_rows: u32,
    /// The last [`Connect`] moment that has a hook. A connection that has no entry by then, for lack of room, is
    /// untracked.
    pub last_connect: u32,
    /// 1 when a hook sees the first bytes of a send.
    pub sees_sends: u32,
    /// Values of `enum iter_type`, which differ between versions. [`ABSENT`] where the enumerator does not exist.
    pub iter_ubuf: u32,
    pub iter_iovec: u32,
    pub iter_kvec: u32,
    /// The bits of `iter_type` that hold the type: all but the direction bit on kernels before 5.14.
    pub iter_type_mask: u32,
    /// 1 when every program can get the calling task typed (`bpf_get_current_task_btf`) and read it by direct loads.
    pub has_typed_task: u32,
    /// 1 when `bpf_task_pt_regs` exists (since 5.15).
    pub has_task_regs: u32,
    /// Most counter slots that one process and one user may hold.
    pub process_share: u32,
    pub user_share: u32,
}

const _: () = assert!(size_of::<Offsets>() == Offsets::FIELDS.len() * 4);
const _: () = assert!(size_of::<Filter>() == 20);
const _: () = assert!(size_of::<Switches>() == 48);
