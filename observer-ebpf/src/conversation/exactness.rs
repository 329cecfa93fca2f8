//! Whether counts are exact.

/// Whether a connection's exchanges can still be counted exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Exactness {
    Exact,
    Inexact,
}

impl Exactness {
    #[inline(always)]
    pub(super) fn and(self, other: Self) -> Self {
        if self == Self::Inexact { Self::Inexact } else { other }
    }
}
