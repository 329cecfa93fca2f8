//! The BPF object. It is built by `cargo xtask ebpf` and committed under observer/bpf/; on any other target this binary
//! is empty, so that the workspace builds with stable Rust alone.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(
    target_arch = "bpf",
    feature(core_intrinsics),
    expect(internal_features, reason = "the only atomic add that every supported kernel takes: see bpf/atomic.rs")
)]

#[cfg(target_arch = "bpf")]
mod bpf;

#[cfg(not(target_arch = "bpf"))]
fn main() {}
