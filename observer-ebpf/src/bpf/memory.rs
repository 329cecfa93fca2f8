//! The two ways of reading a kernel structure. A handler is written once, for both.

use aya_ebpf::helpers::bpf_probe_read_kernel;

/// How fields are read.
pub(super) trait Memory: Copy {
    /// Reads a value at `offset` bytes behind `base`.
    fn read<T: Copy>(base: *const u8, offset: u32) -> T;
}

/// Direct loads, for pointers that BTF has typed (tp_btf, fentry, sock_ops): free, and checked by the verifier against
/// the running kernel's layout. A bad address reads as zero.
#[derive(Clone, Copy)]
pub(super) struct Direct;

/// Probe reads, for plain addresses (kprobe): about 50 ns each.
#[derive(Clone, Copy)]
pub(super) struct Probed;

impl Memory for Direct {
    #[inline(always)]
    fn read<T: Copy>(base: *const u8, offset: u32) -> T {
        // SAFETY: the offset is that of a field in the running kernel, by its BTF; the verifier refuses any other.
        unsafe { base.add(offset as usize).cast::<T>().read() }
    }
}

impl Memory for Probed {
    #[inline(always)]
    fn read<T: Copy>(base: *const u8, offset: u32) -> T {
        // SAFETY: a probe read fails on a bad address instead of faulting. What it failed to read is zero, as it is for
        // a direct load; only integers and arrays of them are read.
        unsafe {
            bpf_probe_read_kernel(base.wrapping_add(offset as usize).cast::<T>())
                .unwrap_or_else(|_| core::mem::zeroed())
        }
    }
}
