//! A small BTF, and everything that can be wrong with it. What passes the check, both parsers must survive.

use std::collections::BTreeSet;

use aya::{Btf, Endianness};
use btfparse::TypeInformation;

use super::*;
use crate::kernel::offsets::Bytes;

const TYPEDEF: u8 = 8;

/// Types as words, names as offsets into the strings `\0a\0inner\0outer\0`.
fn small() -> Vec<u8> {
    let kind = |kind: u8, count: u32| u32::from(kind) << 24 | count;
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

fn btf(types: &[u32], strings: &[u8]) -> Vec<u8> {
    let types: Vec<u8> = types.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let mut bytes = MAGIC.to_ne_bytes().to_vec();
    bytes.extend([1, 0]);
    for word in [HEADER_BYTES, 0, types.len(), types.len(), strings.len()] {
        bytes.extend((word as u32).to_ne_bytes());
    }
    bytes.extend(types);
    bytes.extend(strings);
    bytes
}

/// Hands it to both parsers, and asks for a field by each name.
fn parse(bytes: &[u8]) {
    let _ = Btf::parse(bytes, Endianness::default());
    if let Ok(types) = TypeInformation::new(&Bytes(bytes)) {
        for id in types.get().keys() {
            let _ = types.offset_of(*id, "inner.a");
        }
    }
}

fn fault(bytes: &[u8]) -> String {
    check(bytes).unwrap_err()
}

#[test]
fn what_is_right_passes() {
    assert_eq!(check(&small()), Ok(()));
    parse(&small());
}

#[test]
fn it_is_truncated_wherever_it_ends_early() {
    let whole = small();
    for length in 2..whole.len() {
        assert!(fault(&whole[..length]).contains("truncated"), "{length}");
    }
    assert!(fault(&whole[..1]).contains("no BTF"));
    assert!(fault(&[]).contains("empty"));
}

#[test]
fn the_kernels_own_passes_whole_and_in_no_part() {
    let whole = std::fs::read(crate::kernel::btf::KERNEL_BTF).unwrap();
    assert_eq!(check(&whole), Ok(()));
    for length in (2..HEADER_BYTES + 9).chain((0x1_0000..whole.len()).step_by(0x1_0000)).chain([whole.len() - 1]) {
        assert!(fault(&whole[..length]).contains("truncated"), "{length}");
    }
}

#[test]
fn types_that_the_header_cuts_short_are_noticed_or_harmless() {
    let whole = small();
    for length in 0..u32_at(&whole, 12).unwrap() {
        let mut cut = whole.clone();
        cut[12..16].copy_from_slice(&(length as u32).to_ne_bytes());
        if check(&cut).is_ok() {
            parse(&cut);
        }
    }
}

#[test]
fn what_it_is_instead_is_said() {
    let mut swapped = small();
    swapped.swap(0, 1);
    assert!(fault(&swapped).contains("byte order"));
    assert!(fault(b"\x7fELF\x02\x01\x01").contains("objcopy"));
    assert!(fault(b"\x1f\x8b\x08").contains("gzip"));
    assert!(fault(b"Makefile: all").contains("no BTF"));
    let mut newer = small();
    newer[2] = 2;
    assert!(fault(&newer).contains("version 2"));
}

#[test]
fn types_that_lead_nowhere_are_refused() {
    let kind = |kind: u8, count: u32| u32::from(kind) << 24 | count;
    let of = |types: &[u32]| fault(&btf(types, b"\0a\0"));
    assert!(of(&[1, kind(TYPEDEF, 0), 1]).contains("contains itself"));
    assert!(of(&[0, kind(STRUCT, 1), 8, 0, 2, 0, 0, kind(10, 0), 1]).contains("contains itself"));
    assert!(of(&[0, kind(10, 0), 9]).contains("not there"));
    assert!(of(&[3, kind(10, 0), 0]).contains("module"));
    assert!(of(&[0, kind(31, 0), 0]).contains("unknown kind"));
    assert!(of(&[0, kind(STRUCT, 2), 8, 0, 0, 0]).contains("does not end"));
    assert!(of(&[]).contains("no types"));
    assert!(fault(&btf(&[0, kind(FLOAT, 0), 4], b"\0a")).contains("NUL"));
}

#[test]
fn nesting_has_a_bound() {
    // Each contains the one before it, twice: 2^n parts at depth n.
    let doubled = |n: u32| (1..=n).flat_map(|id| [0, u32::from(STRUCT) << 24 | 2, 8, 0, id - 1, 0, 0, id - 1, 0]);
    let chain = |n: u32| (1..=n).flat_map(|id| [0, 10 << 24, id - 1]);
    let of = |types: Vec<u32>| check(&btf(&types, b"\0"));
    assert_eq!(of(doubled(10).collect()), Ok(()));
    assert!(of(doubled(40).collect()).unwrap_err().contains("nested"));
    assert!(of(chain(100_000).collect()).unwrap_err().contains("nested"));
}

#[test]
fn a_changed_byte_is_noticed_or_harmless() {
    let whole = small();
    let mut faults = BTreeSet::new();
    for at in 0..whole.len() {
        for value in [0, 1, 2, 7, 13, 0x40, 0x7F, 0x80, 0xFF, whole[at] ^ 1] {
            let mut changed = whole.clone();
            changed[at] = value;
            match check(&changed) {
                Ok(()) => parse(&changed),
                Err(fault) => drop(faults.insert(fault)),
            }
        }
    }
    assert!(faults.len() > 20, "{faults:?}");
}
