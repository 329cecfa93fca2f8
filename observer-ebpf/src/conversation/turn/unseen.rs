//! Which part of an ask no hook saw: bits of [`Turn::unseen`].

use super::Turn;

/// All of it.
pub(super) const WHOLE: u8 = 1;
/// A part, with a seen part before or after it.
pub(super) const PART: u8 = 1 << 1;
/// All of it, noticed only at the next send, so its answer may have been read before or after it.
pub(super) const LATE: u8 = 1 << 2;

impl Turn {
    /// End of the last send that a hook saw.
    #[inline(always)]
    #[must_use]
    pub(in crate::conversation) fn seen_end(&self) -> u64 {
        self.chunk_at + u64::from(self.chunk_left)
    }

    #[inline(always)]
    pub(super) fn note_unseen(&mut self, written: u64) {
        let seen_end = self.seen_end();
        if written > seen_end {
            self.unseen |= if seen_end > self.accounted { PART } else { WHOLE };
        }
    }

    /// Whether hooks saw a part, but not all, of the ask that was counted last.
    #[inline(always)]
    #[must_use]
    pub(in crate::conversation) fn is_partly_unseen(&self) -> bool {
        self.unseen & PART != 0
    }

    /// Whether no hook saw the current ask, or a part of it.
    #[inline(always)]
    #[must_use]
    pub(in crate::conversation) fn has_unseen(&self, written: u64) -> bool {
        self.unseen != 0 || written > self.seen_end()
    }

    /// Whether the ask may have been written after its answer was read.
    #[inline(always)]
    #[must_use]
    pub(in crate::conversation) fn is_late(&self) -> bool {
        self.unseen & LATE != 0
    }

    /// Whether no hook saw any of the ask.
    #[inline(always)]
    #[must_use]
    pub(in crate::conversation) fn is_unseen(&self) -> bool {
        self.unseen & WHOLE != 0
    }
}
