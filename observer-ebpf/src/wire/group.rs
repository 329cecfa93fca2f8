//! The counting unit: one process talking to one remote address and port. Its counters live in the kernel and are what
//! every view reads, so that a lost row costs a line of a log and never a count.

use super::connection::{CAUSES, WHYS};

/// Which group. All zero is [`OVERFLOW`].
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    /// When the process started, in clock ticks since boot, as /proc/PID/stat says it. With the tgid it tells a process
    /// from a later one.
    pub start_ticks: u64,
    /// IPv4 as `::ffff:a.b.c.d`.
    pub addr: [u8; 16],
    pub tgid: u32,
    pub port: u16,
    pub reserved: u16,
}

/// Where connections are counted when there is no room for their own group.
pub const OVERFLOW: GroupKey = GroupKey { start_ticks: 0, addr: [0; 16], tgid: 0, port: 0, reserved: 0 };

/// The slot of its counters. Those of other groups are where there is room.
pub const OVERFLOW_SLOT: u32 = 0;

/// How a connect failed.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Anything without a place of its own below.
    Other = 0,
    Refused = 1,
    TimedOut = 2,
    HostUnreachable = 3,
    NetworkUnreachable = 4,
    Reset = 5,
    /// No local port was free. It never reached the wire.
    AddressNotAvailable = 6,
    /// The application closed the socket before the connect was through.
    Abandoned = 7,
}

/// How many there are of [`Failure`].
pub const FAILURES: usize = 8;

/// Where the buckets of exchanges per connection begin: 1, 2 to 9, 10 to 99, 100 to 999, 1000 and more.
pub const HISTOGRAM_STARTS: [u64; HISTOGRAM] = [1, 2, 10, 100, 1000];

/// How many buckets there are.
pub const HISTOGRAM: usize = 5;

/// Where the buckets of lifetimes end, this microsecond included; what lived longer is in the last one.
pub const LIFETIME_BOUNDS_US: [u64; LIFETIMES - 1] =
    [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 60_000_000, 600_000_000, 3_600_000_000];

/// How many buckets there are.
pub const LIFETIMES: usize = 9;

/// The bucket of a connection that has carried so many exchanges; None without one.
#[inline(always)]
#[must_use]
pub fn exchanges_bucket(exchanges: u64) -> Option<usize> {
    HISTOGRAM_STARTS.iter().rposition(|start| *start <= exchanges)
}

/// The bucket of a connection that has lived so long.
#[inline(always)]
#[must_use]
pub fn lifetime_bucket(lifetime_us: u64) -> usize {
    LIFETIME_BOUNDS_US.iter().position(|bound_us| lifetime_us <= *bound_us).unwrap_or(LIFETIMES - 1)
}

/// A group's counters since the watch began. `tracked`, `exchanges_per_connection`, `live`, `idle`
/// and `serving` also go down; so do
/// `unused` and a cause of `closes`, when what is read after the end moves a connection to another.
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub comm: [u8; 16],
    /// Entries of the connection map that count here. At 0, with the process gone, nothing will change any more.
    pub tracked: u64,
    pub opened: u64,
    /// Open when the watch began.
    pub pre_existing: u64,
    pub closed: u64,
    /// Closed without an exchange.
    pub unused: u64,
    /// First exchanges of a connection, and all others.
    pub new: u64,
    pub reused: u64,
    /// Exchanges on connections that cannot be counted exactly, and those connections, also those without an exchange.
    pub inexact: u64,
    pub marked: u64,
    /// By [`Failure`].
    pub failures: [u64; FAILURES],
    /// Connections that have carried an exchange, by how many: see [`HISTOGRAM_STARTS`].
    pub exchanges_per_connection: [u64; HISTOGRAM],
    /// Opened connections by [`crate::Why`].
    pub why: [u64; WHYS],
    /// Closed ones by [`crate::Cause`].
    pub closes: [u64; CAUSES],
    /// Connections that are connecting or open, and those of them that are idle.
    pub live: u64,
    pub idle: u64,
    /// The [`crate::Cause`] of the last one that closed.
    pub last_cause: u64,
    /// Connections that are over and have carried an exchange, by how many: see [`HISTOGRAM_STARTS`]; and those exchanges.
    pub closed_exchanges: [u64; HISTOGRAM],
    pub closed_exchanges_sum: u64,
    /// Closed ones that were opened during the watch, by the time from established to the first FIN or reset: see
    /// [`LIFETIME_BOUNDS_US`]; and these times, in microseconds.
    pub lifetimes: [u64; LIFETIMES],
    pub lifetime_us_sum: u64,
    /// The id of the process's cgroup (v2) when it first connected in this group; 0 if it is not known.
    pub cgroup: u64,
    /// The [`crate::Application`] that its connections speak, as far as they were recognised; or
    /// [`crate::SEVERAL_APPLICATIONS`].
    pub application: u64,
    /// Connections that have asked something: sent payload that does not only set them up.
    pub asked: u64,
    /// Those of them that still can serve. It goes down when one is closed.
    pub serving: u64,
    /// The most that ever served, as each processor has seen it: see [`Self::needed`].
    pub most_serving: [u32; SERVING_MARKS],
    /// A hash of whom its connections are for, where their clients have said so; 0 if none has.
    pub target: u64,
    /// Bits of [`pool`].
    pub pool: u64,
}

/// Bits of [`Group::pool`]: what is known of a group's connections as a pool.
pub mod pool {
    /// `asked` and `serving` are counted. Not so in the overflow group, nor in old recordings.
    pub const COUNTED: u64 = 1;
    /// Its connections are for different targets, or some are for one and others for none: one cannot stand in for another. Or
    /// whether one has asked is not known.
    pub const MIXED: u64 = 1 << 1;
    /// No hook sees sends: each connection counts as asking once it is established.
    pub const UNHEARD: u64 = 1 << 2;
    /// Any of these: `asked` or `needed` may differ from the truth.
    pub const UNCLEAR: u64 = MIXED | UNHEARD;
}

/// Marks of the most that served. Processors share them by the low bits of their number.
pub const SERVING_MARKS: usize = 16;

impl Group {
    /// How many connections were needed at once: the most that ever served.
    #[inline(always)]
    #[must_use]
    pub fn needed(&self) -> u64 {
        let mut most = 0;
        for mark in self.most_serving {
            most = if mark > most { mark } else { most };
        }
        most.into()
    }
}

const _: () = assert!(size_of::<GroupKey>() == 32);
const _: () = assert!(size_of::<Group>() == 616);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_of_exchanges_begin_where_they_say() {
        let cases = [(0, None), (1, Some(0)), (2, Some(1)), (9, Some(1)), (10, Some(2)), (99, Some(2)), (100, Some(3))];
        for (exchanges, bucket) in cases.into_iter().chain([(999, Some(3)), (1000, Some(4)), (u64::MAX, Some(4))]) {
            assert_eq!(exchanges_bucket(exchanges), bucket, "{exchanges}");
        }
    }

    #[test]
    fn buckets_of_lifetimes_end_with_their_bound() {
        const HOUR_US: u64 = 3_600_000_000;
        let cases = [(0, 0), (1_000, 0), (1_001, 1), (10_000, 1), (999_999, 3), (1_000_001, 4), (60_000_000, 5)];
        for (lifetime_us, bucket) in cases.into_iter().chain([(HOUR_US, 7), (HOUR_US + 1, 8), (u64::MAX, 8)]) {
            assert_eq!(lifetime_bucket(lifetime_us), bucket, "{lifetime_us}");
        }
    }
}
