//! Whether bytes are BTF that can be parsed without harm (Documentation/bpf/btf.rst): every section within the file,
//! every record whole, every name within the strings, and no type that contains itself.

#[cfg(test)]
mod tests;

const MAGIC: u16 = 0xEB9F;

/// The header up to `str_len`; later versions append to it.
const HEADER_BYTES: usize = 24;

/// What every record of a type begins with: name, info, size or type.
const RECORD_BYTES: usize = 12;

/// Bounds of what a type contains by value, all levels added up: far beyond any kernel's, and no danger to who follows.
const MAX_DEPTH: u16 = 100;
const MAX_PARTS: u32 = 1 << 22;

/// What such files are mistaken for, by how they begin.
const OTHERS: [(&[u8], &str); 5] = [
    (
        b"\x7fELF",
        "it is an ELF file; take its .BTF section out by: llvm-objcopy --dump-section .BTF=vmlinux.btf FILE /dev/null",
    ),
    (b"\x1f\x8b", "it is compressed (gzip): unpack it first"),
    (b"\xfd7zXZ", "it is compressed (xz): unpack it first"),
    (b"\x28\xb5\x2f\xfd", "it is compressed (zstd): unpack it first"),
    (b"BZh", "it is compressed (bzip2): unpack it first"),
];

/// Says what is wrong.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let records = Sections::find(bytes)?.records()?;
    Containment::new(bytes, &records).check()
}

fn u32_at(bytes: &[u8], at: usize) -> Result<usize, String> {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or_else(|| format!("it ends within byte {at}"))?;
    Ok(u32::from_ne_bytes(*word) as usize)
}

/// Where types and strings are.
struct Sections<'a> {
    bytes: &'a [u8],
    types: (usize, usize),
    strings_bytes: usize,
}

impl<'a> Sections<'a> {
    fn find(bytes: &'a [u8]) -> Result<Self, String> {
        if bytes.is_empty() {
            return Err("it is empty".into());
        }
        if let Some((_, what)) = OTHERS.iter().find(|(start, _)| bytes.starts_with(start)) {
            return Err((*what).into());
        }
        let magic = bytes.first_chunk().map_or(0, |magic| u16::from_ne_bytes(*magic));
        if magic == MAGIC.swap_bytes() {
            return Err("it is in the byte order of another kind of processor".into());
        }
        if magic != MAGIC {
            return Err(format!("it is no BTF, which begins with {:02x?}", MAGIC.to_ne_bytes()));
        }
        if bytes.len() < HEADER_BYTES {
            return Err(format!("it is truncated: {} bytes, less than its header", bytes.len()));
        }
        if bytes[2] != 1 {
            return Err(format!("it is BTF of version {}, and only 1 is known", bytes[2]));
        }
        let header_bytes = u32_at(bytes, 4)?;
        if header_bytes < HEADER_BYTES {
            return Err(format!("its header says that it has {header_bytes} bytes, and {HEADER_BYTES} are the least"));
        }
        let section = |at: usize, what: &str| {
            // Cannot overflow: three numbers of 32 bits.
            let start = header_bytes + u32_at(bytes, at)?;
            let end = start + u32_at(bytes, at + 4)?;
            if end > bytes.len() {
                return Err(format!(
                    "it is truncated: its {what} should end at byte {end}, it ends at {}",
                    bytes.len()
                ));
            }
            Ok((start, end))
        };
        let (types, strings) = (section(8, "types")?, section(16, "strings")?);
        let text = &bytes[strings.0..strings.1];
        if text.first() != Some(&0) || text.last() != Some(&0) {
            return Err("its strings do not begin and end with a NUL".into());
        }
        if types.0 == types.1 {
            return Err("it has no types".into());
        }
        Ok(Self { bytes, types, strings_bytes: text.len() })
    }

    /// Where each record begins, that of type 1 first.
    fn records(&self) -> Result<Vec<usize>, String> {
        let mut records = Vec::new();
        let mut at = self.types.0;
        while at < self.types.1 {
            let id = records.len() + 1;
            let record = Record::read(self.bytes, at)?;
            let end = at
                + RECORD_BYTES
                + record.tail_bytes().ok_or_else(|| format!("type {id} has an unknown kind ({})", record.kind))?;
            if end > self.types.1 {
                return Err(format!("type {id} does not end within the types"));
            }
            for name in record.names(at) {
                let offset = u32_at(self.bytes, name)?;
                if offset >= self.strings_bytes {
                    return Err(format!(
                        "a name of type {id} is not among its strings (is it a module's? the kernel's own, vmlinux, is needed)"
                    ));
                }
            }
            records.push(at);
            at = end;
        }
        Ok(records)
    }
}

/// The start of a record.
#[derive(Clone, Copy)]
struct Record {
    kind: u8,
    /// Members, enumerators, parameters or variables.
    count: usize,
}

// Kinds, include/uapi/linux/btf.h.
const INT: u8 = 1;
const PTR: u8 = 2;
const ARRAY: u8 = 3;
const STRUCT: u8 = 4;
const UNION: u8 = 5;
const ENUM: u8 = 6;
const FWD: u8 = 7;
const RESTRICT: u8 = 11;
const FUNC: u8 = 12;
const FUNC_PROTO: u8 = 13;
const VAR: u8 = 14;
const DATASEC: u8 = 15;
const FLOAT: u8 = 16;
const DECL_TAG: u8 = 17;
const TYPE_TAG: u8 = 18;
const ENUM64: u8 = 19;

impl Record {
    fn read(bytes: &[u8], at: usize) -> Result<Self, String> {
        let info = u32_at(bytes, at + 4)?;
        Ok(Self { kind: (info >> 24 & 0x1F) as u8, count: info & 0xFFFF })
    }

    /// Bytes of one of what `count` counts.
    fn stride(self) -> usize {
        match self.kind {
            STRUCT | UNION | DATASEC | ENUM64 => 12,
            ENUM | FUNC_PROTO => 8,
            _ => 0,
        }
    }

    /// Bytes after what every record begins with; None for a kind that is not known.
    fn tail_bytes(self) -> Option<usize> {
        match self.kind {
            INT | VAR | DECL_TAG => Some(4),
            ARRAY => Some(12),
            STRUCT | UNION | DATASEC | ENUM64 | ENUM | FUNC_PROTO => Some(self.count * self.stride()),
            PTR | FWD..=RESTRICT | FUNC | FLOAT | TYPE_TAG => Some(0),
            _ => None,
        }
    }

    /// Where the names of the record that is at `at` are referred to: its own, and those of its members.
    fn names(self, at: usize) -> impl Iterator<Item = usize> {
        let members = if self.kind == DATASEC || self.stride() == 0 { 0 } else { self.count };
        std::iter::once(at).chain((0..members).map(move |n| at + RECORD_BYTES + n * self.stride()))
    }

    /// Where the `n`th of the types is referred to that it contains by value, or is another name of.
    fn part(self, at: usize, n: usize) -> Option<usize> {
        match self.kind {
            FWD..=RESTRICT | TYPE_TAG if n == 0 => Some(at + 8),
            ARRAY if n == 0 => Some(at + RECORD_BYTES),
            STRUCT | UNION if n < self.count => Some(at + RECORD_BYTES + n * self.stride() + 4),
            _ => None,
        }
    }
}

/// What a type contains, itself included.
#[derive(Clone, Copy, Default)]
struct Size {
    parts: u32,
    depth: u16,
}

/// A walk down what types contain by value. Pointers end it, so in C it cannot come back to where it was.
struct Containment<'a> {
    bytes: &'a [u8],
    records: &'a [usize],
    /// By type id; type 0 is void. No parts: not known yet; no depth: being walked.
    sizes: Vec<Size>,
    path: Vec<(usize, usize)>,
}

const WALKED: Size = Size { parts: 1, depth: 0 };

impl<'a> Containment<'a> {
    fn new(bytes: &'a [u8], records: &'a [usize]) -> Self {
        let mut sizes = vec![Size::default(); records.len() + 1];
        sizes[0] = Size { parts: 1, depth: 1 };
        Self { bytes, records, sizes, path: Vec::new() }
    }

    fn check(mut self) -> Result<(), String> {
        for id in 1..self.sizes.len() {
            if self.sizes[id].parts == 0 {
                self.enter(id);
            }
            while let Some((id, part)) = self.path.pop() {
                self.step(id, part)?;
            }
        }
        Ok(())
    }

    fn enter(&mut self, id: usize) {
        self.sizes[id] = WALKED;
        self.path.push((id, 0));
    }

    /// Looks at one part of a type; after the last, its size is known.
    fn step(&mut self, id: usize, part: usize) -> Result<(), String> {
        let at = self.records[id - 1];
        let record = Record::read(self.bytes, at)?;
        let Some(reference) = record.part(at, part) else {
            self.sizes[id] = self.size(id, record, at)?;
            return Ok(());
        };
        let contained = u32_at(self.bytes, reference)?;
        self.path.push((id, part + 1));
        match self.sizes.get(contained) {
            None => Err(format!("type {id} refers to type {contained}, which is not there")),
            Some(Size { parts: 0, .. }) => {
                self.enter(contained);
                Ok(())
            }
            Some(Size { depth: 0, .. }) => Err(format!("type {id} contains itself")),
            Some(_) => Ok(()),
        }
    }

    fn size(&self, id: usize, record: Record, at: usize) -> Result<Size, String> {
        let mut size = Size { parts: 1, depth: 1 };
        for reference in (0..).map_while(|n| record.part(at, n)) {
            let part = self.sizes[u32_at(self.bytes, reference)?];
            size.parts = size.parts.saturating_add(part.parts);
            size.depth = size.depth.max(part.depth + 1);
        }
        if size.parts > MAX_PARTS || size.depth > MAX_DEPTH {
            return Err(format!("type {id} is nested beyond measure"));
        }
        Ok(size)
    }
}
