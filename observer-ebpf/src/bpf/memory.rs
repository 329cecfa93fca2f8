//! The two ways to read a kernel structure. Handlers are generic over both.

use aya_ebpf::helpers::bpf_probe_read_kernel;

/// A way to read fields.
pub(super) trait Memory: Copy {
    /// Reads a value at `offset` bytes from `base`.
    fn read<T: Copy>(base: *const u8, offset: u32) -> T;
}

/// Direct loads through pointers typed by BTF (tp_btf, fentry, sock_ops). They are free, and the verifier checks them
/// against the running kernel's layout. A bad address reads as zero.
#[derive(Clone, Copy)]
pub(super) struct Direct;

/// Probe reads through plain addresses (kprobe). About 50 ns each.
#[derive(Clone, Copy)]
pub(super) struct Probed;

impl Memory for Direct {
    #[inline(always)]
    fn read<T: Copy>(base: *const u8, offset: u32) -> T {
        // SAFETY: the offset is a field's offset in the running kernel's BTF, and the verifier refuses any other.
        unsafe { base.add(offset as usize).cast::<T>().read() }
    }
}

impl Memory for Probed {
    #[inline(always)]
    fn read<T: Copy>(base: *const u8, offset: u32) -> T {
        // SAFETY: a probe read fails on a bad address instead of faulting. A failed read yields zero, as a direct load
        // does. Only integers and arrays of integers are read.
        unsafe {
            bpf_probe_read_kernel(base.wrapping_add(offset as usize).cast::<T>())
                .unwrap_or_else(|_| core::mem::zeroed())
        }
    }
}
