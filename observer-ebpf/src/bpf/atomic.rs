//! Addition to a counter that several processors share.
//!
//! `AtomicU64::fetch_add` does not exist on this target. The intrinsic, relaxed and with its result unused, becomes
//! `BPF_XADD`, which every supported kernel loads. With its result used, it does not link for the generic BPF CPU.

/// Adds `n` to `*counter`. `n` may be negative, in two's complement.
#[inline(always)]
pub(super) fn add(counter: *mut u64, n: u64) {
    // SAFETY: the callers pass a pointer into a map value, checked for null and aligned to 8 bytes.
    unsafe {
        core::intrinsics::atomic_xadd::<u64, u64, { core::intrinsics::AtomicOrdering::Relaxed }>(counter, n);
    }
}
