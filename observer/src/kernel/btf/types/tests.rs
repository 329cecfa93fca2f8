//! Lookups in hand-written types, and in this kernel's, where they are compared with another parser.

use std::fs;

use aya::{Btf, Endianness};
use btfparse::{Offset, TypeInformation, TypeVariant};
use tcp_reuse_watch_ebpf::Offsets;

use super::*;
use crate::kernel::btf::{
    KERNEL_BTF,
    fixture::{btf, kind, small},
    records::INT,
};

fn id_of(types: &Types, named: Named) -> Option<u32> {
    types.ids(&HashSet::from([named])).get(&named).copied()
}

#[test]
fn same_name_is_found_for_each_kind() {
    let bytes = small();
    let types = Types::read(&bytes).unwrap();
    assert_eq!(id_of(&types, (Kind::Struct, "inner")), Some(2));
    assert_eq!(id_of(&types, (Kind::Enum, "a")), Some(9));
    assert_eq!(id_of(&types, (Kind::Function, "a")), Some(11));
    assert_eq!(id_of(&types, (Kind::Struct, "a")), None);
    assert_eq!(id_of(&types, (Kind::Tracepoint, "outer")), None, "a typedef of another type");
}

#[test]
fn fields_are_found_through_aliases_and_in_anonymous_unions() {
    let bytes = small();
    let types = Types::read(&bytes).unwrap();
    // `inner` has `a`, and at 4 a union with a member `inner`. `outer` has `a` of type `inner`, and at 8 a pointer
    // `inner`.
    let offsets = ["a", "a.a", "a.inner", "inner", "inner.a", "b", ""].map(|path| types.offset_of(3, path));
    assert_eq!(offsets, [Some(0), Some(0), Some(4), Some(8), None, None, None]);
    assert_eq!(types.offset_of(8, "inner"), Some(8), "a typedef");
    assert_eq!((types.offset_of(1, "a"), types.offset_of(0, "a"), types.offset_of(99, "a")), (None, None, None));
    assert_eq!(
        (types.enumerator(9, "inner"), types.enumerator(9, "a"), types.enumerator(99, "a")),
        (Some(7), None, None)
    );
}

#[test]
fn bit_field_has_no_offset() {
    let has_bit_fields = 1 << 31;
    let members = [1, 1, 0, 3, 1, 32, 5, 1, 3 << 24 | 0x28, 7, 1, 64];
    let mut words = vec![0, kind(INT, 0), 4, 32, 0, kind(STRUCT, 4) | has_bit_fields, 16];
    words.extend(members);
    let bytes = btf(&words, b"\0a\0b\0c\0d\0");
    let types = Types::read(&bytes).unwrap();
    assert_eq!(["a", "b", "c", "d"].map(|path| types.offset_of(2, path)), [Some(0), Some(4), None, Some(8)]);
}

#[test]
fn another_parser_finds_every_field_at_the_same_offset() {
    struct Bytes(Vec<u8>);
    impl btfparse::Readable for Bytes {
        fn read(&self, offset: u64, buffer: &mut [u8]) -> btfparse::Result<()> {
            let start = usize::try_from(offset).unwrap();
            buffer.copy_from_slice(&self.0[start..start + buffer.len()]);
            Ok(())
        }
    }
    let bytes = fs::read(KERNEL_BTF).unwrap();
    let others = TypeInformation::new(&Bytes(bytes.clone())).unwrap_or_else(|error| panic!("{error:?}"));
    let types = Types::read(&bytes).unwrap();
    let mut found = 0;
    for path in Offsets::FIELDS.iter().flat_map(|(paths, _)| paths.split('|')).filter(|path| !path.is_empty()) {
        let (name, field) = path.split_once('.').unwrap();
        let named =
            |variant: &TypeVariant| matches!(variant, TypeVariant::Struct(of) if of.name().as_deref() == Some(name));
        let theirs = others.get().iter().find(|(_, variant)| named(variant)).and_then(|(id, _)| {
            match others.offset_of(*id, field) {
                Ok((_, Offset::ByteOffset(offset))) => Some(offset),
                _ => None,
            }
        });
        let ours = id_of(&types, (Kind::Struct, name)).and_then(|id| types.offset_of(id, field));
        assert_eq!(ours, theirs, "{path}");
        found += usize::from(ours.is_some());
    }
    assert!(found > 30, "{found}");
}

#[test]
fn reduced_btf_keeps_the_ids_of_the_kernel() {
    let bytes = fs::read(KERNEL_BTF).unwrap();
    let types = Types::read(&bytes).unwrap();
    let wanted: HashSet<Named> = crate::kernel::hooks::btf_names().collect();
    let ids = types.ids(&wanted);
    let (whole, left) = (bytes.clone(), types.reduced_to(&ids.values().copied().collect()));
    assert!(left.len() * 2 < whole.len(), "{} of {}", left.len(), whole.len());
    let [whole, left] = [whole, left].map(|bytes| Btf::parse(&bytes, Endianness::default()).unwrap());
    for (kind, name) in &wanted {
        let (kind, name) = match kind {
            Kind::Tracepoint => (aya_obj::btf::BtfKind::Typedef, format!("btf_trace_{name}")),
            _ => (aya_obj::btf::BtfKind::Func, (*name).to_owned()),
        };
        let [whole, left] = [&whole, &left].map(|btf| btf.id_by_type_name_kind(&name, kind).ok());
        assert_eq!(whole, left, "{name}");
    }
    assert!(ids.len() >= 8, "{ids:?}");
}
