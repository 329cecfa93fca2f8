//! The BPF object. `cargo xtask ebpf` builds it, and the result is committed under observer/bpf/. On any other target
//! this binary is empty, so stable Rust alone builds the workspace.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(
    target_arch = "bpf",
    feature(core_intrinsics),
    expect(internal_features, reason = "the only atomic add that every supported kernel loads: see bpf/atomic.rs")
)]

#[cfg(target_arch = "bpf")]
mod bpf;

#[cfg(not(target_arch = "bpf"))]
fn main() {}
