//! Makes glibc return large buffers to the kernel. Bursts of connections queue rows in large buffers. When the first of
//! them is freed, glibc raises its mmap threshold and keeps later ones (mallopt(3), `M_MMAP_THRESHOLD`): 3 MiB of 15
//! MiB after a burst of 100,000 connections.
//!
//! An allocator crate would do this too, but needs a C compiler to build, and this is one call.

/// Pins the threshold. Must be called before large buffers are allocated and other threads are started.
pub(crate) fn return_large_buffers() {
    #[cfg(target_env = "gnu")]
    {
        const THRESHOLD_BYTES: libc::c_int = 128 << 10;
        // SAFETY: mallopt(3) requires only that no other thread allocates at the same time, and no other thread exists
        // yet.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, THRESHOLD_BYTES) };
    }
}
