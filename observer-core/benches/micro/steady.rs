//! Ring buffer records of a watch in the steady state, for benchmarks: connections that open and close.

use bytemuck::{Zeroable as _, bytes_of};
use tcp_reuse_watch_ebpf as wire;

use observer_core::model::{Cause, CloseKind, GroupKey, RowKind};

/// Connections that are open at a time.
const OPEN: u64 = 100;

/// A group with the remote address 127.0.0.1 + `n`, as a mapped IPv6 address.
pub(crate) fn key(n: u32) -> GroupKey {
    let addr = std::net::Ipv4Addr::from(0x7f00_0001 + n).to_ipv6_mapped().octets();
    GroupKey { start_ticks: 7, addr, tgid: 4242, port: 8080, kind: 0 }
}

/// Open rows of [`OPEN`] connections, then their close rows, spread over this many groups.
pub(crate) fn records(groups: u32) -> Vec<Vec<u8>> {
    let row = |kind: RowKind, n: u64| {
        let mut record = wire::Connection::zeroed();
        record.row_kind = kind as u32;
        record.group = key(n as u32 % groups);
        record.comm[..6].copy_from_slice(b"client");
        (record.socket, record.connect_ns, record.local_port) = (0xffff_8000_0000_0000 + n, 1_000 + n, 40_000);
        (record.row_ns, record.established_ns) = (2_000_000, 1_000_000);
        record.exchanges = 1;
        if kind == RowKind::Close {
            (record.ended_ns, record.last_receive_us) = (9_000_000, 8_500);
            (record.how, record.cause) = (CloseKind::Fin as u8, Cause::ClientIdle as u8);
        }
        bytes_of(&record).to_vec()
    };
    let opens = (0..OPEN).map(|n| row(RowKind::Open, n));
    opens.chain((0..OPEN).map(|n| row(RowKind::Close, n))).collect()
}
