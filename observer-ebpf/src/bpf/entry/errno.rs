//! Error numbers, as `sk_err` holds them (include/uapi/asm-generic/errno.h).

pub(super) const PIPE: u32 = 32;
pub(super) const CONNABORTED: u32 = 103;
pub(super) const NETUNREACH: u32 = 101;
pub(super) const CONNRESET: u32 = 104;
pub(super) const TIMEDOUT: u32 = 110;
pub(super) const CONNREFUSED: u32 = 111;
pub(super) const HOSTUNREACH: u32 = 113;
