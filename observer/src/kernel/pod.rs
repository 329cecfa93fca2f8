//! Values on their way to the kernel and back.

use std::net::IpAddr;

use ipnet::IpNet;

/// A value that map operations copy byte by byte.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Wire<T>(pub(super) T);

// SAFETY: Wire is transparent, and bytemuck has checked that T may be copied byte by byte.
unsafe impl<T: bytemuck::Pod> aya::Pod for Wire<T> {}

/// Prefix length and address of a network as the kernel side stores it: IPv4 is mapped into `::ffff:0:0/96`.
pub(super) fn mapped(network: &IpNet) -> (u32, [u8; 16]) {
    let prefix = u32::from(network.prefix_len());
    match network.network() {
        IpAddr::V4(addr) => (prefix + 96, addr.to_ipv6_mapped().octets()),
        IpAddr::V6(addr) => (prefix, addr.octets()),
    }
}
