//! Detects executables whose `main` is written in Rust, even if they are stripped. Before `main`, Rust's standard
//! library ignores SIGPIPE and asserts that this worked, and the assertion's message is among the constants. A C
//! program that links a Rust library does not use that startup code, so a linker that drops unused sections
//! (`--gc-sections`) drops the message.

use super::elf::{Elf, ReadAt};

const SECTION: &[u8] = b".rodata";

/// The assertion in `reset_sigpipe()` of library/std/src/sys/pal/unix/mod.rs, formerly src/libstd/sys/unix/mod.rs. The
/// message continues with `libc::SIG_IGN)` or, in newer releases, `handler)`.
const MESSAGE: &[u8] = b"assertion failed: signal(libc::SIGPIPE, ";

/// The constants are read in chunks of this size. The search takes some milliseconds, because the page cache holds the
/// file of a running program. It runs once for each process that nothing else has identified.
const CHUNK_BYTES: usize = 1 << 18;

/// How far the search goes. In the 3.4 MB of constants of a large program (ruff), the message is at 2.3 MB.
const SEARCH_BYTES: u64 = 8 << 20;

pub(super) fn is_rust(file: &mut impl ReadAt) -> bool {
    let Some(constants) = Elf::read(file, SECTION).and_then(|elf| elf.section()) else { return false };
    let len = constants.len.min(SEARCH_BYTES);
    (0..len).step_by(CHUNK_BYTES).any(|start| {
        let Some(offset) = constants.offset.checked_add(start) else { return false };
        // Chunks overlap, because the message may cross their boundary.
        let chunk = file.read_at(offset, CHUNK_BYTES + MESSAGE.len() - 1);
        chunk.windows(MESSAGE.len()).any(|window| window == MESSAGE)
    })
}

#[cfg(test)]
mod tests;
