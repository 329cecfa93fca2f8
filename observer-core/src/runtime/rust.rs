//! How an executable is told whose `main` is Rust's, also when it is stripped. Before it calls `main`, Rust's standard
//! library ignores SIGPIPE, and what it would say if that failed stands among the constants. Where a program in C has linked
//! in a library in Rust, that beginning is not used, and a linker that drops what is unused (`--gc-sections`) drops it.

use super::elf::{Elf, Image};

const SECTION: &[u8] = b".rodata";

/// `reset_sigpipe()` in library/std/src/sys/pal/unix/mod.rs, once src/libstd/sys/unix/mod.rs: the text of an assertion, which
/// goes on with `libc::SIG_IGN)` or, in newer releases, `handler)`.
const SIGN: &[u8] = b"assertion failed: signal(libc::SIGPIPE, ";

/// The constants are read piece by piece, and not past a bound: among the 3.4 MB of one of the large programs (ruff) the
/// sign is at 2.3 MB. The file is in memory, since it runs: this takes some milliseconds, once for a process of which
/// nothing else has told.
const PIECE: usize = 1 << 18;
const SEARCHED: u64 = 8 << 20;

pub(super) fn has_built(image: &mut impl Image) -> bool {
    let Some(constants) = Elf::read(image, SECTION).and_then(|elf| elf.section()) else { return false };
    let len = constants.len.min(SEARCHED);
    (0..len).step_by(PIECE).any(|start| {
        let Some(offset) = constants.offset.checked_add(start) else { return false };
        // A sign that lies across the end of a piece is found with this one.
        let piece = image.read(offset, PIECE + SIGN.len() - 1);
        piece.windows(SIGN.len()).any(|words| words == SIGN)
    })
}

#[cfg(test)]
mod tests;
