//! The counters of a connection's group.

use aya_ebpf::bindings::BPF_NOEXIST;
use tcp_reuse_watch_ebpf::{
    Application, Connection, GroupCounters, GroupKey, GroupPlace, HISTOGRAM_STARTS, Loss, OVERFLOW_SLOT,
    SEVERAL_APPLICATIONS, exchanges_bucket, lifetime_bucket, pool,
};

use super::{
    atomic,
    frozen::frozen,
    maps::{COUNTERS, FREE_SLOTS, GROUPS, count_loss},
    process::{self, Process},
    shares,
};

/// -EEXIST: another processor was faster.
pub(super) const EEXIST: i32 = -17;

/// Where a group's counters are after a lookup that creates missing groups.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupSlot {
    Present(u32),
    Created(u32),
    /// No room: this overflow group counts the connection.
    Overflow(u32),
}

impl GroupSlot {
    #[inline(always)]
    pub(super) fn slot(self) -> u32 {
        match self {
            Self::Present(slot) | Self::Created(slot) | Self::Overflow(slot) => slot,
        }
    }

    #[inline(always)]
    pub(super) fn is_created(self) -> bool {
        matches!(self, Self::Created(_))
    }

    #[inline(always)]
    pub(super) fn is_overflow(self) -> bool {
        matches!(self, Self::Overflow(_))
    }
}

/// A group's counters: a pointer into a map value, checked for null.
#[derive(Clone, Copy)]
pub(super) struct Counters(pub(super) *mut GroupCounters);

/// Adds one to a counter, as in `count!(counters, opened)`. `uncount!` subtracts one (-1 in two's complement).
macro_rules! count {
    ($counters:expr, $($field:tt)+) => {{
        // SAFETY: only an address inside the map value is computed.
        let counter = unsafe { &raw mut (*$counters.0).$($field)+ };
        $crate::bpf::atomic::add(counter, 1);
    }};
}
macro_rules! uncount {
    ($counters:expr, $($field:tt)+) => {{
        // SAFETY: only an address inside the map value is computed.
        let counter = unsafe { &raw mut (*$counters.0).$($field)+ };
        $crate::bpf::atomic::add(counter, u64::MAX);
    }};
}
pub(super) use {count, uncount};

/// Adds to one counter of an array.
#[inline(always)]
pub(super) fn add_at<const N: usize>(counters: *mut [u64; N], index: u8, n: u64) {
    const { assert!(N.is_power_of_two()) };
    // SAFETY: only an address inside the array is computed.
    atomic::add(unsafe { counters.cast::<u64>().add(usize::from(index) & (N - 1)) }, n);
}

impl Counters {
    /// The counters of `connection`'s group. They belong to that group as long as an entry points at them: user space
    /// frees a slot only when `tracked` is 0 and no program can still be about to use it.
    #[inline(always)]
    pub(super) fn of(connection: &Connection) -> Option<Self> {
        Self::at(connection.slot)
    }

    #[inline(always)]
    pub(super) fn at(slot: u32) -> Option<Self> {
        let group = COUNTERS.get_ptr_mut(slot);
        if group.is_none() {
            count_loss(Loss::CountsLost);
        }
        group.map(Self)
    }

    /// Finds the group, or creates it. A new group already counts the connection that it was created for as live, so a
    /// concurrent connect does not count itself as the first.
    #[inline(always)]
    pub(super) fn find_or_create(key: &GroupKey, process: &Process, uid: u32) -> GroupSlot {
        if let Some(slot) = slot_of(key) {
            return GroupSlot::Present(slot);
        }
        if !shares::take(key, uid) {
            count_loss(Loss::GroupsFull);
            return GroupSlot::Overflow(Self::overflow_of(uid));
        }
        let start = Start {
            comm: process.comm,
            live: 1,
            cgroup: process::cgroup_of(key.tgid),
            pool: pool::COUNTED | if frozen!(SWITCHES.sees_sends) == 0 { pool::UNHEARD } else { 0 },
            user: u64::from(uid) + 1,
        };
        let created = create(key, &start);
        if created.is_created() {
            return created;
        }
        shares::give_back(key, uid);
        if created.is_overflow() {
            count_loss(Loss::GroupsFull);
        }
        created
    }

    /// The slot that counts what is beyond a share of this user.
    #[inline(always)]
    fn overflow_of(uid: u32) -> u32 {
        let key = GroupKey::overflow_of(uid);
        match slot_of(&key) {
            Some(slot) => slot,
            None => create(&key, &Start { user: u64::from(uid) + 1, ..Start::NOTHING }).slot(),
        }
    }

    /// Reverts the live connection of a new group, because the connection could not be tracked.
    #[inline(always)]
    pub(super) fn cancel(group_slot: GroupSlot) {
        if let GroupSlot::Created(slot) = group_slot
            && let Some(counters) = Self::at(slot)
        {
            uncount!(counters, live);
        }
    }

    /// Puts a connection into the histogram at its first exchange, and moves it up at the start of each bucket.
    #[inline(always)]
    pub(super) fn count_in_histogram(self, exchanges: u64) {
        for (bucket, start) in HISTOGRAM_STARTS.into_iter().enumerate() {
            if exchanges == start {
                count!(self, exchanges_per_connection[bucket]);
                if bucket > 0 {
                    uncount!(self, exchanges_per_connection[bucket - 1]);
                }
            }
        }
    }

    /// Notes the application that a connection of the group speaks. Of two concurrent notes one wins, and the next
    /// exchange corrects it.
    #[inline(always)]
    pub(super) fn note_application(self, application: u8) {
        // SAFETY: only an address inside the map value is computed; a pointer into a map value, checked for null.
        let noted = unsafe { &mut (*self.0).application };
        if application != Application::Unknown as u8 && *noted != u64::from(application) {
            *noted = if *noted == Application::Unknown as u64 { u64::from(application) } else { SEVERAL_APPLICATIONS };
        }
    }

    /// Counts the lifetime of a connection that has ended.
    #[inline(always)]
    pub(super) fn count_lifetime(self, lifetime_us: u64) {
        count!(self, lifetimes[lifetime_bucket(lifetime_us)]);
        // SAFETY: only an address inside the map value is computed.
        atomic::add(unsafe { &raw mut (*self.0).lifetime_us_sum }, lifetime_us);
    }

    /// Counts a finished connection by its final number of exchanges.
    #[inline(always)]
    pub(super) fn count_finished(self, exchanges: u64) {
        if let Some(bucket) = exchanges_bucket(exchanges) {
            count!(self, closed_exchanges[bucket]);
            // SAFETY: only an address inside the map value is computed.
            atomic::add(unsafe { &raw mut (*self.0).closed_exchanges_sum }, exchanges);
        }
    }
}

/// What a new group starts with. All else is zero in a free slot.
struct Start {
    comm: [u8; 16],
    live: u64,
    cgroup: u64,
    pool: u64,
    user: u64,
}

impl Start {
    const NOTHING: Self = Self { comm: [0; 16], live: 0, cgroup: 0, pool: 0, user: 0 };

    /// Writes it into a slot that no group uses.
    #[inline(always)]
    fn write(&self, slot: u32) {
        if let Some(Counters(group)) = Counters::at(slot) {
            // SAFETY: a pointer into a map value, checked for null. Nothing else uses this slot.
            unsafe {
                (*group).comm = self.comm;
                (*group).live = self.live;
                (*group).cgroup = self.cgroup;
                (*group).pool = self.pool;
                (*group).user = self.user;
            }
        }
    }
}

/// Creates a group in a free slot. Without room, the overflow group of all counts.
#[inline(always)]
fn create(key: &GroupKey, start: &Start) -> GroupSlot {
    let Ok(Some(slot)) = FREE_SLOTS.pop() else { return GroupSlot::Overflow(OVERFLOW_SLOT) };
    start.write(slot);
    let Err(error) = GROUPS.insert(key, &GroupPlace::new(key, slot), u64::from(BPF_NOEXIST)) else {
        return GroupSlot::Created(slot);
    };
    Start::NOTHING.write(slot);
    if FREE_SLOTS.push(&slot, 0).is_err() {
        count_loss(Loss::NotRemoved);
    }
    match slot_of(key).filter(|_| error == EEXIST) {
        Some(slot) => GroupSlot::Present(slot),
        None => GroupSlot::Overflow(OVERFLOW_SLOT),
    }
}

/// The group's slot, if the group exists.
#[inline(always)]
fn slot_of(key: &GroupKey) -> Option<u32> {
    // SAFETY: read as one word, which the kernel replaces as a whole.
    let place = unsafe { GROUPS.get_ptr(key)?.read_volatile() };
    place.slot_of(key)
}
