//! Runs last in a plain `cargo test`, and says what it left out. It tests nothing.

use std::env;

/// Set by `cargo xtask`, whose commands report for themselves.
const QUIET: &str = "TCP_REUSE_WATCH_XTASK";

fn main() {
    // A test runner that lists tests, such as cargo-nextest, expects no other output.
    if env::var_os(QUIET).is_none() && env::args().all(|arg| arg != "--list") {
        println!(
            "\nskipped: doctor, end_to_end, matrix and scenarios load programs into the kernel, which needs root; \
             observer-ebpf and xtask have tests of their own\n\
             everything that needs no root: `cargo xtask check`; everything, as root: `cargo xtask test`\n"
        );
    }
}
