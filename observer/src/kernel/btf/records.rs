//! The layout of BTF (Documentation/bpf/btf.rst): a header, one record for each type, and a section of strings.
//! Malformed input is rejected, never trusted.

use std::ops::Range;

const MAGIC: u16 = 0xEB9F;

/// The size of the header up to `str_len`. Later versions append fields.
pub(super) const HEADER_BYTES: usize = 24;

/// The size of the fields that start every record: name, info, and size or type.
pub(super) const RECORD_BYTES: usize = 12;

/// Other files that users pass by mistake, by their first bytes.
const OTHER_FORMATS: [(&[u8], &str); 5] = [
    (
        b"\x7fELF",
        "it is an ELF file; extract its .BTF section: llvm-objcopy --dump-section .BTF=vmlinux.btf FILE /dev/null",
    ),
    (b"\x1f\x8b", "it is compressed (gzip): unpack it first"),
    (b"\xfd7zXZ", "it is compressed (xz): unpack it first"),
    (b"\x28\xb5\x2f\xfd", "it is compressed (zstd): unpack it first"),
    (b"BZh", "it is compressed (bzip2): unpack it first"),
];

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Result<usize, String> {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or_else(|| format!("it ends within byte {at}"))?;
    Ok(u32::from_ne_bytes(*word) as usize)
}

/// The positions of all records.
pub(super) struct Records<'a> {
    pub(super) bytes: &'a [u8],
    /// Where each record begins, starting with type 1.
    pub(super) begins: Vec<usize>,
    /// All names. The section begins and ends with a NUL.
    pub(super) strings: &'a [u8],
}

impl<'a> Records<'a> {
    /// The error describes the fault in the header, or in the length of a record.
    pub(super) fn find(bytes: &'a [u8]) -> Result<Self, String> {
        let [types, strings] = sections(bytes)?;
        let mut begins = Vec::new();
        let mut at = types.start;
        while at < types.end {
            let id = begins.len() + 1;
            let record = Record::read(bytes, at)?;
            let end = at
                + RECORD_BYTES
                + record.tail_bytes().ok_or_else(|| format!("type {id} has an unknown kind ({})", record.kind))?;
            if end > types.end {
                return Err(format!("type {id} does not end within the types"));
            }
            begins.push(at);
            at = end;
        }
        Ok(Self { bytes, begins, strings: &bytes[strings] })
    }

    /// Where the record of a type begins. None for void and for an unknown id.
    pub(super) fn begin_of(&self, id: usize) -> Option<usize> {
        self.begins.get(id.checked_sub(1)?).copied()
    }

    /// The name that the word at `at` refers to. Empty for an anonymous type and for an invalid reference.
    pub(super) fn name_at(&self, at: usize) -> &'a [u8] {
        let name = u32_at(self.bytes, at).ok().and_then(|offset| self.strings.get(offset..)).unwrap_or_default();
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        &name[..end]
    }
}

/// The ranges of the types and the strings.
fn sections(bytes: &[u8]) -> Result<[Range<usize>; 2], String> {
    if bytes.is_empty() {
        return Err("it is empty".into());
    }
    if let Some((_, what)) = OTHER_FORMATS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err((*what).into());
    }
    let magic = bytes.first_chunk().map_or(0, |magic| u16::from_ne_bytes(*magic));
    if magic == MAGIC.swap_bytes() {
        return Err("it has the byte order of another architecture".into());
    }
    if magic != MAGIC {
        return Err(format!("it is no BTF: it does not begin with {:02x?}", MAGIC.to_ne_bytes()));
    }
    if bytes.len() < HEADER_BYTES {
        return Err(format!("it is truncated: {} bytes, less than its header", bytes.len()));
    }
    if bytes[2] != 1 {
        return Err(format!("it is BTF of version {}, and only version 1 is supported", bytes[2]));
    }
    let header_bytes = u32_at(bytes, 4)?;
    if header_bytes < HEADER_BYTES {
        return Err(format!(
            "its header claims a length of {header_bytes} bytes, less than the minimum of {HEADER_BYTES}"
        ));
    }
    let section = |at: usize, what: &str| {
        // Three 32-bit numbers cannot overflow a usize.
        let start = header_bytes + u32_at(bytes, at)?;
        let end = start + u32_at(bytes, at + 4)?;
        if end > bytes.len() {
            return Err(format!("it is truncated: its {what} should end at byte {end}, it ends at {}", bytes.len()));
        }
        Ok(start..end)
    };
    let (types, strings) = (section(8, "types")?, section(16, "strings")?);
    let text = &bytes[strings.clone()];
    if text.first() != Some(&0) || text.last() != Some(&0) {
        return Err("its strings do not begin and end with a NUL".into());
    }
    if types.is_empty() {
        return Err("it has no types".into());
    }
    Ok([types, strings])
}

/// Assembles BTF from types and strings.
pub(super) fn write(types: &[u8], strings: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + types.len() + strings.len());
    bytes.extend(MAGIC.to_ne_bytes());
    bytes.extend([1, 0]);
    for word in [HEADER_BYTES, 0, types.len(), types.len(), strings.len()] {
        bytes.extend((word as u32).to_ne_bytes());
    }
    bytes.extend(types);
    bytes.extend(strings);
    bytes
}

/// The `info` word of a record.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) kind: u8,
    /// How many members, enumerators, parameters or variables follow.
    pub(super) count: usize,
    /// For a struct or union: the highest byte of each member's offset is the size of its bit field.
    pub(super) has_bit_fields: bool,
}

// Kinds, include/uapi/linux/btf.h.
pub(super) const INT: u8 = 1;
pub(super) const PTR: u8 = 2;
pub(super) const ARRAY: u8 = 3;
pub(super) const STRUCT: u8 = 4;
pub(super) const UNION: u8 = 5;
pub(super) const ENUM: u8 = 6;
pub(super) const FWD: u8 = 7;
pub(super) const TYPEDEF: u8 = 8;
pub(super) const RESTRICT: u8 = 11;
pub(super) const FUNC: u8 = 12;
pub(super) const FUNC_PROTO: u8 = 13;
pub(super) const VAR: u8 = 14;
pub(super) const DATASEC: u8 = 15;
pub(super) const FLOAT: u8 = 16;
pub(super) const DECL_TAG: u8 = 17;
pub(super) const TYPE_TAG: u8 = 18;
pub(super) const ENUM64: u8 = 19;

impl Record {
    pub(super) fn read(bytes: &[u8], at: usize) -> Result<Self, String> {
        let info = u32_at(bytes, at + 4)?;
        Ok(Self { kind: (info >> 24 & 0x1F) as u8, count: info & 0xFFFF, has_bit_fields: info >> 31 == 1 })
    }

    /// The size in bytes of each of the `count` elements.
    pub(super) fn stride(self) -> usize {
        match self.kind {
            STRUCT | UNION | DATASEC | ENUM64 => 12,
            ENUM | FUNC_PROTO => 8,
            _ => 0,
        }
    }

    /// Bytes after the first [`RECORD_BYTES`]. None for an unknown kind.
    pub(super) fn tail_bytes(self) -> Option<usize> {
        match self.kind {
            INT | VAR | DECL_TAG => Some(4),
            ARRAY => Some(12),
            STRUCT | UNION | DATASEC | ENUM64 | ENUM | FUNC_PROTO => Some(self.count * self.stride()),
            PTR | FWD..=RESTRICT | FUNC | FLOAT | TYPE_TAG => Some(0),
            _ => None,
        }
    }

    /// The positions of the name references of the record at `at`: its own, and those of its members.
    pub(super) fn names(self, at: usize) -> impl Iterator<Item = usize> {
        let members = if self.kind == DATASEC || self.stride() == 0 { 0 } else { self.count };
        std::iter::once(at).chain((0..members).map(move |n| at + RECORD_BYTES + n * self.stride()))
    }

    /// The position of the reference to the `n`th type that this one contains by value or is an alias of.
    pub(super) fn part(self, at: usize, n: usize) -> Option<usize> {
        match self.kind {
            FWD..=RESTRICT | TYPE_TAG if n == 0 => Some(at + 8),
            ARRAY if n == 0 => Some(at + RECORD_BYTES),
            STRUCT | UNION if n < self.count => Some(at + RECORD_BYTES + n * self.stride() + 4),
            _ => None,
        }
    }
}
