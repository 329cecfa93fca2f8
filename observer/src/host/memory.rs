//! What the allocator keeps for itself. Rows wait in large buffers while many connections come at once; glibc takes the
//! first that is freed for a sign that more will follow, and from then on keeps them (mallopt(3), `M_MMAP_THRESHOLD`):
//! 3 MiB of 15 after a burst of 100,000 connections.

/// Has large buffers given back when they are free. To be called before there are any.
pub(crate) fn give_back_large_buffers() {
    #[cfg(target_env = "gnu")]
    {
        const THRESHOLD_BYTES: libc::c_int = 128 << 10;
        // SAFETY: mallopt(3) has no preconditions but that no other thread allocates, and there is none yet.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, THRESHOLD_BYTES) };
    }
}
