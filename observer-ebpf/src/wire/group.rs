//! The unit of counting: one process talking to one remote address and port. Its counters live in the kernel and every
//! view reads them, so a lost row costs a log line and never a count.

use super::connection::{CAUSES, WHYS};

/// Identifies a group. All zero is [`OVERFLOW`].
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    /// When the process started, in clock ticks since boot, as in /proc/PID/stat. It distinguishes a process from a
    /// later one with the same tgid.
    pub start_ticks: u64,
    /// IPv4 as `::ffff:a.b.c.d`.
    pub addr: [u8; 16],
    /// A user id in the overflow group of a user.
    pub tgid: u32,
    pub port: u16,
    /// [`ONE_PROCESS`] or [`ONE_USER`].
    pub kind: u16,
}

/// Kind of a group of one process and one destination. Also that of [`OVERFLOW`].
pub const ONE_PROCESS: u16 = 0;

/// Kind of the overflow group of one user.
pub const ONE_USER: u16 = 1;

/// The group that counts the connections of groups that do not fit the group map.
pub const OVERFLOW: GroupKey = GroupKey { start_ticks: 0, addr: [0; 16], tgid: 0, port: 0, kind: ONE_PROCESS };

impl GroupKey {
    /// The group that counts the connections of a user's groups beyond the share of the user or of its process.
    #[inline(always)]
    #[must_use]
    pub const fn overflow_of(uid: u32) -> Self {
        Self { tgid: uid, kind: ONE_USER, ..OVERFLOW }
    }

    /// A sum over the key. It is nearly always different for different keys.
    #[inline(always)]
    fn sum(&self) -> u32 {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let addr = u128::from_ne_bytes(self.addr);
        let rest = u64::from(self.tgid) | u64::from(self.port) << 32 | u64::from(self.kind) << 48;
        let mut sum = 0u64;
        for word in [self.start_ticks, addr as u64, (addr >> 64) as u64, rest] {
            sum = (sum ^ word).wrapping_mul(ODD);
            sum ^= sum >> 32;
        }
        sum as u32
    }

    /// Whether it counts several processes or destinations.
    #[must_use]
    pub fn is_overflow(&self) -> bool {
        self.kind == ONE_USER || *self == OVERFLOW
    }
}

/// Where a group's counters are, and a sum over the group's key.
///
/// The kernel may give the memory of a deleted group to another one while a program still reads it (kernel/bpf/hashtab.c
/// reuses elements at once). The sum tells the two apart. Slot and sum are one word, so they are read together.
#[repr(transparent)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupPlace(u64);

impl GroupPlace {
    #[inline(always)]
    #[must_use]
    pub fn new(key: &GroupKey, slot: u32) -> Self {
        Self(u64::from(slot) | u64::from(key.sum()) << 32)
    }

    /// The slot. None if this is the place of another group.
    #[inline(always)]
    #[must_use]
    pub fn slot_of(self, key: &GroupKey) -> Option<u32> {
        if (self.0 >> 32) as u32 == key.sum() { Some(self.0 as u32) } else { None }
    }
}

/// The counter slot of the overflow group. Other groups get any free slot.
pub const OVERFLOW_SLOT: u32 = 0;

/// How a connect failed.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Any failure not listed below.
    Other = 0,
    Refused = 1,
    TimedOut = 2,
    HostUnreachable = 3,
    NetworkUnreachable = 4,
    Reset = 5,
    /// No local port was free. Nothing reached the wire.
    AddressNotAvailable = 6,
    /// The application closed the socket before the connect completed.
    Abandoned = 7,
}

/// Number of [`Failure`] variants.
pub const FAILURES: usize = 8;

/// Lower bounds of the buckets of exchanges per connection: 1, 2 to 9, 10 to 99, 100 to 999, 1000 and more.
pub const HISTOGRAM_STARTS: [u64; HISTOGRAM] = [1, 2, 10, 100, 1000];

/// Number of these buckets.
pub const HISTOGRAM: usize = 5;

/// Inclusive upper bounds of the lifetime buckets. Longer lifetimes go into one more bucket.
pub const LIFETIME_BOUNDS_US: [u64; LIFETIMES - 1] =
    [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 60_000_000, 600_000_000, 3_600_000_000];

/// Number of lifetime buckets.
pub const LIFETIMES: usize = 9;

/// The bucket of a connection with this many exchanges. None for 0.
#[inline(always)]
#[must_use]
pub fn exchanges_bucket(exchanges: u64) -> Option<usize> {
    HISTOGRAM_STARTS.iter().rposition(|start| *start <= exchanges)
}

/// The bucket of a connection that lived this long.
#[inline(always)]
#[must_use]
pub fn lifetime_bucket(lifetime_us: u64) -> usize {
    LIFETIME_BOUNDS_US.iter().position(|bound_us| lifetime_us <= *bound_us).unwrap_or(LIFETIMES - 1)
}

/// A group's counters since the watch began. `tracked`, `exchanges_per_connection`, `live`, `idle` and `serving` also
/// go down. So do `unused` and the `closes` of one cause, when an answer that is read after the end moves a connection
/// to another.
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupCounters {
    pub comm: [u8; 16],
    /// Entries of the connection map that count here. At 0, with the process gone, the counters are final.
    pub tracked: u64,
    pub opened: u64,
    /// Open when the watch began.
    pub pre_existing: u64,
    pub closed: u64,
    /// Closed without an exchange.
    pub unused: u64,
    /// First exchanges of a connection, and all later ones.
    pub new: u64,
    pub reused: u64,
    /// Exchanges on connections that cannot be counted exactly, and the number of these connections, including those
    /// without an exchange.
    pub inexact: u64,
    pub marked: u64,
    /// By [`Failure`].
    pub failures: [u64; FAILURES],
    /// Connections that have carried an exchange, by number of exchanges: see [`HISTOGRAM_STARTS`].
    pub exchanges_per_connection: [u64; HISTOGRAM],
    /// Opened connections by [`crate::Why`].
    pub why: [u64; WHYS],
    /// Closed connections by [`crate::Cause`].
    pub closes: [u64; CAUSES],
    /// Connections that are connecting or open, and those of them that are idle.
    pub live: u64,
    pub idle: u64,
    /// The [`crate::Cause`] of the connection that closed last.
    pub last_cause: u64,
    /// Finished connections that carried an exchange, by number of exchanges (see [`HISTOGRAM_STARTS`]), and the sum of
    /// these exchanges.
    pub closed_exchanges: [u64; HISTOGRAM],
    pub closed_exchanges_sum: u64,
    /// Closed connections that were opened during the watch, by lifetime from established to the first FIN or reset
    /// (see [`LIFETIME_BOUNDS_US`]), and the sum of these lifetimes in microseconds.
    pub lifetimes: [u64; LIFETIMES],
    pub lifetime_us_sum: u64,
    /// Id of the process's cgroup (v2) at its first connect in this group. 0 if unknown.
    pub cgroup: u64,
    /// The recognised [`crate::Application`] of its connections, or [`crate::SEVERAL_APPLICATIONS`].
    pub application: u64,
    /// Connections that have asked something: they sent payload beyond set-up.
    pub asked: u64,
    /// Asked connections that can still carry requests. Goes down when one closes.
    pub serving: u64,
    /// High-water marks of `serving`, one for each processor: see [`Self::needed`].
    pub most_serving: [u32; SERVING_MARKS],
    /// Hash of the target that the clients named. 0 if none did.
    pub target: u64,
    /// Bits of [`pool`].
    pub pool: u64,
    /// The user id of its first connection's socket, plus one. 0 if unknown, as in old recordings.
    pub user: u64,
}

/// Bits of [`GroupCounters::pool`]: facts about a group's connections as a pool.
pub mod pool {
    /// `asked` and `serving` are counted. Unset for the overflow group and in old recordings.
    pub const COUNTED: u64 = 1;
    /// Its connections have different targets, or only some have one, so one connection cannot stand in for another.
    /// Also set when it is unknown whether a connection has asked.
    pub const MIXED: u64 = 1 << 1;
    /// No hook sees sends, so each connection counts as asking once it is established.
    pub const UNHEARD: u64 = 1 << 2;
    /// Either of these: `asked` or `needed` may differ from the truth.
    pub const UNCLEAR: u64 = MIXED | UNHEARD;
}

/// Number of high-water marks. Processors share them by the low bits of their number.
pub const SERVING_MARKS: usize = 16;

impl GroupCounters {
    /// The user who created the sockets, as a user id of the initial user namespace.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        self.user.checked_sub(1).and_then(|uid| u32::try_from(uid).ok())
    }

    /// How many connections were needed at once: the highest `serving` ever reached.
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
const _: () = assert!(size_of::<GroupCounters>() == 656);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_of_another_group_is_told_apart() {
        let key = GroupKey { start_ticks: 7, tgid: 8, port: 9, ..OVERFLOW };
        let place = GroupPlace::new(&key, 10_000);
        assert_eq!(place.slot_of(&key), Some(10_000));
        let mut addr = [0; 16];
        addr[15] = 1;
        let others = [
            GroupKey { start_ticks: 8, ..key },
            GroupKey { addr, ..key },
            GroupKey { tgid: 9, ..key },
            GroupKey { port: 10, ..key },
            GroupKey { kind: ONE_USER, ..key },
        ];
        for other in others {
            assert_eq!(place.slot_of(&other), None, "{other:?}");
        }
    }

    #[test]
    fn exchange_buckets_start_at_their_bounds() {
        let cases = [(0, None), (1, Some(0)), (2, Some(1)), (9, Some(1)), (10, Some(2)), (99, Some(2)), (100, Some(3))];
        for (exchanges, bucket) in cases.into_iter().chain([(999, Some(3)), (1000, Some(4)), (u64::MAX, Some(4))]) {
            assert_eq!(exchanges_bucket(exchanges), bucket, "{exchanges}");
        }
    }

    #[test]
    fn lifetime_buckets_include_their_bounds() {
        const HOUR_US: u64 = 3_600_000_000;
        let cases = [(0, 0), (1_000, 0), (1_001, 1), (10_000, 1), (999_999, 3), (1_000_001, 4), (60_000_000, 5)];
        for (lifetime_us, bucket) in cases.into_iter().chain([(HOUR_US, 7), (HOUR_US + 1, 8), (u64::MAX, 8)]) {
            assert_eq!(lifetime_bucket(lifetime_us), bucket, "{lifetime_us}");
        }
    }
}
