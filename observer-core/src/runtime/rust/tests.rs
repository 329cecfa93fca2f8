//! Executables written byte by byte, and two kinds of real ones: this one, and those of C.

use super::{
    super::fixture::{Bytes, KINDS, lies_of},
    *,
};

fn is_told(file: &[u8]) -> bool {
    let mut image = Bytes::of(file);
    let is_told = has_built(&mut image);
    image.assert_read_at_most(40, 9 << 20);
    is_told
}

/// So many bytes, and then the sign.
fn constants(before: usize) -> Vec<u8> {
    [vec![b'.'; before].as_slice(), SIGN, b"handler) != libc::SIG_ERR"].concat()
}

#[test]
fn this_program_is_told() {
    assert!(is_told(&std::fs::read("/proc/self/exe").unwrap()));
}

#[test]
fn the_sign_is_found_on_every_kind_of_machine_and_across_pieces() {
    for kind in KINDS {
        for before in [0, PIECE - SIGN.len(), PIECE - 1, PIECE] {
            assert!(is_told(&kind.executable(SECTION, &constants(before), Some(0))), "behind {before} bytes");
        }
    }
}

#[test]
fn anything_else_is_not_rust() {
    for kind in KINDS {
        assert!(!is_told(&kind.executable(SECTION, &constants(9 << 20), Some(0))), "behind what is searched");
        assert!(!is_told(&kind.executable(b".data", &constants(0), Some(0))));
        assert!(!is_told(&kind.executable(SECTION, &SIGN[1..], Some(0))));
    }
    for file in ["/bin/sh", "/usr/bin/env"] {
        assert!(!is_told(&std::fs::read(file).unwrap()), "{file}");
    }
    assert!(!is_told(b"\x7fELF"));
}

#[test]
fn a_file_that_lies_or_ends_anywhere_does_no_harm() {
    for kind in KINDS {
        lies_of(kind.executable(SECTION, &constants(0), Some(0)), |file| {
            let _ = is_told(file);
        });
    }
}
