//! How a .NET program is told that has its runtime in its own executable: published as a single file, or compiled ahead
//! of time. Debuggers find the runtime by a symbol that it exports for them, which `strip` leaves.

use super::elf::{Elf, Image};

/// The names of exported and imported symbols.
const SECTION: &[u8] = b".dynstr";

/// More than such a program has: 8 KiB in one of .NET 10, which is 142 MB large.
const SEARCHED: usize = 1 << 16;

/// src/coreclr/debug/runtimeinfo/runtimeinfo.cpp, and src/coreclr/nativeaot/Runtime/DebugHeader.cpp.
const SIGNS: [&[u8]; 2] = [b"\0DotNetRuntimeInfo\0", b"\0DotNetRuntimeDebugHeader\0"];

pub(super) fn is_within(image: &mut impl Image) -> bool {
    let Some(names) = Elf::read(image, SECTION).and_then(|elf| elf.section()) else { return false };
    let names = image.read(names.offset, usize::try_from(names.len).unwrap_or(SEARCHED).min(SEARCHED));
    SIGNS.iter().any(|sign| names.windows(sign.len()).any(|name| name == *sign))
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixture::{Bytes, KINDS},
        *,
    };

    fn is_told(file: &[u8]) -> bool {
        let mut image = Bytes::of(file);
        let is_told = is_within(&mut image);
        image.assert_read_at_most(6, 100_000);
        is_told
    }

    #[test]
    fn the_symbol_for_debuggers_tells() {
        for kind in KINDS {
            for name in ["DotNetRuntimeInfo", "DotNetRuntimeDebugHeader"] {
                let names = format!("\0libc.so.6\0{name}\0V1.0\0");
                assert!(is_told(&kind.executable(SECTION, names.as_bytes(), Some(0))), "{name}");
            }
        }
    }

    #[test]
    fn what_only_has_the_word_is_none() {
        for kind in KINDS {
            assert!(!is_told(&kind.executable(SECTION, b"\0printDotNetRuntimeInfo\0", Some(0))));
            assert!(!is_told(&kind.executable(b".rodata", b"\0DotNetRuntimeInfo\0", Some(0))));
            assert!(!is_told(&kind.executable(SECTION, b"\0DotNetRuntimeInfo\0", None)));
        }
        assert!(!is_told(b""));
    }

    #[test]
    fn a_file_that_lies_or_ends_anywhere_does_no_harm() {
        for kind in KINDS {
            let file = kind.executable(SECTION, b"\0DotNetRuntimeInfo\0", Some(0));
            super::super::fixture::lies_of(file, |file| {
                let _ = is_told(file);
            });
        }
    }
}
