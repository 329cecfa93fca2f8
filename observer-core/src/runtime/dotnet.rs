//! Detects .NET programs whose executable contains the runtime: published as a single file, or compiled ahead of time.
//! The runtime exports a symbol for debuggers, which `strip` leaves in place.

use super::elf::{Elf, ReadAt};

/// The section with the names of exported and imported symbols.
const SECTION: &[u8] = b".dynstr";

/// More symbol names than such a program has: a 142 MB program of .NET 10 has 8 KiB.
const SEARCH_BYTES: usize = 1 << 16;

/// src/coreclr/debug/runtimeinfo/runtimeinfo.cpp, and src/coreclr/nativeaot/Runtime/DebugHeader.cpp.
const SYMBOLS: [&[u8]; 2] = [b"\0DotNetRuntimeInfo\0", b"\0DotNetRuntimeDebugHeader\0"];

pub(super) fn is_dotnet(file: &mut impl ReadAt) -> bool {
    let Some(names) = Elf::read(file, SECTION).and_then(|elf| elf.section()) else { return false };
    let names = file.read_at(names.offset, usize::try_from(names.len).unwrap_or(SEARCH_BYTES).min(SEARCH_BYTES));
    SYMBOLS.iter().any(|symbol| names.windows(symbol.len()).any(|name| name == *symbol))
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixture::{ABIS, FakeFile, for_each_corruption},
        *,
    };

    fn is_detected(bytes: &[u8]) -> bool {
        let mut file = FakeFile::new(bytes);
        let is_detected = is_dotnet(&mut file);
        file.assert_read_at_most(6, 100_000);
        is_detected
    }

    #[test]
    fn debugger_symbol_is_detected() {
        for abi in ABIS {
            for name in ["DotNetRuntimeInfo", "DotNetRuntimeDebugHeader"] {
                let names = format!("\0libc.so.6\0{name}\0V1.0\0");
                assert!(is_detected(&abi.executable(SECTION, names.as_bytes(), Some(0))), "{name}");
            }
        }
    }

    #[test]
    fn symbol_name_elsewhere_is_ignored() {
        for abi in ABIS {
            assert!(!is_detected(&abi.executable(SECTION, b"\0printDotNetRuntimeInfo\0", Some(0))));
            assert!(!is_detected(&abi.executable(b".rodata", b"\0DotNetRuntimeInfo\0", Some(0))));
            assert!(!is_detected(&abi.executable(SECTION, b"\0DotNetRuntimeInfo\0", None)));
        }
        assert!(!is_detected(b""));
    }

    #[test]
    fn corrupt_files_do_no_harm() {
        for abi in ABIS {
            let file = abi.executable(SECTION, b"\0DotNetRuntimeInfo\0", Some(0));
            for_each_corruption(file, |file| {
                let _ = is_detected(file);
            });
        }
    }
}
