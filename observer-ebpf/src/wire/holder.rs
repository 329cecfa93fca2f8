//! Who holds counter slots. A process and a user each may hold a share of them, so nobody takes the room of all others.

use super::group::GroupKey;

/// A process or a user, as a holder of slots.
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Holder {
    /// As in [`GroupKey`]. 0 for a user.
    pub start_ticks: u64,
    /// A tgid or a user id.
    pub id: u32,
    /// [`PROCESS`] or [`USER`].
    pub kind: u32,
}

pub const PROCESS: u32 = 0;
pub const USER: u32 = 1;

impl Holder {
    /// The process of a group.
    #[inline(always)]
    #[must_use]
    pub const fn process(group: &GroupKey) -> Self {
        Self { start_ticks: group.start_ticks, id: group.tgid, kind: PROCESS }
    }

    #[inline(always)]
    #[must_use]
    pub const fn user(uid: u32) -> Self {
        Self { start_ticks: 0, id: uid, kind: USER }
    }
}

const _: () = assert!(size_of::<Holder>() == 16);
