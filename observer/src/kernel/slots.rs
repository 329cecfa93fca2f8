//! Which groups hold the kernel's counter slots, and which of them give theirs up when slots become scarce. Knows no
//! map, so it can be tested without a kernel.

use std::collections::{HashMap, HashSet};

use tcp_reuse_watch_ebpf::{GroupKey, Holder, OVERFLOW, OVERFLOW_SLOT, USER};

/// Groups in the kernel at the same time, not counting the overflow group.
pub(super) const MAX_GROUPS: u32 = 10_000;

/// The most slots that the groups of one process may hold, and those of one user.
pub(super) const PROCESS_SHARE: u32 = MAX_GROUPS / 2;
pub(super) const USER_SHARE: u32 = MAX_GROUPS / 4 * 3;

/// Processes and users that hold slots. If each slot has another process, some hold theirs outside of every share.
pub(super) const MAX_HOLDERS: u32 = MAX_GROUPS;

/// A share, or all slots, become scarce when less than a tenth is free. Groups leave until a fifth is free.
const SCARCE: u32 = 10;
const ENOUGH: u32 = 5;

/// A group in the kernel that tracks no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Idle {
    pub(super) key: GroupKey,
    /// The user who holds its slot.
    pub(super) uid: Option<u32>,
    /// Exchanges and connections so far.
    pub(super) loudness: u64,
}

/// Slots of one holder.
#[derive(Clone, Copy, Default)]
struct Slots {
    /// Of groups in the kernel.
    present: u32,
    /// Of groups that have left, and whose slots are not free yet.
    leaving: u32,
}

pub(super) struct SlotTable {
    /// The slot of each group in the kernel, with the overflow group.
    slots: HashMap<GroupKey, u32>,
    holders: HashMap<Holder, Slots>,
}

impl SlotTable {
    pub(super) fn new() -> Self {
        Self { slots: HashMap::from([(OVERFLOW, OVERFLOW_SLOT)]), holders: HashMap::new() }
    }

    pub(super) fn slot_of(&self, key: &GroupKey) -> Option<u32> {
        self.slots.get(key).copied()
    }

    /// Notes a group that the kernel has created in the shares of this user and of its process.
    pub(super) fn insert(&mut self, key: GroupKey, slot: u32, uid: Option<u32>) {
        self.slots.insert(key, slot);
        for holder in holders(&key, uid) {
            self.holders.entry(holder).or_default().present += 1;
        }
    }

    /// Notes that the kernel has no such group any more. Its slot remains in the shares until [`Self::free`].
    pub(super) fn leave(&mut self, key: &GroupKey, uid: Option<u32>) {
        self.slots.remove(key);
        for holder in holders(key, uid) {
            if let Some(slots) = self.holders.get_mut(&holder) {
                slots.present = slots.present.saturating_sub(1);
                slots.leaving += 1;
            }
        }
    }

    /// Notes that the slot of a group that has left is free. Returns its holders, each with whether it holds no more
    /// slots.
    pub(super) fn free(&mut self, key: &GroupKey, uid: Option<u32>) -> Vec<(Holder, bool)> {
        let holders = holders(key, uid);
        let freed = holders.into_iter().map(|holder| {
            let slots = self.holders.entry(holder).or_default();
            slots.leaving = slots.leaving.saturating_sub(1);
            let holds_none = slots.present + slots.leaving == 0;
            if holds_none {
                self.holders.remove(&holder);
            }
            (holder, holds_none)
        });
        freed.collect()
    }

    /// The groups that leave the kernel, so that all slots and every share have room again: all those without any
    /// connection, because failed connects alone hold no slot, and then the quietest.
    pub(super) fn scarce(&self, mut idle: Vec<Idle>) -> Vec<Idle> {
        let all = u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX);
        let shares = self.holders.iter().map(|(holder, slots)| {
            (Some(*holder), excess_of(slots.present, if holder.kind == USER { USER_SHARE } else { PROCESS_SHARE }))
        });
        let mut excess: HashMap<Option<Holder>, u32> =
            shares.chain([(None, excess_of(all, MAX_GROUPS))]).filter(|(_, excess)| *excess > 0).collect();
        let scarce: HashSet<Option<Holder>> = excess.keys().copied().collect();
        if scarce.is_empty() {
            return Vec::new();
        }
        idle.sort_unstable_by_key(|group| (group.loudness, group.key));
        let mut leaving = Vec::new();
        for group in idle {
            let counted_in = holders(&group.key, group.uid).into_iter().map(Some).chain([None]);
            let relieved: Vec<_> = counted_in.filter(|holder| scarce.contains(holder)).collect();
            let is_needed = relieved.iter().any(|holder| excess.get(holder).is_some_and(|left| *left > 0));
            if is_needed || group.loudness == 0 && !relieved.is_empty() {
                leaving.push(group);
                for holder in relieved {
                    excess.entry(holder).and_modify(|left| *left = left.saturating_sub(1));
                }
            }
        }
        leaving
    }
}

/// How many of these slots must become free.
fn excess_of(slots: u32, most: u32) -> u32 {
    if most - slots.min(most) < most / SCARCE { slots - (most - most / ENOUGH) } else { 0 }
}

/// The process and the user in whose shares a group is counted. An overflow group is in none.
fn holders(key: &GroupKey, uid: Option<u32>) -> Vec<Holder> {
    let uid = uid.filter(|_| !key.is_overflow());
    uid.map(|uid| vec![Holder::process(key), Holder::user(uid)]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tgid: u32, port: u16) -> GroupKey {
        GroupKey { start_ticks: 7, tgid, port, ..OVERFLOW }
    }

    /// The groups of one process, as many as given, each louder than the one before.
    fn fill(slots: &mut SlotTable, tgid: u32, uid: u32, groups: u32) -> Vec<Idle> {
        (0..groups)
            .map(|n| {
                let key = key(tgid, n as u16);
                slots.insert(key, 1 + n, Some(uid));
                Idle { key, uid: Some(uid), loudness: u64::from(n) + 1 }
            })
            .collect()
    }

    #[test]
    fn nobody_leaves_while_there_is_room() {
        let mut slots = SlotTable::new();
        let mut idle = fill(&mut slots, 1, 1000, PROCESS_SHARE / 10 * 9);
        idle.extend(fill(&mut slots, 2, 1001, 100));
        assert_eq!(slots.scarce(idle), []);
    }

    #[test]
    fn quiet_groups_of_a_full_share_leave() {
        let mut slots = SlotTable::new();
        let mut idle = fill(&mut slots, 1, 1000, PROCESS_SHARE);
        idle.extend(fill(&mut slots, 2, 1000, 100));
        let leaving = slots.scarce(idle.clone());
        assert_eq!(leaving.len() as u32, PROCESS_SHARE / ENOUGH);
        assert!(leaving.iter().all(|group| group.key.tgid == 1), "the other process has room");
        assert!(leaving.iter().all(|group| u32::from(group.key.port) < PROCESS_SHARE / ENOUGH), "the quietest");
        idle.retain(|group| group.key.port == 4_000);
        assert_eq!(slots.scarce(idle.clone()), idle, "only groups without connections");
    }

    #[test]
    fn failed_connects_hold_no_slot() {
        let mut slots = SlotTable::new();
        let mut idle = fill(&mut slots, 1, 1000, PROCESS_SHARE);
        for group in &mut idle {
            group.loudness = 0;
        }
        assert_eq!(slots.scarce(idle).len() as u32, PROCESS_SHARE);
    }

    #[test]
    fn all_leave_room_for_others() {
        let mut slots = SlotTable::new();
        let mut idle = Vec::new();
        for user in 0..3 {
            idle.extend(fill(&mut slots, user, user, MAX_GROUPS / 3));
        }
        let leaving = slots.scarce(idle.clone());
        assert_eq!(leaving.len() as u32, MAX_GROUPS / 3 * 3 - MAX_GROUPS / ENOUGH * (ENOUGH - 1));
        for group in &leaving {
            slots.leave(&group.key, group.uid);
        }
        idle.retain(|group| !leaving.contains(group));
        assert_eq!(slots.scarce(idle), [], "they are about to free their slots");
    }

    #[test]
    fn last_slot_of_a_holder_is_known() {
        let mut slots = SlotTable::new();
        fill(&mut slots, 1, 1000, 2);
        let [first, second] = [key(1, 0), key(1, 1)];
        slots.leave(&first, Some(1000));
        assert_eq!(slots.free(&first, Some(1000)), [(Holder::process(&first), false), (Holder::user(1000), false)]);
        slots.leave(&second, Some(1000));
        assert_eq!(slots.free(&second, Some(1000)), [(Holder::process(&first), true), (Holder::user(1000), true)]);
        assert_eq!((slots.slots.len(), slots.holders.len()), (1, 0));
    }

    #[test]
    fn overflow_groups_are_in_no_share() {
        let mut slots = SlotTable::new();
        let overflow = GroupKey::overflow_of(1000);
        slots.insert(overflow, 5, Some(1000));
        assert_eq!(slots.holders.len(), 0);
        slots.leave(&overflow, Some(1000));
        assert_eq!(slots.free(&overflow, Some(1000)), []);
    }
}
