//! Tests synthetic executables, and real ones: the test binary itself and programs written in C.

use super::{
    super::fixture::{ABIS, FakeFile, for_each_corruption},
    *,
};

fn is_detected(bytes: &[u8]) -> bool {
    let mut file = FakeFile::new(bytes);
    let is_detected = is_rust(&mut file);
    file.assert_read_at_most(40, 9 << 20);
    is_detected
}

/// The message after this many bytes.
fn constants(before: usize) -> Vec<u8> {
    [vec![b'.'; before].as_slice(), MESSAGE, b"handler) != libc::SIG_ERR"].concat()
}

#[test]
fn test_binary_is_rust() {
    assert!(is_detected(&std::fs::read("/proc/self/exe").unwrap()));
}

#[test]
fn message_is_found_in_every_abi_and_across_chunks() {
    for abi in ABIS {
        for before in [0, CHUNK_BYTES - MESSAGE.len(), CHUNK_BYTES - 1, CHUNK_BYTES] {
            assert!(is_detected(&abi.executable(SECTION, &constants(before), Some(0))), "after {before} bytes");
        }
    }
}

#[test]
fn other_files_are_not_rust() {
    for abi in ABIS {
        assert!(!is_detected(&abi.executable(SECTION, &constants(9 << 20), Some(0))), "beyond the search limit");
        assert!(!is_detected(&abi.executable(b".data", &constants(0), Some(0))));
        assert!(!is_detected(&abi.executable(SECTION, &MESSAGE[1..], Some(0))));
    }
    for file in ["/bin/sh", "/usr/bin/env"] {
        assert!(!is_detected(&std::fs::read(file).unwrap()), "{file}");
    }
    assert!(!is_detected(b"\x7fELF"));
}

#[test]
fn corrupt_files_do_no_harm() {
    for abi in ABIS {
        for_each_corruption(abi.executable(SECTION, &constants(0), Some(0)), |file| {
            let _ = is_detected(file);
        });
    }
}
