//! Valid and damaged BTF. Both parsers must survive every input that passes the check.

use std::collections::BTreeSet;

use aya::{Btf, Endianness};

use super::*;
use crate::kernel::btf::{
    Types,
    fixture::{btf, kind, small},
    records::{FLOAT, HEADER_BYTES, STRUCT, TYPEDEF},
};

/// Runs both parsers, and looks up a field of each type.
fn parse(bytes: &[u8]) {
    let _ = Btf::parse(bytes, Endianness::default());
    if let Ok(types) = Types::read(bytes) {
        for id in 0..bytes.len() as u32 / 12 {
            let _ = types.offset_of(id, "inner.a");
        }
    }
}

fn fault(bytes: &[u8]) -> String {
    check(bytes).unwrap_err()
}

#[test]
fn valid_btf_passes() {
    assert_eq!(check(&small()), Ok(()));
    parse(&small());
}

#[test]
fn every_truncation_is_reported() {
    let whole = small();
    for length in 2..whole.len() {
        assert!(fault(&whole[..length]).contains("truncated"), "{length}");
    }
    assert!(fault(&whole[..1]).contains("no BTF"));
    assert!(fault(&[]).contains("empty"));
}

#[test]
fn kernels_own_btf_passes_unless_truncated() {
    let whole = std::fs::read(crate::kernel::btf::KERNEL_BTF).unwrap();
    assert_eq!(check(&whole), Ok(()));
    for length in (2..HEADER_BYTES + 9).chain((0x1_0000..whole.len()).step_by(0x1_0000)).chain([whole.len() - 1]) {
        assert!(fault(&whole[..length]).contains("truncated"), "{length}");
    }
}

#[test]
fn types_section_cut_short_by_the_header_is_rejected_or_harmless() {
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
fn other_file_formats_are_named() {
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
fn invalid_references_and_records_are_rejected() {
    let of = |types: &[u32]| fault(&btf(types, b"\0a\0"));
    assert!(of(&[1, kind(TYPEDEF, 0), 1]).contains("contains itself"));
    assert!(of(&[0, kind(STRUCT, 1), 8, 0, 2, 0, 0, kind(10, 0), 1]).contains("contains itself"));
    assert!(of(&[0, kind(10, 0), 9]).contains("does not exist"));
    assert!(of(&[3, kind(10, 0), 0]).contains("module"));
    assert!(of(&[0, kind(31, 0), 0]).contains("unknown kind"));
    assert!(of(&[0, kind(STRUCT, 2), 8, 0, 0, 0]).contains("does not end"));
    assert!(of(&[]).contains("no types"));
    assert!(fault(&btf(&[0, kind(FLOAT, 0), 4], b"\0a")).contains("NUL"));
}

#[test]
fn nesting_is_bounded() {
    // Each type contains the one before it twice: 2^n parts at depth n.
    let doubled = |n: u32| (1..=n).flat_map(|id| [0, u32::from(STRUCT) << 24 | 2, 8, 0, id - 1, 0, 0, id - 1, 0]);
    let chain = |n: u32| (1..=n).flat_map(|id| [0, 10 << 24, id - 1]);
    let of = |types: Vec<u32>| check(&btf(&types, b"\0"));
    assert_eq!(of(doubled(10).collect()), Ok(()));
    assert!(of(doubled(40).collect()).unwrap_err().contains("nested"));
    assert!(of(chain(100_000).collect()).unwrap_err().contains("nested"));
}

#[test]
fn changed_byte_is_rejected_or_harmless() {
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
