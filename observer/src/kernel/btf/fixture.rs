//! A small BTF for tests.

use super::records::{ARRAY, ENUM, FUNC, FUNC_PROTO, FWD, INT, PTR, STRUCT, TYPEDEF, UNION, write};

pub(super) fn kind(kind: u8, count: u32) -> u32 {
    u32::from(kind) << 24 | count
}

/// Types are written as words. Names are offsets into the strings `\0a\0inner\0outer\0`.
pub(super) fn small() -> Vec<u8> {
    let types: &[&[u32]] = &[
        &[1, kind(INT, 0), 4, 32],
        &[3, kind(STRUCT, 2), 8, 1, 1, 0, 0, 7, 32],
        &[9, kind(STRUCT, 2), 16, 1, 2, 0, 3, 4, 64],
        &[0, kind(PTR, 0), 3],
        &[0, kind(10, 0), 2],
        &[0, kind(ARRAY, 0), 0, 5, 1, 3],
        &[0, kind(UNION, 1), 4, 3, 1, 0],
        &[9, kind(TYPEDEF, 0), 3],
        &[1, kind(ENUM, 1), 4, 3, 7],
        &[0, kind(FUNC_PROTO, 1), 1, 1, 4],
        &[1, kind(FUNC, 0), 10],
        &[1, kind(FWD, 0), 0],
    ];
    btf(&types.concat(), b"\0a\0inner\0outer\0")
}

pub(super) fn btf(types: &[u32], strings: &[u8]) -> Vec<u8> {
    write(bytemuck::cast_slice(types), strings)
}
